"""Market impact: how far an order moves a price, and how fast the price recovers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.units import Duration, Fraction, Number


class _Impact(Model):
    """What all impact models share."""

    resilience_half_life: Duration | None = attribute(
        "Time after which half of the transient impact is gone. Left out: it stays.",
        "s",
        None,
        gt=0,
    )
    permanent_share: Fraction = attribute(
        "Share of the impact that never decays.", "1", 0.0, ge=0, le=1
    )


class NoImpact(_Impact):
    """Orders fill at the last price and move nothing."""

    kind: Literal["none"] = attribute("Impact model.", "-", "none")


class IlliquidImpact(_Impact):
    """No outside liquidity at all: orders are not filled and positions stay open."""

    kind: Literal["illiquid"] = attribute("Impact model.", "-", "illiquid")


class LinearImpact(_Impact):
    """The price moves in proportion to the order."""

    kind: Literal["linear"] = attribute("Impact model.", "-", "linear")
    coefficient: Number | None = attribute(
        "Price move per contract; instead of depth.", "quote/contract", None, gt=0
    )
    depth: Number | None = attribute(
        "Notional that moves the price by the band; instead of coefficient.", "quote", None, gt=0
    )
    band: Fraction = attribute("Relative move that the depth stands for.", "1", 0.01, gt=0, lt=1)

    @model_validator(mode="after")
    def _one_scale(self) -> LinearImpact:
        if (self.coefficient is None) == (self.depth is None):
            found = "neither" if self.coefficient is None else "both"
            refuse(
                "linear",
                [
                    Finding(
                        (),
                        f"{found} of coefficient and depth",
                        "exactly one of coefficient and depth",
                    )
                ],
            )
        return self


class SquareRootImpact(_Impact):
    """The relative move is ``y * sigma * sqrt(notional / adv)``."""

    kind: Literal["square_root"] = attribute("Impact model.", "-", "square_root")
    y: Number = attribute("Prefactor.", "1", 1.0, gt=0)
    sigma: Fraction | None = attribute(
        "Daily volatility. Left out: the base asset's volatility / sqrt(365).",
        "1/sqrt(day)",
        None,
        gt=0,
    )
    adv: Number = attribute("Average daily volume.", "quote/day", gt=0)


class ExponentialImpact(_Impact):
    """The price decays exponentially in the quantity sold, down to a floor."""

    kind: Literal["exponential"] = attribute("Impact model.", "-", "exponential")
    floor: Number = attribute("Price that selling without end tends to.", "quote/base", ge=0)
    depth: Number = attribute(
        "Quantity over which the price decays by 1/e.", "contracts, or as depth_unit", gt=0
    )
    depth_unit: Literal["contracts", "quote"] = attribute(
        "Unit of depth; in quote an order counts with its value at the price it meets.",
        "-",
        "contracts",
    )
    fill: Literal["average", "alpha"] = attribute(
        "Fill price: average along the curve, or a mix of its two ends.", "-", "average"
    )
    alpha: Fraction = attribute(
        "Weight of the price after the order in an alpha fill.", "1", 0.5, ge=0, le=1
    )


class PowerImpact(_Impact):
    """Permanent and temporary impact with the exponents of Almgren et al. (2005)."""

    kind: Literal["power"] = attribute("Impact model.", "-", "power")
    gamma: Number = attribute("Permanent coefficient.", "1", 0.314, ge=0)
    eta: Number = attribute("Temporary coefficient.", "1", 0.142, ge=0)
    sigma: Fraction | None = attribute(
        "Daily volatility. Left out: the base asset's volatility / sqrt(365).",
        "1/sqrt(day)",
        None,
        gt=0,
    )
    adv: Number = attribute("Average daily volume.", "quote/day", gt=0)
    outstanding: Number = attribute("Contracts in existence.", "contracts", gt=0)
    beta: Number = attribute("Exponent of the temporary impact.", "1", 0.6, gt=0, le=1)
    outstanding_exponent: Number = attribute(
        "Exponent of outstanding over daily volume.", "1", 0.25, ge=0
    )
    duration: Duration = attribute("Time an order takes to execute.", "s", 3600.0, gt=0)


Impact = Annotated[
    NoImpact | IlliquidImpact | LinearImpact | SquareRootImpact | ExponentialImpact | PowerImpact,
    Field(discriminator="kind"),
]
"""Any impact model."""
