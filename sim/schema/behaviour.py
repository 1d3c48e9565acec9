"""Behaviours: what traders do of their own will."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool

from sim.schema.base import Model, attribute
from sim.schema.units import Fraction, Number


class Hold(Model):
    """Do nothing."""

    kind: Literal["hold"] = attribute("Behaviour.", "-", "hold")


class StopLoss(Model):
    """Close a position after an adverse move of the mark from its entry."""

    kind: Literal["stop_loss"] = attribute("Behaviour.", "-", "stop_loss")
    trigger: Fraction = attribute("Adverse move that triggers.", "1", gt=0, lt=1)


class Deleverage(Model):
    """Trade back towards a target leverage."""

    kind: Literal["deleverage"] = attribute("Behaviour.", "-", "deleverage")
    target: Number | None = attribute(
        "Leverage aimed at. Left out: the account's own at the start.", "1", None, gt=0
    )
    speed: Fraction = attribute("Share of the gap closed per tick.", "1/tick", 1.0, gt=0, le=1)
    band: Fraction = attribute("Relative gap that is left alone.", "1", 0.0, ge=0)
    two_sided: StrictBool = attribute(
        "Also buy back when leverage is below the target.", "-", False
    )


class Fundamentalist(Model):
    """Buy below and sell above a fundamental value."""

    kind: Literal["fundamentalist"] = attribute("Behaviour.", "-", "fundamentalist")
    aggressiveness: Number = attribute("Leverage taken per relative mispricing.", "1", gt=0)
    max_leverage: Number = attribute("Highest leverage taken.", "1", gt=0)
    value: Literal["initial", "exogenous"] = attribute(
        "Fundamental value: the initial price, or the price without impact.", "-", "initial"
    )


Behaviour = Annotated[Hold | StopLoss | Deleverage | Fundamentalist, Field(discriminator="kind")]
"""Any behaviour."""
