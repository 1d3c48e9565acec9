"""Credits to balances, with the sums over groups of accounts that follow them.

A credit is booked after the other, in the order given. Beside the sums of a group stand whole
numbers; where one returns to 0 its sum is set to 0, so that no rounding is left of what is gone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, Int32Array, IntArray
from sim.kernels.compiling import compiled


class CellSums(NamedTuple):
    """Sums over cells of accounts; without any rows in `cell` nothing is summed.

    The last cell is for rows that are no account, and nobody reads it.

    Attributes
    ----------
    cell : (R,) int32
        Cell of each row, C for a row that is no account.
    balance, debt : (K, C + 1) float64 [asset units]
    holders, debtors : (K, C + 1) int64
        Accounts with a balance that is not 0, and with one below 0.
    net, gross, cost : (C + 1, M) float64 [contracts], [contracts], [contracts quote/base]
    open : (C + 1, M) int64
        Positions that are not 0.
    long : (M,) float64 [contracts]
        Long side of all positions.
    longs : (M,) int64
        Number of long positions.
    """

    cell: Int32Array
    balance: FloatArray
    debt: FloatArray
    holders: IntArray
    debtors: IntArray
    net: FloatArray
    gross: FloatArray
    cost: FloatArray
    open: IntArray
    long: FloatArray
    longs: IntArray

    @classmethod
    def zero(cls, cell: Int32Array, cells: int, columns: int, markets: int) -> CellSums:
        """Return sums of nothing for rows in `cells` cells."""
        money, contracts = (columns, cells + 1), (cells + 1, markets)
        return cls(
            cell,
            np.zeros(money),
            np.zeros(money),
            np.zeros(money, dtype=np.int64),
            np.zeros(money, dtype=np.int64),
            np.zeros(contracts),
            np.zeros(contracts),
            np.zeros(contracts),
            np.zeros(contracts, dtype=np.int64),
            np.zeros(markets),
            np.zeros(markets, dtype=np.int64),
        )


def credit_one(balance: FloatArray, sums: CellSums, row: int, column: int, amount: float) -> None:
    """Add a signed amount to one balance; cheaper not compiled where it is only one."""
    before = balance[row, column]
    after = before + amount
    balance[row, column] = after
    if sums.cell.shape[0] == 0:
        return
    cell = sums.cell[row]
    if cell == sums.balance.shape[1] - 1:
        return
    sums.balance[column, cell] += amount
    sums.holders[column, cell] += int(after != 0.0) - int(before != 0.0)
    if sums.holders[column, cell] == 0:
        sums.balance[column, cell] = 0.0
    if before < 0.0 or after < 0.0:
        sums.debt[column, cell] += max(-after, 0.0) - max(-before, 0.0)
        sums.debtors[column, cell] += int(after < 0.0) - int(before < 0.0)
        if sums.debtors[column, cell] == 0:
            sums.debt[column, cell] = 0.0


credit_one_compiled = compiled(credit_one)


@compiled
def credit_loop(
    balance: FloatArray, sums: CellSums, rows: IntArray, column: int, amounts: FloatArray
) -> None:
    """Add signed amounts to balances; the compiled twin of `credit_one` for each."""
    for i in range(rows.shape[0]):
        credit_one_compiled(balance, sums, rows[i], column, amounts[i])


def credit(
    balance: FloatArray, sums: CellSums, rows: IntArray, column: int, amounts: FloatArray
) -> None:
    """Add signed amounts to balances, one after the other.

    Parameters
    ----------
    balance : (R, K) float64 [asset units]
    sums : CellSums
    rows : (N,) int64
        A row may occur several times.
    column : int
    amounts : (N,) float64 [asset units]

    Raises
    ------
    IndexError
        There is no such row or column.
    ValueError
        There are more rows than amounts, or fewer.
    """
    if len(rows) != len(amounts):
        raise ValueError(f"{len(rows)} rows and {len(amounts)} amounts")
    if not 0 <= column < balance.shape[1]:
        raise IndexError("no such column")
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(balance):
        raise IndexError("no such row")
    if len(sums.cell):
        credit_loop(balance, sums, rows, column, amounts)
    else:
        np.add.at(balance[:, column], rows, amounts)
