"""The loss of an account, split over the contracts that lost it.

    part_im = loss_i * lost_im / sum_m lost_im,    lost_im = max(0, -result_im)

`result_im` is what account i realised in contract m. Where nothing was lost in any contract (the
debt is one of collateral or fees) the parts are equal. A fund of a contract pays its part only,
as venues with a fund per contract do it (Bybit's pools of 19 December 2025).
"""

from __future__ import annotations

import numpy as np

from sim.core.arrays import FloatArray, IntArray, sums


def loss_shares(owner: IntArray, result: FloatArray, accounts: int) -> FloatArray:
    """Return the share (S,) [1] of each position in its account's loss.

    Parameters
    ----------
    owner : (S,) int64
        Account of each position, in ``0 .. accounts - 1``.
    result : (S,) float64 [numeraire]
        What was realised in it.
    accounts : int
    """
    lost = np.maximum(-result, 0.0)
    none = (sums(owner, lost, accounts) <= 0.0)[owner]
    lost = np.where(none, 1.0, lost)
    return np.asarray(lost / sums(owner, lost, accounts)[owner])
