"""Insurance fund: the first buffer of a perpetual venue.

    paid_i = min(shortfall_i, fund - sum of paid before i)

Losses are presented largest first (ties by account order), so that the outcome does not
depend on the order in which accounts happen to be stored.
"""

from __future__ import annotations

import numpy as np

from sim.core.arrays import FloatArray, IntArray


def largest_first(loss: FloatArray) -> IntArray:
    """Return the order of losses from the largest to the smallest, ties in given order."""
    return np.argsort(-loss, kind="stable")


def cover_in_order(loss: FloatArray, fund: float) -> FloatArray:
    """Return what a fund pays towards each loss.

    Parameters
    ----------
    loss : (N,) float64 [quote], >= 0
        In the order in which they are presented.
    fund : float [quote]
        What the fund holds; nothing is paid from an overdrawn fund.

    Returns
    -------
    (N,) float64 [quote]
        Payments; their sum never exceeds the fund.
    """
    available = max(fund, 0.0)
    if not len(loss):
        return loss.copy()
    total = np.cumsum(loss)
    if max(total[-1], loss.sum()) <= available:
        return loss.copy()
    paid = np.clip(available - np.concatenate([[0.0], total[:-1]]), 0.0, loss)
    excess = paid.sum() - available
    if excess > 0.0:
        last = int(np.flatnonzero(paid > 0.0)[-1])
        paid[last] = max(0.0, paid[last] - excess)
    return np.asarray(paid)
