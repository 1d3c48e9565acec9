"""What happens to a broken account: pace, size and fee of its forced orders."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sim.schema.base import Model, attribute
from sim.schema.lending import (
    AbsorbLiquidation,
    AuctionLiquidation,
    BandsLiquidation,
    FixedSpreadLiquidation,
)
from sim.schema.units import Duration, Fraction, Number


class _Liquidation(Model):
    """What all ways of liquidating share."""

    latency: Duration = attribute(
        "Time between two batches of forced orders; 0 goes on within the tick.", "s", 0.0, ge=0
    )
    fee_bps: Number = attribute(
        "Fee on the liquidated notional, capped by the equity that is left.",
        "basis points",
        0.0,
        ge=0,
        le=10_000,
    )
    fee_to: Literal["insurance_fund", "venue"] = attribute(
        "Who receives the fee.", "-", "insurance_fund"
    )


class FullLiquidation(_Liquidation):
    """Close every position of a broken account at once."""

    kind: Literal["full"] = attribute("Way of liquidating.", "-", "full")


class PartialLiquidation(_Liquidation):
    """Close a fixed slice per generation until the account is healthy."""

    kind: Literal["partial"] = attribute("Way of liquidating.", "-", "partial")
    slice: Fraction = attribute(
        "Share closed per generation, of the size when the episode began.",
        "1",
        0.2,
        gt=0,
        le=1,
    )
    target_ratio: Number = attribute("Margin ratio at which liquidation stops.", "1", 1.0, ge=1)


class ToTargetLiquidation(_Liquidation):
    """Close as much as restores a margin ratio."""

    kind: Literal["to_target"] = attribute("Way of liquidating.", "-", "to_target")
    target_ratio: Number = attribute("Margin ratio a liquidation restores.", "1", 1.05, ge=1)


Liquidation = Annotated[
    FullLiquidation
    | PartialLiquidation
    | ToTargetLiquidation
    | FixedSpreadLiquidation
    | AbsorbLiquidation
    | AuctionLiquidation
    | BandsLiquidation,
    Field(discriminator="kind"),
]
"""Any way of liquidating."""
