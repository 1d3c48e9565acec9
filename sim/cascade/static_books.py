"""One batch of forced orders at the books of a state, with what couplings pass on at once.

Orders are netted per market and walk along its impact curve; the share `phi` of a market's own move
is felt on its cross-impact partners; then an arbitrageur with a `kappa` closes that share of the
gaps that the batch opened. Books do not recover meanwhile, and arbitrage with a time constant
does not act. No price falls below the floor of the engine.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from sim.cascade.static_prices import StaticPrices
from sim.core.arrays import FloatArray
from sim.models.coupling import Quote, arbitrage_flows, transmitted_moves
from sim.models.impact import ImpactModel, build_impact

if TYPE_CHECKING:
    from sim.schema import Scenario

_CANCELLED = 1e-12
_SMALL = 1e-5  # [1] move of the order that stands for an infinitesimal one


class _Coupling(NamedTuple):
    """Coupled markets: `phi` of cross impact, or `kappa` of arbitrage; 0 is none."""

    members: list[int]
    phi: float
    kappa: float


class StaticBooks:
    """Books of a state.

    Parameters
    ----------
    markets : pandas.DataFrame
        Table of that name of a state.
    scenario : Scenario
    prices : StaticPrices
    """

    def __init__(self, markets: pd.DataFrame, scenario: Scenario, prices: StaticPrices) -> None:
        self.prices = prices
        self.liquidity: list[float] = markets["liquidity"].astype(float).tolist()
        initial = [scenario.market_price(market) for market in scenario.markets]
        self._floor = [scenario.engine.price_floor * price for price in initial]
        self.impact: list[ImpactModel] = [
            build_impact(
                market.impact,
                initial_price=price,
                daily_volatility=scenario.daily_volatility(market.base),
                multiplier=market.multiplier,
            )
            for market, price in zip(scenario.markets, initial, strict=True)
        ]
        self._couplings = [
            part for whole in _couplings(scenario) for part in _within_fences(whole, prices)
        ]

    def batch(
        self,
        last: FloatArray,
        anchor: FloatArray,
        worth: FloatArray,
        net: FloatArray,
        gross: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Fill a batch of netted orders.

        Parameters
        ----------
        last, anchor : (M,) float64 [quote/base]
        worth : (M,) float64 [numeraire/quote]
        net, gross : (M,) float64 [contracts]
            Signed sum of the orders, and the sum of their sizes.

        Returns
        -------
        after, average : (M,) float64 [quote/base]
            Last prices after it, and the one price at which all orders of a market fill.
        """
        after, average = last.copy(), last.copy()
        moves = [0.0] * len(last)
        for m in np.flatnonzero(np.abs(net) > _CANCELLED * gross).tolist():
            if self.prices.tradable[m]:
                after[m], average[m] = self._walk(m, last.item(m), anchor.item(m), net.item(m))
                moves[m] = after.item(m) - last.item(m)
        for members, phi, _ in self._couplings:
            if phi:
                self._transmit(members, phi, moves, worth, after)
        for members, _, kappa in self._couplings:
            if kappa:
                self._arbitrage(members, kappa, last, anchor, worth, after)
        return after, average

    def response(
        self, last: FloatArray, anchor: FloatArray, worth: FloatArray, order: FloatArray
    ) -> FloatArray:
        """Return by what share of its price a contract bought in market n moves market m (M, M).

        The mean over `order` (M,) [contracts], signed, the order that is asked about: a concave law
        has no slope at its anchor, and next to it a slope that no order of that size meets. Of an
        infinitesimal order where that is 0, and 0 where the curve has no slope either.
        """
        size = len(last)
        found = np.zeros((size, size))
        for n in np.flatnonzero(self.prices.tradable).tolist():
            traded = order.item(n) or self._infinitesimal(n, last.item(n), anchor.item(n))
            if traded == 0.0:
                continue
            net = np.zeros(size)
            net[n] = traded
            after, _ = self.batch(last, anchor, worth, net, np.abs(net))
            found[:, n] = (after / last - 1.0) / traded
        return found

    def _infinitesimal(self, n: int, last: float, anchor: float) -> float:
        """Return a very small order [contracts] in market n, 0 where its curve has no slope."""
        slope = self.impact[n].slope(last, anchor, self.liquidity[n])
        return _SMALL * last / slope if 0.0 < slope < math.inf else 0.0

    def _walk(self, m: int, last: float, anchor: float, net: float) -> tuple[float, float]:
        fill = self.impact[m].execute(last, anchor, net, self.liquidity[m], self._floor[m])
        return fill.price_after, fill.average_price

    def _transmit(
        self, members: list[int], phi: float, moves: list[float], worth: FloatArray,
        after: FloatArray,
    ) -> None:  # fmt: skip
        open_now = [m for m in members if self.prices.live[m] or self.prices.tradable[m]]
        impact = [moves[m] for m in open_now]
        if not any(impact):
            return
        passed = np.sum(transmitted_moves(impact, worth[open_now].tolist(), phi), axis=0)
        for m, move in zip(open_now, passed.tolist(), strict=True):
            after[m] = max(after.item(m) + move, min(self._floor[m], after.item(m)))

    def _arbitrage(
        self, members: list[int], kappa: float, last: FloatArray, anchor: FloatArray,
        worth: FloatArray, after: FloatArray,
    ) -> None:  # fmt: skip
        members = [m for m in members if self.prices.tradable[m]]
        quotes = [
            Quote(
                (after.item(m) - last.item(m)) * worth.item(m), self.impact[m], after.item(m),
                anchor.item(m), self.liquidity[m], worth.item(m), self.prices.multiplier.item(m),
            )
            for m in members
        ]  # fmt: skip
        trades = arbitrage_flows(quotes, kappa)
        if trades is not None:
            for m, contracts in zip(members, trades.contracts, strict=True):
                if contracts != 0.0:
                    after[m] = self._walk(m, after.item(m), anchor.item(m), contracts)[0]


def _within_fences(coupling: _Coupling, prices: StaticPrices) -> list[_Coupling]:
    """Return a coupling cut at the fences between its markets."""
    parts: dict[int, list[int]] = {}
    for m in coupling.members:
        parts.setdefault(int(prices.fence[m]), []).append(m)
    return [coupling._replace(members=part) for part in parts.values()]


def _couplings(scenario: Scenario) -> list[_Coupling]:
    found = []
    for coupling in scenario.coupling:
        if coupling.kind == "none":
            continue
        venues = coupling.venues or list(scenario.venues)
        members = [
            m
            for m, market in enumerate(scenario.markets)
            if market.base == coupling.asset and market.venue in venues
        ]
        if coupling.kind == "cross_impact":
            found.append(_Coupling(members, coupling.phi, 0.0))
        else:
            found.append(_Coupling(members, 0.0, coupling.kappa or 0.0))
    return found
