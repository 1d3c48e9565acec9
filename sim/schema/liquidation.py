"""What happens to a broken account: pace, size, limit price and fee of its forced orders."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.lending import (
    AbsorbLiquidation,
    AuctionLiquidation,
    BandsLiquidation,
    FixedSpreadLiquidation,
)
from sim.schema.units import Count, Duration, Fraction, Number


class _Forced(Model):
    """What all ways of liquidating share."""

    fee_to: Literal["insurance_fund", "venue"] = attribute(
        "Who receives the fee.", "-", "insurance_fund"
    )
    price_band: Fraction | None = attribute(
        "Farthest from the mark that forced orders trade; what does not fit waits. "
        "None: any price.",
        "1",
        None,
        gt=0,
        lt=1,
    )
    takes_remainder: bool = attribute(
        "Whether what is left of an account that is closed out entirely goes where the fee goes.",
        "-",
        False,
    )


class _Liquidation(_Forced):
    """What all ways share whose batches are timed by a latency."""

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
    above: Number = attribute(
        "Notional of a position above which it is sold in slices, else whole.", "quote", 0.0, ge=0
    )
    whole_within: Duration = attribute(
        "Time after a fill of an account within which its next order is for all of its positions.",
        "s",
        0.0,
        ge=0,
    )


class ToTargetLiquidation(_Liquidation):
    """Close as much as restores a margin ratio."""

    kind: Literal["to_target"] = attribute("Way of liquidating.", "-", "to_target")
    target_ratio: Number = attribute("Margin ratio a liquidation restores.", "1", 1.05, ge=1)
    buffer: Fraction = attribute(
        "Equity above that, as a share of notional, which a liquidation restores; with one it "
        "goes on until it has.",
        "1",
        0.0,
        ge=0,
        lt=1,
    )
    most_share: Fraction = attribute(
        "Largest share closed per batch, of the size when the episode began.", "1", 1.0, gt=0, le=1
    )


class TierStepsLiquidation(_Liquidation):
    """Reduce positions to a lower margin tier, and close those whole for which that is no help."""

    kind: Literal["tier_steps"] = attribute("Way of liquidating.", "-", "tier_steps")
    drop: Count = attribute("Tiers that a reduction goes down.", "tiers", 1, ge=1)
    from_tier: Count = attribute(
        "Lowest tier, counted from 1, from which positions are reduced; below it they are closed.",
        "-",
        1,
        ge=1,
    )
    rounds: Count | None = attribute(
        "Reductions per episode after which an account that is still short is closed whole. "
        "None: as many as there are tiers below.",
        "-",
        None,
        ge=1,
    )


class PerBlockLiquidation(_Forced):
    """Close parts of one position of each account per block, at no worse than a fillable price."""

    latency: ClassVar[float] = 0.0
    fee_bps: ClassVar[float] = 0.0

    kind: Literal["per_block"] = attribute("Way of liquidating.", "-", "per_block")
    block: Duration = attribute("Time between two blocks.", "s", 1.0, gt=0)
    share: Fraction = attribute(
        "Largest share of a position closed per block.", "1", 0.1, gt=0, le=1
    )
    least: Number = attribute(
        "Notional that may be closed per block even if it is more than that share.",
        "quote",
        1000.0,
        ge=0,
    )
    most_account: Number = attribute(
        "Largest notional of an account closed per block.", "quote", 100_000.0, gt=0
    )
    bankruptcy_adjustment: Number = attribute(
        "Factor on how far an account has gone from its maintenance margin to bankruptcy.",
        "1",
        1.0,
        ge=1,
    )
    spread_to_maintenance: Number = attribute(
        "Farthest fillable price from the mark, in maintenance margins of the position.",
        "1",
        1.5,
        ge=0,
    )
    most_fee: Fraction = attribute(
        "Largest fee, as a share of what the order trades; never more than it gains over the "
        "bankruptcy price.",
        "1",
        0.015,
        ge=0,
        lt=1,
    )
    most_fund_loss: Number = attribute(
        "Largest loss to the bankruptcy price that one order may make at its limit price.",
        "numeraire",
        1_000_000.0,
        gt=0,
    )

    @model_validator(mode="after")
    def _coherent(self) -> PerBlockLiquidation:
        if self.least > self.most_account:
            allowed = f"at most most_account, {self.most_account:g}"
            refuse("per_block", [Finding(("least",), f"{self.least:g}", allowed)])
        return self


Liquidation = Annotated[
    FullLiquidation
    | PartialLiquidation
    | ToTargetLiquidation
    | TierStepsLiquidation
    | PerBlockLiquidation
    | FixedSpreadLiquidation
    | AbsorbLiquidation
    | AuctionLiquidation
    | BandsLiquidation,
    Field(discriminator="kind"),
]
"""Any way of liquidating."""
