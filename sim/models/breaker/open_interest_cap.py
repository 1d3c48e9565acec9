"""Caps on open interest: which orders may not raise it.

::

    side of a market is full where  after > before  and  after c p > K

Symbols: ``before`` and ``after``, contracts that traders hold on that side (long or short) before
and after all orders of the moment [contracts], ``c`` multiplier [base/contract], ``p`` last price
[quote/base], ``K`` cap [quote]. On a full side every order that adds to it is refused, so that the
order of orders cannot matter; one that reduces a position never is. A position that was there
before, or grew because the price did, stays.
"""

from __future__ import annotations

import numpy as np

from sim.core.arrays import BoolArray, FloatArray


def refused_sides(
    before: FloatArray, after: FloatArray, unit: FloatArray, cap: FloatArray
) -> BoolArray:
    """Return which markets (M,) let nobody add to a side.

    Parameters
    ----------
    before, after : (M,) float64 [contracts]
        Held on that side by all traders, each position >= 0.
    unit : (M,) float64 [quote/contract]
        Value of a contract.
    cap : (M,) float64 [quote]
        Infinite where there is none.
    """
    return np.asarray((after > before) & (after * unit > cap))
