"""Mark at the index: a reference price of the asset over several venues.

::

    mark  = index
    mean:   index = sum_v w_v p_v / sum_v w_v            over the available venues v
    median: index = (low + high) / 2
            low  = least p_v with  sum of w over prices <= p_v   >= W / 2
            high = least p_v with  sum of w over prices <= p_v   >  W / 2 ,   W = sum_v w_v

Symbols: ``p_v`` last price of the asset on venue v [quote/base], ``w_v`` weight >= 0 [1]. `low` and
`high` differ only if the weights split exactly in half; the index is then their average, which
for equal weights is the ordinary median. No memory.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np

from sim.core.arrays import BoolArray, FloatArray
from sim.models.mark.base import MARKS, MarkRule

# Weights such as 0.1 + 0.2 and 0.3 count as equal halves.
_TIE = 1e-12


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
    method: Literal["mean", "median"],
    available: BoolArray,
) -> float:
    """Return the index price of one asset.

    Parameters
    ----------
    last : (V,) float64 [quote/base]
        Last price of the asset on each venue, > 0 where available.
    weights : (V,) float64 [1]
        Weights >= 0; their scale does not matter.
    method : {"mean", "median"}
        Weighted mean or weighted median; formulas in the docstring of this module.
    available : (V,) bool
        False for a venue whose price must not count (an outage); its price is not read.

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
    price, weight = last[used], weights[used]
    if method == "mean":
        reference = price[0]
        apart, whole = np.add.accumulate(weight * (price - reference)), np.add.accumulate(weight)
        return float(reference + apart[-1] / whole[-1])
    if method != "median":
        raise ValueError(f"index method must be 'mean' or 'median', found {method!r}")
    order = np.argsort(price, kind="stable")
    price, reached = price[order], np.cumsum(weight[order])
    half = 0.5 * reached[-1]
    low = price[np.searchsorted(reached, half * (1.0 - _TIE), side="left")]
    high = price[np.searchsorted(reached, half * (1.0 + _TIE), side="right")]
    return float(low + 0.5 * (high - low))
