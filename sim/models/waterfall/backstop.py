"""Backstop: a liquidator of last resort that takes positions over and sells them later.

An account a of equity V_a and maintenance margin MM_a [numeraire] is below the line where

    V_a < theta MM_a                 theta: trigger ratio [1]

and, unless the backstop takes bankrupt accounts, V_a >= 0. Accounts are looked at by their
deficit theta MM_a - V_a, largest first, then by gross notional. One is taken where the backstop
of equity E and inventory h_m (signed notional by market) [numeraire] then stays within its
limits,

    E > 0,   E + V_a > 0,   sum_m |h_m + v_am| <= min(lambda (E + V_a), H)

with v_am the account's own positions, lambda the most leverage [1] and H the most notional; E and h
then count it. Who does not fit is left out, and the next one is tried.

What it took is sold over n ticks in equal parts: with k ticks left, q / k of a position q, all
of it with the last. A further takeover in a market sets k to n again for the whole position.

Sources: Hyperliquid docs, "Liquidations" (theta = 2/3; the liquidator vault takes all cross
positions and margin; seen 2026). Takeover at the bankruptcy price by appointed liquidity
providers: Kraken Derivatives, position assignment (from memory, 2023).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray


class Limits(NamedTuple):
    """How much a backstop may hold: a multiple of its equity [1], and an amount [numeraire]."""

    most_leverage: float
    most_notional: float


def below_the_line(
    equity: FloatArray, maintenance: FloatArray, trigger_ratio: float, takes_negative: bool
) -> BoolArray:
    """Return which accounts (N,) a backstop takes if it can.

    Parameters
    ----------
    equity, maintenance : (N,) float64 [numeraire]
    trigger_ratio : float [1]
    takes_negative : bool
        Whether it also takes accounts of negative equity.
    """
    below = equity < trigger_ratio * maintenance
    return below if takes_negative else below & (equity >= 0.0)


def takeover_queue(deficit: FloatArray, notional: FloatArray) -> IntArray:
    """Return the order (N,) in which accounts are tried: by deficit, then notional, descending.

    Accounts alike in both keep the order in which they are given.
    """
    return np.lexsort((-notional, -deficit))


def admitted(
    queue: IntArray,
    equity: FloatArray,
    owner: IntArray,
    market: IntArray,
    value: FloatArray,
    inventory: FloatArray,
    capital: float,
    limits: Limits,
) -> BoolArray:
    """Return which accounts (N,) a backstop takes within its limits.

    Parameters
    ----------
    queue : (N,) int64
        Accounts in the order in which they are tried.
    equity : (N,) float64 [numeraire]
        What each brings along.
    owner, market : (S,) int64
        Account of each position, ascending, and its market.
    value : (S,) float64 [numeraire]
        Signed notional of each position.
    inventory : (M,) float64 [numeraire]
        Signed notional that the backstop holds by market.
    capital : float [numeraire]
        Its equity before.
    limits : Limits
    """
    taken = np.zeros(len(equity), dtype=bool)
    held = inventory.tolist()
    gross = float(np.abs(inventory).sum())
    bounds = np.searchsorted(owner, np.arange(len(equity) + 1)).tolist()
    markets, values, brought = market.tolist(), value.tolist(), equity.tolist()
    for a in queue.tolist():
        after, total = dict[int, float](), gross
        for s in range(bounds[a], bounds[a + 1]):
            m = markets[s]
            before = after.get(m, held[m])
            after[m] = before + values[s]
            total += abs(after[m]) - abs(before)
        own = capital + brought[a]
        if capital > 0.0 and own > 0.0 and total <= within(own, limits):
            taken[a] = True
            capital, gross = own, total
            for m, amount in after.items():
                held[m] = amount
    return taken


def within(equity: float, limits: Limits) -> float:
    """Return the largest gross inventory [numeraire] that an equity [numeraire] allows."""
    return min(limits.most_leverage * equity, limits.most_notional)


def unwinding(quantity: FloatArray, left: IntArray) -> FloatArray:
    """Return the orders (N,) [contracts] that sell positions in equal parts over the ticks left.

    Parameters
    ----------
    quantity : (N,) float64 [contracts]
    left : (N,) int64
        Ticks left, this one included; at the last one, or beyond, all is sold.
    """
    return np.where(left <= 1, -quantity, -quantity / np.maximum(left, 1))
