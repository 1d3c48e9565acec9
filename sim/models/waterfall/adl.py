"""Auto-deleveraging: winners are closed against the bankrupt, at the bankruptcy price.

Winners are accounts on the other side of the market with unrealised profit, ranked by

    score = profit ratio x leverage
          = (unrealised profit / entry notional) x (gross notional / equity)

highest first (the ranking BitMEX and Binance publish as "profit and leverage"; BitMEX,
"Auto-Deleveraging", Binance FAQ 360033525471, seen 2026). Both queues are walked together:
the bankrupt with the largest shortfall meets the winner with the highest score, and each
piece trades at the bankrupt's bankruptcy price.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, IntArray


class Match(NamedTuple):
    """Pieces of two queues walked together: indices into each, and quantities [contracts]."""

    loser: IntArray
    winner: IntArray
    quantity: FloatArray


def profit_leverage_score(
    unrealised_profit: FloatArray,
    entry_notional: FloatArray,
    gross_notional: FloatArray,
    equity: FloatArray,
) -> FloatArray:
    """Return the ADL score (N,) [1]; ``-inf`` for a position without profit.

    Parameters
    ----------
    unrealised_profit, entry_notional : (N,) float64
        Of the position, in the same money.
    gross_notional, equity : (N,) float64
        Of its account, in the same money.
    """
    winner = (unrealised_profit > 0.0) & (equity > 0.0) & (entry_notional > 0.0)
    ratio = unrealised_profit / np.where(winner, entry_notional, 1.0)
    leverage = gross_notional / np.where(winner, equity, 1.0)
    return np.where(winner, ratio * leverage, -np.inf)


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
