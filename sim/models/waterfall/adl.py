"""Auto-deleveraging: positions opposite to the bankrupt ones are closed against them.

In a queue (`sim.models.waterfall.scores` ranks it) the bankrupt with the largest shortfall meets
the winner with the highest score, and so on. With H the amount wanted and the winners' sizes or
endowments w in queue order,

    queue             x_i = min(w_i, H - sum_{j < i} x_j)
    pro_rata          x_i = w_i min(1, H / sum w)
    capped_pro_rata   x_i = w_i min(cap, H / sum w)
    equal_haircut     x_i = min(w_i, t u_i), u the profit: the same share of profit from everybody

Sizes are contracts here; the same functions share out a budget over profits (the ADL paper,
pluriholonomic/autodeleveraging-analysis aae0be8, `main_corrected.tex`, whose worked example the
tests hold).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.models.waterfall.socialise import water_fill

SHARING = ("pro_rata", "capped_pro_rata", "equal_haircut")
"""Orders that have no queue of winners."""


class Match(NamedTuple):
    """Pieces of two queues walked together: indices into each, and quantities [contracts]."""

    loser: IntArray
    winner: IntArray
    quantity: FloatArray


def match_queues(losers: FloatArray, winners: FloatArray) -> Match:
    """Pair two queues of sizes, first with first.

    Parameters
    ----------
    losers, winners : (N,), (W,) float64 [contracts], > 0
        Sizes in queue order.

    Returns
    -------
    Match
        Pieces in order; their total is the smaller of the two totals. The pieces of a fully
        matched member add up to its size exactly, except for rounding of one addition.
    """
    ends_l, ends_w = np.cumsum(losers), np.cumsum(winners)
    if not len(ends_l) or not len(ends_w):
        empty = np.empty(0, dtype=np.int64)
        return Match(empty, empty, np.empty(0))
    total = min(ends_l[-1], ends_w[-1])
    cuts = np.unique(np.concatenate([ends_l, ends_w]))
    cuts = cuts[cuts <= total]
    starts = np.concatenate([[0.0], cuts[:-1]])
    loser = np.searchsorted(ends_l, starts, side="right")
    winner = np.searchsorted(ends_w, starts, side="right")
    return Match(loser, winner, cuts - starts)


def take_in_order(wanted: float, held: FloatArray) -> FloatArray:
    """Return what each of a queue (N,) gives until `wanted` is reached; `held` is in its order."""
    before = np.concatenate([[0.0], np.cumsum(held)])[:-1]
    return np.asarray(np.clip(wanted - before, 0.0, held))


def take_shares(
    order: str, wanted: float, held: FloatArray, profit: FloatArray, cap: float | None = None
) -> FloatArray:
    """Return what each winner (N,) gives where all of them share.

    Parameters
    ----------
    order : str
        ``pro_rata``, ``capped_pro_rata`` or ``equal_haircut``.
    wanted : float
        In the unit of `held`.
    held : (N,) float64, >= 0
        Sizes or endowments; nobody gives more.
    profit : (N,) float64, >= 0
        What an equal haircut is in proportion to.
    cap : float, optional
        Largest share of `held` that is taken.
    """
    most = held if cap is None else held * cap
    return water_fill(wanted, profit if order == "equal_haircut" else held, most)
