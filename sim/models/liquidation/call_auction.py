"""Orders with limit prices that fill together at one price, as far as they can.

Orders (s_i contracts to sell at no less than l_i, b_j to buy at no more than u_j) meet the
impact curve, whose average price A(q) for the net order q does not fall with q. At a price P

    demand(P) = sum of b_j with u_j >= P,    supply(P) = sum of s_i with l_i <= P

fill, those at their own limit in part. The price is the one with ``P = A(demand - supply)``; it
is unique because the right side does not rise with P. Orders with the same limit fill pro rata.
The outcome depends on the set of orders alone; sums are exact (`math.fsum`), so not even its
last bit depends on their order. Where sells and buys have the same limit, as much as possible is
filled. This is a call auction at one price, with the book as one more participant.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from sim.core.arrays import BoolArray, FloatArray

DUST = 1e-12
"""Share of an order, filled or left, that is only rounding."""


def fill_within_limits(
    change: FloatArray, limit: FloatArray, average: Callable[[float], float]
) -> FloatArray:
    """Return what fills of orders in one market.

    Parameters
    ----------
    change : (S,) float64 [contracts]
        Signed orders, buy > 0.
    limit : (S,) float64 [quote/base]
        Worst average price of each: 0 for a sell at any price, infinite for such a buy.
    average : callable
        Average price of a net order [contracts]; must not fall with it.

    Returns
    -------
    (S,) float64 [contracts]
        Filled part of each order, of its sign.
    """
    selling, buying = change < 0.0, change > 0.0
    levels = np.unique(limit[(selling & (limit > 0.0)) | (buying & np.isfinite(limit))])
    level, crossing = _crossing(change, limit, levels, average)
    if level is None:
        return np.where(buying | (limit <= 0.0), change, 0.0)
    if not crossing:
        kept = (selling & (limit <= level)) | (buying & (limit > level))
        return np.where(kept, change, 0.0)
    sold, bought = _marginal_shares(change, limit, level, average)
    share = np.where(limit == level, np.where(selling, sold, bought), 0.0)
    share = np.where(selling & (limit < level), 1.0, share)
    share = np.where(buying & (limit > level), 1.0, share)
    return np.where(share >= 1.0, change, change * share)


def _crossing(
    change: FloatArray, limit: FloatArray, levels: FloatArray, average: Callable[[float], float]
) -> tuple[float | None, bool]:
    """Return the highest level that the price reaches, None if none, and if it is the price."""
    low, high = 0, len(levels)  # levels[:low] are reached, levels[high:] are not
    while low < high:
        middle = (low + high) // 2
        if average(_net(change, limit, levels[middle], most=True)) >= levels[middle]:
            low = middle + 1
        else:
            high = middle
    if low == 0:
        return None, False
    level = float(levels[low - 1])
    return level, average(_net(change, limit, level, most=False)) <= level


def _net(change: FloatArray, limit: FloatArray, price: float, most: bool) -> float:
    """Return the largest or least net order that may fill at a price."""
    buys, sells = change > 0.0, change < 0.0
    if most:
        chosen = (buys & (limit >= price)) | (sells & (limit < price))
    else:
        chosen = (buys & (limit > price)) | (sells & (limit <= price))
    return math.fsum(change[chosen].tolist())


def _marginal_shares(
    change: FloatArray, limit: FloatArray, level: float, average: Callable[[float], float]
) -> tuple[float, float]:
    """Return the shares that fill of sells and of buys at the limit which is the price."""
    at = limit == level
    sell, buy = (math.fsum(np.abs(change[at & s]).tolist()) for s in (change < 0.0, change > 0.0))
    least = _net(change, limit, level, most=False)
    most = _net(change, limit, level, most=True)
    inside = least + sell  # net of the orders that fill whole
    if sell > 0.0:
        net = _bisect(lambda q: average(q) >= level, most, least)
    else:
        net = _bisect(lambda q: average(q) <= level, least, most)
    bought = min(buy, max(sell + net - inside, 0.0))
    sold = min(sell, max(bought - (net - inside), 0.0))
    return _share(sold, sell), _share(bought, buy)


def _bisect(holds: Callable[[float], bool], good: float, wanted: float) -> float:
    """Return the number nearest to `wanted` for which a monotone test holds; it does at `good`."""
    if holds(wanted):
        return wanted
    while True:
        middle = 0.5 * (good + wanted)
        if middle in (good, wanted):
            return good
        if holds(middle):
            good = middle
        else:
            wanted = middle


def _share(part: float, whole: float) -> float:
    if whole <= 0.0 or part <= DUST * whole:
        return 0.0
    return 1.0 if part >= (1.0 - DUST) * whole else part / whole


def limits_with_band(
    limit: FloatArray | None, sells: BoolArray, mark: FloatArray, band: FloatArray
) -> FloatArray:
    """Return limits (S,) that also keep orders within a band around the mark.

    Parameters
    ----------
    limit : (S,) float64 [quote/base] or None
    sells : (S,) bool
    mark : (S,) float64 [quote/base]
    band : (S,) float64 [1]
        Largest relative distance from the mark; infinite where there is no band.
    """
    if limit is None:
        limit = np.where(sells, 0.0, np.inf)
    lowest, highest = np.maximum(mark * (1.0 - band), 0.0), mark * (1.0 + band)
    return np.where(sells, np.maximum(limit, lowest), np.minimum(limit, highest))
