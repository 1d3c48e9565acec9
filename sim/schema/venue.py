"""A venue: how it margins, marks, liquidates and covers what is lost."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from pydantic import model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.breaker import Breaker, Withdrawals
from sim.schema.funding import Funding
from sim.schema.lending import LENDING_KINDS, BandsLiquidation
from sim.schema.liquidation import FullLiquidation, Liquidation, ToTargetLiquidation
from sim.schema.margin import Margin
from sim.schema.mark import IndexRule, LastMark, Mark
from sim.schema.presets import merge_preset
from sim.schema.units import Fraction, Name, Number, Symbol
from sim.schema.waterfall import Layer, order_findings


class Venue(Model):
    """A place that lists markets, margins accounts and liquidates them."""

    preset: str | None = attribute(
        "Bundled venue whose rules stand wherever this venue states none of its own.", "-", None
    )
    margin: Margin | None = attribute("Margin rules; required without a preset.", "-", None)
    mark: Mark = attribute("Price that margin uses.", "-", factory=LastMark)
    index: IndexRule | None = attribute(
        "Index that its marks and its funding refer to. Left out: that of its mark, or a mean.",
        "-",
        None,
    )
    funding: Funding | None = attribute(
        "Payments between longs and shorts of its perpetuals. Left out: none.", "-", None
    )
    liquidation: Liquidation = attribute(
        "What happens to a broken account.", "-", factory=FullLiquidation
    )
    waterfall: list[Layer] = attribute(
        "Layers that cover a shortfall, in order.", "-", factory=list
    )
    collateral: dict[Name, Fraction] = attribute(
        "Haircut of each asset at this venue, instead of the asset's own.", "1", factory=dict
    )
    collateral_price: dict[Name, Literal["index", "own", "par"]] = attribute(
        "Price at which held collateral counts: its value over all venues (index), the last price "
        "of this venue's own spot market (own), or its value at the start for ever (par).",
        "-",
        factory=dict,
    )
    breakers: list[Breaker] = attribute(
        "What halts markets or holds their prices in a band.", "-", factory=list
    )
    withdrawals: Withdrawals = attribute(
        "What traders may take out of their accounts.", "-", factory=Withdrawals
    )
    open_interest_caps: dict[Symbol, Number] = attribute(
        "Notional of one side of each market, by symbol or base, beyond which voluntary orders "
        "may not raise it.",
        "quote",
        factory=dict,
    )

    @model_validator(mode="before")
    @classmethod
    def _merge(cls, data: Any) -> Any:
        return merge_preset(data)

    @model_validator(mode="after")
    def _coherent(self) -> Venue:
        findings = []
        if self.margin is None:
            findings.append(Finding(("margin",), "nothing", "margin rules, or a preset"))
        for asset, haircut in self.collateral.items():
            if not 0 <= haircut < 1:
                findings.append(
                    Finding(("collateral", asset), f"{haircut:g}", _haircut_allowed(haircut))
                )
        findings += _target_findings(self)
        findings += _absorbing_findings(self)
        findings += _bands_findings(self)
        findings += [
            Finding(("open_interest_caps", key), f"{cap:g}", "a notional of 0 or more")
            for key, cap in self.open_interest_caps.items()
            if cap < 0
        ]
        findings += order_findings(self.waterfall)
        refuse("venue", findings)
        return self

    def bundled(self) -> Venue:
        """Return the venue as its preset states it; without a preset the venue itself."""
        return self if self.preset is None else _bundled(self.preset)


@cache
def _bundled(preset: str) -> Venue:
    return Venue(preset=preset)


def _haircut_allowed(haircut: float) -> str:
    allowed = "a fraction from 0 to below 1"
    return f"{allowed}; collateral cannot count for more than its value" if haircut < 0 else allowed


def _target_findings(venue: Venue) -> list[Finding]:
    """Return a target below the ratio at which liquidation begins."""
    rule, margin = venue.liquidation, venue.margin
    if margin is None or not isinstance(rule, ToTargetLiquidation):
        return []
    if rule.target_ratio >= margin.liquidation_ratio:
        return []
    allowed = f"at least the margin's liquidation_ratio, {margin.liquidation_ratio:g}"
    return [Finding(("liquidation", "target_ratio"), f"{rule.target_ratio:g}", allowed)]


def _absorbing_findings(venue: Venue) -> list[Finding]:
    """Return a backstop beside a protocol that sells the collateral of loans itself."""
    kind, kinds = venue.liquidation.kind, [layer.kind for layer in venue.waterfall]
    if kind not in LENDING_KINDS or "backstop" not in kinds:
        return []
    does = "takes accounts over" if kind == "absorb" else "sells the collateral of loans"
    allowed = f"no backstop beside liquidation of kind {kind}, which {does} itself"
    return [Finding(("waterfall", kinds.index("backstop")), "a backstop", allowed)]


def _bands_findings(venue: Venue) -> list[Finding]:
    """Return thresholds at which loans would be sold by force before their bands are reached.

    At the highest edge of its bands a loan has the largest loan-to-value that it ever has there.
    """
    rule, margin = venue.liquidation, venue.margin
    if not isinstance(rule, BandsLiquidation) or margin is None:
        return []
    least = rule.largest_loan()
    allowed = f"above {least:.4g}, what a loan may be at the highest edge of its bands"
    path = ("margin", "loans")
    return [
        Finding((*path, key, "liquidation_threshold"), f"{loan.liquidation_threshold:g}", allowed)
        for key, loan in (margin.loans or {}).items()
        if loan.liquidation_threshold <= least
    ]
