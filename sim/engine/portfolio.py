"""Which markets a cohort's accounts at a venue hold, and with what weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.engine.listing import Listing

if TYPE_CHECKING:
    from sim.schema import Scenario
    from sim.schema.traders import Cohort


@dataclass(frozen=True)
class Portfolio:
    """Markets of a cohort's portfolio at one venue.

    Attributes
    ----------
    venue : int
        Index of the venue.
    markets : (J,) int64
        Market indices, ascending; only perpetuals and futures.
    weights : (J,) float64 [1]
        Shares of an account's notional; they sum to 1.
    spare_asset : int
        Collateral asset of an account without positions: the quote of the venue's first market
        (of the scenario's first market where the venue lists none).
    """

    venue: int
    markets: IntArray
    weights: FloatArray
    spare_asset: int


def portfolios(cohort: Cohort, scenario: Scenario, listing: Listing) -> list[Portfolio]:
    """Return the portfolio of a cohort at each of its venues, in the scenario's venue order.

    A key that names a symbol weighs that market; a key that names a base weighs all the
    venue's markets on that base together, in equal parts, save those named by symbol. Without
    a portfolio all markets weigh the same.
    """
    found = []
    for venue, name in enumerate(scenario.venues):
        if name not in cohort.venues:
            continue
        listed = np.flatnonzero(listing.venue == venue)
        markets = listed[listing.carries[listed]]
        weights = _weights(cohort, scenario, markets)
        held = weights > 0.0
        spare = listing.quote[listed[0] if listed.size else 0]
        total = weights.sum() or 1.0
        found.append(Portfolio(venue, markets[held], weights[held] / total, int(spare)))
    return found


def _weights(cohort: Cohort, scenario: Scenario, markets: IntArray) -> FloatArray:
    if cohort.portfolio is None:
        return np.ones(markets.size)
    symbols = [scenario.markets[market].symbol for market in markets]
    bases = [
        None if symbol in cohort.portfolio else scenario.markets[market].base
        for market, symbol in zip(markets, symbols, strict=True)
    ]
    return np.array(
        [
            cohort.portfolio[symbol]
            if base is None
            else cohort.portfolio.get(base, 0.0) / bases.count(base)
            for symbol, base in zip(symbols, bases, strict=True)
        ],
        dtype=np.float64,
    )
