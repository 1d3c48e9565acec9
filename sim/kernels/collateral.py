"""What clearers count a unit of collateral at that they do not value over all venues.

For clearer v, balance asset k with haircut h, one unit that is held counts

    weight = p (1 - h),     p = P x s     the last price P of its own market, quote worth x
                            p = p_0       the value at the start, for ever

and the value of the asset over all venues, p = x_k, wherever nothing else is said. Debts always
count at that. The scale s is 1 but at ring-fenced venues, where it starts from the asset's value.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.kernels.compiling import compiled_part

NO_PRICES = np.empty(0)
"""Own prices of a world in which every asset counts at its value over all venues."""


class LocalPrices(NamedTuple):
    """Pairs of clearer and asset at a price of the clearer's own.

    Attributes
    ----------
    own_clearer, own_column, own_market : (C,) int64
        Clearer, balance column and market that prices it.
    own_price : (C,) float64 [numeraire]
        What one unit was worth there when assets were last valued; kept up to date in place.
    par_clearer, par_column : (P,) int64
    par_price : (P,) float64 [numeraire]
    own_scale : (C,) float64 [1]
        Value of one unit over the value of the own price.
    """

    own_clearer: IntArray
    own_column: IntArray
    own_market: IntArray
    own_price: FloatArray
    par_clearer: IntArray
    par_column: IntArray
    par_price: FloatArray
    own_scale: FloatArray

    @property
    def exist(self) -> bool:
        """Whether there is any such pair."""
        return len(self.own_clearer) + len(self.par_clearer) > 0


def weigh_numpy(local: LocalPrices, keep: FloatArray, weight: FloatArray) -> None:
    """Write the weights (V, K) that go by local prices; the plain reference."""
    v, k = local.own_clearer, local.own_column
    weight[v, k] = local.own_price * keep[v, k]
    v, k = local.par_clearer, local.par_column
    weight[v, k] = local.par_price * keep[v, k]


@compiled_part
def value_own(local: LocalPrices, last: FloatArray, asset: FloatArray, quote: IntArray) -> None:
    """Bring the own prices up to last prices (M,) and values of assets (N,)."""
    for c in range(local.own_price.shape[0]):
        m = local.own_market[c]
        local.own_price[c] = last[m] * asset[quote[m]] * local.own_scale[c]


@compiled_part
def weigh(local: LocalPrices, keep: FloatArray, weight: FloatArray) -> None:
    """Write the weights (V, K) that go by local prices."""
    for c in range(local.own_price.shape[0]):
        v, k = local.own_clearer[c], local.own_column[c]
        weight[v, k] = local.own_price[c] * keep[v, k]
    for c in range(local.par_price.shape[0]):
        v, k = local.par_clearer[c], local.par_column[c]
        weight[v, k] = local.par_price[c] * keep[v, k]
