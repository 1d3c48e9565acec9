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
rates of which change during a run (`sim.engine.recalibration`). A clearer that liquidates below
a ratio l > 1 of equity to maintenance margin (Binance portfolio margin: uniMMR 1.05;
developers.binance.com, seen September 2026) asks at least l times the maintenance rate at opening.

Where margin depends on the size B = |q| c [base] of the position, maintenance and initial margin M
become

    max(M, 0.8 M + k sqrt(B) N) + a B N

with a = size_rate [1/base] (Deribit, BTC: initial 2 % + 0.005 % B, maintenance 1 % + 0.005 % B;
support.deribit.com 25944826427293, 2022) and k = size_root [1/sqrt(base)] (Drift's size premium;
drift-labs/protocol-v2, programs/drift/src/math/margin.rs, seen September 2026).

Where the initial rate i scales with the open interest O of the market [quote, one side], it is

    i + (1 - i) clip((O - lower) / (upper - lower), 0, 1)          for i < 1

(dYdX v4, open-interest margin fraction; dydxprotocol/v4-chain, seen September 2026). Maintenance
margin does not scale.

An account's maintenance margin is the sum over its positions; positions in one market are
always netted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.kernels.size import sized_numpy
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
    size_rate, size_root : (V, M) float64 [1/base], [1/sqrt(base)]
        Terms that depend on the size of a position, 0 where there are none.
    open_interest : (2, V, M) float64 [quote]
        Open interest, one side, from which the initial rate rises and at which it is 1; ``inf``
        where it does not.
    liquidation_ratio : (V,) float64 [1]
        Equity over maintenance margin below which an account is liquidated.
    """

    floor: FloatArray
    rate: FloatArray
    deduction: FloatArray
    initial_rate: FloatArray
    size_rate: FloatArray
    size_root: FloatArray
    open_interest: FloatArray
    liquidation_ratio: FloatArray

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
        ratios = [v.margin.liquidation_ratio if v.margin else 1.0 for v in scenario.venues.values()]
        size_rate, size_root = _size_terms(scenario)
        return cls(
            floor=floor,
            rate=values[0],
            deduction=values[1],
            initial_rate=values[2],
            size_rate=size_rate,
            size_root=size_root,
            open_interest=_scaling(scenario),
            liquidation_ratio=np.array(ratios, dtype=np.float64),
        )

    @property
    def by_size(self) -> bool:
        """Whether any margin depends on the size of a position."""
        return bool(self.size_rate.any() or self.size_root.any())

    @property
    def by_open_interest(self) -> bool:
        """Whether any initial margin depends on open interest."""
        return bool(np.isfinite(self.open_interest).any())

    def tier(self, clearer: IntArray, market: IntArray, notional: FloatArray) -> IntArray:
        """Return the tier index (N,) in which each notional falls."""
        floors = self.floor[clearer, market]
        return np.asarray((floors <= notional[..., None]).sum(axis=-1) - 1, dtype=np.int64)

    def maintenance_margin(
        self, clearer: IntArray, market: IntArray, notional: FloatArray, size: FloatArray
    ) -> FloatArray:
        """Return maintenance margin [quote] of positions.

        Parameters
        ----------
        clearer, market : (N,) int
            Index of the clearer whose rules apply, and of the market.
        notional : (N,) float64 [quote], >= 0
        size : (N,) float64 [base], >= 0
        """
        tier = self.tier(clearer, market, notional)
        rate = self.rate[clearer, market, tier]
        margin = np.asarray(notional * rate - self.deduction[clearer, market, tier])
        return self.sized(clearer, market, margin, notional, size)

    def initial_margin(
        self,
        clearer: IntArray,
        market: IntArray,
        notional: FloatArray,
        size: FloatArray,
        open_interest: FloatArray | None = None,
    ) -> FloatArray:
        """Return initial margin [quote] of positions.

        Parameters
        ----------
        clearer, market, notional, size
            As for `maintenance_margin`.
        open_interest : (M,) float64 [quote], optional
            One side of the open interest of each market; without it no rate scales with it.
        """
        rate = self.initial_rate[clearer, market, self.tier(clearer, market, notional)]
        if open_interest is not None:
            share = self.scaled_share(open_interest)[clearer, market]
            rate = rate + np.maximum(1.0 - rate, 0.0) * share
        return self.sized(clearer, market, notional * rate, notional, size)

    def scaled_share(self, open_interest: FloatArray) -> FloatArray:
        """Return how far (V, M) [1] initial rates have risen towards 1 at an open interest (M,)."""
        lower, upper = self.open_interest
        scales = np.isfinite(upper)
        width = np.where(scales, upper, 1.0) - np.where(scales, lower, 0.0)
        share = (open_interest - np.where(scales, lower, 0.0)) / width
        return np.where(scales, np.clip(share, 0.0, 1.0), 0.0)

    def sized(
        self,
        clearer: IntArray,
        market: IntArray,
        margin: FloatArray,
        notional: FloatArray,
        size: FloatArray,
    ) -> FloatArray:
        """Return margin (N,) with what the sizes of the positions add to it."""
        if not self.by_size:
            return margin
        place = clearer, market
        return sized_numpy(margin, notional, size, self.size_rate[place], self.size_root[place])


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
    least = margin.liquidation_ratio * tier.rate
    if margin.initial_rate is not None:
        return max(margin.initial_rate, least)
    rate = 2.0 * tier.rate if tier.max_leverage is None else 1.0 / tier.max_leverage
    return max(rate, least) if margin.liquidation_ratio > 1.0 else rate


def _size_terms(scenario: Scenario) -> FloatArray:
    """Return size_rate and size_root (2, V, M) of every pair of clearer and market."""
    terms = [
        [
            (0.0, 0.0) if venue.margin is None else venue.margin.size_terms(m.base, m.symbol)
            for m in scenario.markets
        ]
        for venue in scenario.venues.values()
    ]
    shape = len(terms), len(scenario.markets), 2
    return np.ascontiguousarray(np.moveaxis(np.reshape(terms, shape), 2, 0), dtype=np.float64)


def _scaling(scenario: Scenario) -> FloatArray:
    """Return the open interest (2, V, M) [quote] between which initial rates rise."""
    found = np.full((2, len(scenario.venues), len(scenario.markets)), np.inf)
    for v, venue in enumerate(scenario.venues.values()):
        for m, market in enumerate(scenario.markets):
            rule = venue.margin and venue.margin.scaling(market.base, market.symbol)
            if rule:
                found[:, v, m] = rule.lower, rule.upper
    return found
