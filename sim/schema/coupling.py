"""Couplings: how a price on one venue pulls the price on another."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.units import Duration, Fraction, Name, Number


class NoCoupling(Model):
    """Venues do not see each other."""

    kind: Literal["none"] = attribute("Coupling.", "-", "none")


class CrossImpact(Model):
    """An order on one venue moves the same asset elsewhere by a share of its impact."""

    kind: Literal["cross_impact"] = attribute("Coupling.", "-", "cross_impact")
    asset: Name = attribute("Base asset of the coupled markets.", "-")
    venues: list[Name] | None = attribute(
        "Coupled venues. Left out: all that list the asset.", "-", None
    )
    phi: Number = attribute("Share of the impact that carries over.", "1", ge=0)


class ArbitrageCoupling(Model):
    """Arbitrageurs close a gap between venues."""

    kind: Literal["arbitrage"] = attribute("Coupling.", "-", "arbitrage")
    asset: Name = attribute("Base asset of the coupled markets.", "-")
    venues: list[Name] | None = attribute(
        "Coupled venues. Left out: all that list the asset.", "-", None
    )
    kappa: Fraction | None = attribute(
        "Share of the gap that a batch of orders opened, closed right after it.",
        "1",
        None,
        ge=0,
        le=1,
    )
    time_constant: Duration | None = attribute(
        "Time after which 1/e of a gap is left.", "s", None, gt=0
    )

    @model_validator(mode="after")
    def _some_speed(self) -> ArbitrageCoupling:
        if self.kappa is None and self.time_constant is None:
            refuse(
                "arbitrage",
                [Finding((), "neither kappa nor time_constant", "kappa, time_constant, or both")],
            )
        return self


Coupling = Annotated[NoCoupling | CrossImpact | ArbitrageCoupling, Field(discriminator="kind")]
"""Any coupling."""
