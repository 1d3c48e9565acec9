"""Fills of positions, with the sums over groups of accounts that follow them.

A fill of d contracts at price f on a position of q contracts with entry price e (multiplier c)

    realises      r = sign(q) min(|d|, |q|) c (f - e)   where d is against q, else 0,
    and leaves    q + d   at   f  where it turned round,  e  where it was reduced,
                  (q e + d f) / (q + d)  where it grew.

What is realised moves between the clearing row of the market and the owner: first all gains, then
all losses. Both twins book in this order, each sum one term after the other, so that they agree
to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, Int16Array, Int32Array, IntArray
from sim.kernels.compiling import HAS_NUMBA, compiled
from sim.kernels.credits import CellSums, credit_one, credit_one_compiled


class LedgerArrays(NamedTuple):
    """What fills change, and what they need to know.

    Attributes
    ----------
    balance : (R, K) float64 [asset units]
    quantity, entry_price : (P,) float64 [contracts], [quote/base]
    volume, turnover : (M,) float64 [contracts], [quote]
        What was traded so far.
    market : (P,) int16
    position_row : (P,) int32
    multiplier : (M,) float64
    quote_column : (M,) int64
    """

    balance: FloatArray
    quantity: FloatArray
    entry_price: FloatArray
    volume: FloatArray
    turnover: FloatArray
    market: Int16Array
    position_row: Int32Array
    multiplier: FloatArray
    quote_column: IntArray


@compiled
def _follow(sums: CellSums, row: int, m: int, held: float, after: float, cost: float) -> None:
    """Follow the change of one position."""
    cell = sums.cell[row]
    sums.net[cell, m] += after - held
    sums.gross[cell, m] += abs(after) - abs(held)
    sums.cost[cell, m] += cost
    sums.open[cell, m] += int(after != 0.0) - int(held != 0.0)
    sums.long[m] += max(after, 0.0) - max(held, 0.0)
    sums.longs[m] += int(after > 0.0) - int(held > 0.0)


@compiled
def _forget_empty(sums: CellSums, row: int, m: int) -> None:
    """Set sums to 0 of which nothing is left."""
    cell = sums.cell[row]
    if sums.open[cell, m] == 0:
        sums.net[cell, m] = sums.gross[cell, m] = sums.cost[cell, m] = 0.0
    if sums.longs[m] == 0:
        sums.long[m] = 0.0


@compiled
def fill_loop(
    ledger: LedgerArrays,
    sums: CellSums,
    first_clearing: int,
    positions: IntArray,
    change: FloatArray,
    price: FloatArray,
    realised: FloatArray,
    moved: FloatArray,
) -> bool:
    """Book fills; the compiled twin of `fill_numpy`."""
    tracked, sound, paying = sums.cell.shape[0] > 0, True, False
    for i in range(positions.shape[0]):
        slot = positions[i]
        m = ledger.market[slot]
        held, entry = ledger.quantity[slot], ledger.entry_price[slot]
        size, had = abs(change[i]), abs(held)
        realised[i], new_entry = 0.0, 0.0
        after, cost = held + change[i], held * entry
        if held * change[i] < 0.0:
            side = 1.0 if held > 0.0 else -1.0
            realised[i] = side * min(size, had) * (price[i] - entry) * ledger.multiplier[m]
            sound &= np.isfinite(realised[i])
            paying |= realised[i] != 0.0
            if after != 0.0:
                new_entry = price[i] if size > had else entry
        elif after != 0.0:
            new_entry = (cost + change[i] * price[i]) / after
        ledger.quantity[slot], ledger.entry_price[slot] = after, new_entry
        ledger.volume[m] += size
        ledger.turnover[m] += size * price[i] * ledger.multiplier[m]
        if tracked:
            _follow(sums, ledger.position_row[slot], m, held, after, after * new_entry - cost)
    if tracked:
        for slot in positions:
            _forget_empty(sums, ledger.position_row[slot], ledger.market[slot])
    if not sound or not paying:
        return sound
    for gains in (True, False):
        for i in range(positions.shape[0]):
            if realised[i] == 0.0 or (realised[i] > 0.0) != gains:
                continue
            m = ledger.market[positions[i]]
            column = ledger.quote_column[m]
            owner = ledger.position_row[positions[i]]
            credit_one_compiled(ledger.balance, sums, first_clearing + m, column, -realised[i])
            credit_one_compiled(ledger.balance, sums, owner, column, realised[i])
            moved[column] += abs(realised[i])
    return True


def fill_numpy(
    ledger: LedgerArrays,
    sums: CellSums,
    first_clearing: int,
    positions: IntArray,
    change: FloatArray,
    price: FloatArray,
    realised: FloatArray,
    moved: FloatArray,
) -> bool:
    """Book fills; the plain reference of `fill`."""
    held, entry = ledger.quantity[positions], ledger.entry_price[positions]
    market = ledger.market[positions].astype(np.int64)
    rows = ledger.position_row[positions].astype(np.int64)
    multiplier = ledger.multiplier[market]
    size, had = np.abs(change), np.abs(held)
    opposite = held * change < 0.0
    profit = np.sign(held) * np.minimum(size, had) * (price - entry) * multiplier
    realised[:] = np.where(opposite, profit, 0.0)
    after, cost = held + change, held * entry
    with np.errstate(divide="ignore", invalid="ignore"):
        average = (cost + change * price) / after
    new_entry = np.where(opposite, np.where(size > had, price, entry), average)
    new_entry[after == 0.0] = 0.0
    ledger.quantity[positions], ledger.entry_price[positions] = after, new_entry
    np.add.at(ledger.volume, market, size)
    np.add.at(ledger.turnover, market, size * price * multiplier)
    if len(sums.cell):
        _follow_numpy(sums, rows, market, held, after, after * new_entry - cost)
    if not np.isfinite(realised).all():
        return False
    for part in (realised > 0.0, realised < 0.0):
        for i in np.flatnonzero(part).tolist():
            column = int(ledger.quote_column[market[i]])
            clearing, amount = first_clearing + int(market[i]), float(realised[i])
            credit_one(ledger.balance, sums, clearing, column, -amount)
            credit_one(ledger.balance, sums, int(rows[i]), column, amount)
            moved[column] += abs(amount)
    return True


def _follow_numpy(
    sums: CellSums,
    rows: IntArray,
    market: IntArray,
    held: FloatArray,
    after: FloatArray,
    cost: FloatArray,
) -> None:
    place = sums.cell[rows].astype(np.int64), market
    np.add.at(sums.net, place, after - held)
    np.add.at(sums.gross, place, np.abs(after) - np.abs(held))
    np.add.at(sums.cost, place, cost)
    np.add.at(sums.open, place, (after != 0.0).astype(np.int64) - (held != 0.0))
    empty: BoolArray = sums.open[place] == 0
    gone = place[0][empty], place[1][empty]
    sums.net[gone] = sums.gross[gone] = sums.cost[gone] = 0.0
    np.add.at(sums.long, market, np.maximum(after, 0.0) - np.maximum(held, 0.0))
    np.add.at(sums.longs, market, (after > 0.0).astype(np.int64) - (held > 0.0))
    sums.long[market[sums.longs[market] == 0]] = 0.0


def fill(
    ledger: LedgerArrays,
    sums: CellSums,
    first_clearing: int,
    positions: IntArray,
    change: FloatArray,
    price: FloatArray,
    realised: FloatArray,
    moved: FloatArray,
) -> bool:
    """Book fills and pay what they realise.

    Parameters
    ----------
    ledger : LedgerArrays
    sums : CellSums
    first_clearing : int
        Row that pays and receives the realised profit of market 0.
    positions : (N,) int64
        Slots, each at most once.
    change, price : (N,) float64 [contracts], [quote/base]
        Signed change of each position, and at what price.
    realised : (N,) float64 [quote]
        Set to the realised profit of each fill.
    moved : (K,) float64 [asset units]
        What moved is added to it by column, all taken as positive.

    Returns
    -------
    bool
        False where a realised profit is not finite; nothing is paid then.

    Notes
    -----
    Formulas in the module's docstring.
    """
    book = fill_loop if HAS_NUMBA else fill_numpy
    return book(ledger, sums, first_clearing, positions, change, price, realised, moved)
