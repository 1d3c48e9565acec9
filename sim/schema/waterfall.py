"""Layers of a default waterfall."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sim.schema.backstop import Backstop
from sim.schema.base import Model, attribute
from sim.schema.units import Number


class InsuranceFund(Model):
    """A fund that pays shortfalls until it is empty."""

    kind: Literal["insurance_fund"] = attribute("Layer.", "-", "insurance_fund")
    size: Number = attribute("Money in the fund at time 0.", "quote", ge=0)


class Adl(Model):
    """Auto-deleveraging: winners are reduced against the bankrupt position."""

    kind: Literal["adl"] = attribute("Layer.", "-", "adl")


class Socialise(Model):
    """The shortfall is spread over survivors."""

    kind: Literal["socialise"] = attribute("Layer.", "-", "socialise")
    basis: Literal["equity", "profit", "notional"] = attribute(
        "What the shares are in proportion to.", "-", "equity"
    )


Layer = Annotated[InsuranceFund | Backstop | Adl | Socialise, Field(discriminator="kind")]
"""Any layer."""
