"""Maintenance and initial margin by notional tier.

For a position of notional N [quote] in the tier with floor f, rate r and deduction d

    maintenance_margin(N) = r N - d            f <= N < next floor
    d_1 = 0,  d_k = d_{k-1} + f_k (r_k - r_{k-1})

so that the requirement is continuous in N (Binance, "Leverage and Margin of USDⓈ-M Futures",
where d is called the maintenance amount; seen September 2026). Published deductions are checked
against this when a scenario is read; the tables hold the exact ones. A flat rate is one tier.
The initial margin is ``initial_rate N``, but never at a rate below the tier's maintenance rate;
where that is not given ``N / max_leverage`` of the tier, and without either twice the
maintenance rate. A risk model (`sim.models.margin.risk_model`) gives each market one tier, the
rates of which change during a run (`sim.engine.recalibration`).

An account's maintenance margin is the sum over its positions; positions in one market are
always netted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.models.margin.risk_model import RiskModelRates
from sim.schema.margin import continuous_deductions

if TYPE_CHECKING:
    from sim.schema import Margin, Market, RiskModel, Scenario, Tier


@dataclass(frozen=True)
class MarginTables:
    """Tier tables of every market under the rules of every clearer.

    Attributes
    ----------
    floor : (V, M, T) float64 [quote]
        Lowest notional of each tier; ``inf`` fills the unused ones.
    rate, deduction, initial_rate : (V, M, T) float64 [1], [quote], [1]
        Maintenance rate, maintenance deduction and initial rate of each tier; unused tiers
        repeat the last used one. NaN where the clearer has no rule for the market.
    """

    floor: FloatArray
    rate: FloatArray
    deduction: FloatArray
    initial_rate: FloatArray

    @classmethod
    def from_scenario(cls, scenario: Scenario) -> MarginTables:
        """Build the tables for every pair of clearer and market of a scenario."""
        rows = [
            [_tier_rows(venue.margin, market, scenario) for market in scenario.markets]
            for venue in scenario.venues.values()
        ]
        width = max((len(tiers) for row in rows for tiers in row), default=1) or 1
        shape = (len(rows), len(scenario.markets), width)
        floor = np.full(shape, np.inf)
        values = np.full((3, *shape), np.nan)
        for v, row in enumerate(rows):
            for m, tiers in enumerate(row):
                if not tiers:
                    continue
                floor[v, m, : len(tiers)] = [tier[0] for tier in tiers]
                for k in range(3):
                    values[k, v, m, : len(tiers)] = [tier[k + 1] for tier in tiers]
                    values[k, v, m, len(tiers) :] = tiers[-1][k + 1]
        return cls(floor, values[0], values[1], values[2])

    def tier(self, clearer: IntArray, market: IntArray, notional: FloatArray) -> IntArray:
        """Return the tier index (N,) in which each notional falls."""
        floors = self.floor[clearer, market]
        return np.asarray((floors <= notional[..., None]).sum(axis=-1) - 1, dtype=np.int64)

    def maintenance_margin(
        self, clearer: IntArray, market: IntArray, notional: FloatArray
    ) -> FloatArray:
        """Return maintenance margin [quote] of positions with the given notionals.

        Parameters
        ----------
        clearer, market : (N,) int
            Index of the clearer whose rules apply, and of the market.
        notional : (N,) float64 [quote], >= 0
        """
        tier = self.tier(clearer, market, notional)
        rate = self.rate[clearer, market, tier]
        return np.asarray(notional * rate - self.deduction[clearer, market, tier])

    def initial_margin(
        self, clearer: IntArray, market: IntArray, notional: FloatArray
    ) -> FloatArray:
        """Return initial margin [quote] of positions with the given notionals."""
        tier = self.tier(clearer, market, notional)
        return np.asarray(notional * self.initial_rate[clearer, market, tier])


def _tier_rows(
    margin: Margin | None, market: Market, scenario: Scenario
) -> list[tuple[float, float, float, float]]:
    """Return (floor, rate, deduction, initial rate) per tier; empty where there is no rule."""
    if margin is not None and margin.risk_model is not None:
        return _model_rows(margin.risk_model, market, scenario)
    tiers = None if margin is None else margin.ladder(market.base, market.symbol)
    if margin is None or tiers is None:
        return []
    exact = [tiers[0], *(tier.model_copy(update={"deduction": None}) for tier in tiers[1:])]
    return [
        (tier.floor, tier.rate, deduction, _initial_rate(margin, tier))
        for tier, deduction in zip(tiers, continuous_deductions(exact), strict=True)
    ]


def _model_rows(
    model: RiskModel, market: Market, scenario: Scenario
) -> list[tuple[float, float, float, float]]:
    """Return the one tier of the rates that a risk model starts with."""
    rates = RiskModelRates(model, scenario, [market])
    maintenance = rates.maintenance(rates.start)
    return [(0.0, float(maintenance[0]), 0.0, float(rates.initial(maintenance)[0]))]


def _initial_rate(margin: Margin, tier: Tier) -> float:
    if margin.initial_rate is not None:
        return max(margin.initial_rate, tier.rate)
    return 2.0 * tier.rate if tier.max_leverage is None else 1.0 / tier.max_leverage
