"""Mark at the index: a reference price of the asset over several venues.

::

    mark  = index
    mean:   index = sum_v w_v p_v / sum_v w_v            over the available venues v
    median: index = (low + high) / 2
            low  = least p_v with  sum of w over prices <= p_v   >= W / 2
            high = least p_v with  sum of w over prices <= p_v   >  W / 2 ,   W = sum_v w_v
    outlier o:  w_v = 0 where  abs(p_v - m) > o m ,   m = ordinary median of the p_v with w_v > 0

Symbols: ``p_v`` last price of the asset on venue v [quote/base], ``w_v`` weight >= 0 [1], ``o``
distance [1]. `low` and `high` differ only if the weights split exactly in half; the index is then
their average, which for equal weights is the ordinary median. Where every price would be an
outlier, as when two venues disagree, none is. No memory.

References
----------
.. [1] Binance FAQ 360033525071, "Price index" (a price too far from the median loses its weight).
.. [2] Hyperliquid documentation, "Robust price indices" (weighted medians of other venues).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Literal, Self, TypeAlias

import numpy as np

from sim.core.arrays import BoolArray, FloatArray
from sim.kernels.price_state import TIE
from sim.models.mark.base import MARKS, MarkRule

IndexMethod: TypeAlias = Literal["mean", "median", "weighted_median"]


@MARKS.register("index")
class IndexMark(MarkRule):
    """The mark is the index price, which the caller computes with `index_price`."""

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """Build the rule; method and weights are the caller's, for `index_price`."""
        return cls()

    def mark(self, last: FloatArray, index: FloatArray) -> FloatArray:
        """Return a copy of the index prices; see `MarkRule.mark`."""
        return index.copy()


def index_price(
    last: FloatArray,
    weights: FloatArray,
    method: IndexMethod,
    available: BoolArray,
    outlier: float = math.inf,
) -> float:
    """Return the index price of one asset.

    Parameters
    ----------
    last : (V,) float64 [quote/base]
        Last price of the asset on each venue, > 0 where available.
    weights : (V,) float64 [1]
        Weights >= 0; their scale does not matter.
    method : {"mean", "median", "weighted_median"}
        Weighted mean or weighted median, by either name; formulas in the docstring of this module.
    available : (V,) bool
        False for a venue whose price must not count (an outage); its price is not read.
    outlier : float [1]
        Distance from the median of the usable prices, as a share of it, beyond which a price
        loses its weight; > 0.

    Returns
    -------
    float
        Index price [quote/base]; exactly the common price where all venues agree.

    Raises
    ------
    ValueError
        If no available venue has a positive weight (the caller keeps the index it had), if a
        weight is negative, or if the method is unknown.
    """
    if np.any(weights < 0.0):
        raise ValueError(f"index weights must be >= 0, found {weights.tolist()}")
    used = available & (weights > 0.0)
    if not used.any():
        raise ValueError("no available venue has a positive index weight")
    price, weight = _without_outliers(last[used], weights[used], outlier)
    if method == "mean":
        reference = price[0]
        apart, whole = np.add.accumulate(weight * (price - reference)), np.add.accumulate(weight)
        return float(reference + apart[-1] / whole[-1])
    if method not in ("median", "weighted_median"):
        raise ValueError(
            f"index method must be 'mean', 'median' or 'weighted_median', found {method!r}"
        )
    order = np.argsort(price, kind="stable")
    price, reached = price[order], np.cumsum(weight[order])
    half = 0.5 * reached[-1]
    low = price[np.searchsorted(reached, half * (1.0 - TIE), side="left")]
    high = price[np.searchsorted(reached, half * (1.0 + TIE), side="right")]
    return float(low + 0.5 * (high - low))


def index_shares(
    price: Sequence[float],
    weights: Sequence[float],
    method: IndexMethod,
    outlier: float = math.inf,
) -> list[float]:
    """Return the share (V,) [1] with which each price enters the index; they sum to 1.

    Lists: for a handful of venues they are several times as fast as arrays.

    Parameters
    ----------
    price : (V,) sequence of float
        Prices of the available venues, > 0.
    weights : (V,) sequence of float [1]
        Weights > 0.
    method : {"mean", "median", "weighted_median"}
    outlier : float [1]
        As for `index_price`, which is the sum of the shares times the prices.
    """
    places: Sequence[int] = range(len(price))
    if outlier != math.inf:
        places = np.flatnonzero(_near_median(np.array(price), outlier)).tolist()
    share = [0.0] * len(price)
    if method == "mean":
        whole = math.fsum(weights[place] for place in places)
        for place in places:
            share[place] = weights[place] / whole
        return share
    places = sorted(places, key=price.__getitem__)
    reached = list(accumulate([weights[place] for place in places]))
    half = 0.5 * reached[-1]
    share[places[bisect_left(reached, half * (1.0 - TIE))]] += 0.5
    share[places[bisect_right(reached, half * (1.0 + TIE))]] += 0.5
    return share


def _without_outliers(
    price: FloatArray, weight: FloatArray, outlier: float
) -> tuple[FloatArray, FloatArray]:
    """Return the prices near their median, and their weights; all where none would be left."""
    if outlier == math.inf:
        return price, weight
    near = _near_median(price, outlier)
    return price[near], weight[near]


def _near_median(price: FloatArray, outlier: float) -> BoolArray:
    """Return which prices (V,) are near their median; all where none would be."""
    ordered, count = np.sort(price), len(price)
    median = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2.0
    near = np.abs(price - median) <= outlier * median * (1.0 + TIE)
    return np.asarray(near if near.any() else ~near)
