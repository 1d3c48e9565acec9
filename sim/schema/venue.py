"""A venue: how it margins, marks, liquidates and covers what is lost."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.breaker import Breaker, Withdrawals
from sim.schema.liquidation import FullLiquidation, Liquidation
from sim.schema.margin import Margin
from sim.schema.mark import LastMark, Mark
from sim.schema.presets import merge_preset
from sim.schema.units import Fraction, Name, Number, Symbol
from sim.schema.waterfall import Layer


class Venue(Model):
    """A place that lists markets, margins accounts and liquidates them."""

    preset: str | None = attribute(
        "Bundled venue whose rules stand wherever this venue states none of its own.", "-", None
    )
    margin: Margin | None = attribute("Margin rules; required without a preset.", "-", None)
    mark: Mark = attribute("Price that margin uses.", "-", factory=LastMark)
    liquidation: Liquidation = attribute(
        "What happens to a broken account.", "-", factory=FullLiquidation
    )
    waterfall: list[Layer] = attribute(
        "Layers that cover a shortfall, in order.", "-", factory=list
    )
    collateral: dict[Name, Fraction] = attribute(
        "Haircut of each asset at this venue, instead of the asset's own.", "1", factory=dict
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
                    Finding(("collateral", asset), f"{haircut:g}", "a fraction from 0 to below 1")
                )
        findings += [
            Finding(("open_interest_caps", key), f"{cap:g}", "a notional of 0 or more")
            for key, cap in self.open_interest_caps.items()
            if cap < 0
        ]
        findings += order_findings(self.waterfall)
        refuse("venue", findings)
        return self


ORDER = ("insurance_fund", "adl", "socialise")
"""Order in which layers of a waterfall may stand."""


def order_findings(waterfall: list[Layer]) -> list[Finding]:
    """Return layers that are repeated or out of order."""
    findings = []
    for number, layer in enumerate(waterfall[1:], start=1):
        kind, before = layer.kind, waterfall[number - 1].kind
        path = ("waterfall", number, "kind")
        if kind in [other.kind for other in waterfall[:number]]:
            findings.append(Finding(path, f"a second '{kind}'", "each kind of layer once"))
        elif ORDER.index(kind) < ORDER.index(before):
            findings.append(
                Finding(path, f"'{kind}' after '{before}'", "the order " + ", ".join(ORDER))
            )
    return findings
