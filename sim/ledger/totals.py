"""Sums over groups of accounts, kept by increments.

Accounts are grouped in cells, such as a cohort at a clearer. With balances b, positions of q
contracts and entry prices e, each cell keeps

    balance = sum b,  debt = sum max(-b, 0)               by asset column
    net = sum q,  gross = sum |q|,  cost = sum q e        by market

so that equity and notional of a cell at any prices cost the same for ten accounts and for a
million. Beside the sums stand whole numbers: open positions, accounts with money and accounts in
debt. Where such a number returns to 0 its sums are set to 0, so that no rounding is left of what
is gone.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.core.arrays import FloatArray, Int32Array, IntArray, add_to, blocks
from sim.kernels.credits import CellSums

if TYPE_CHECKING:
    from sim.ledger.ledger import Ledger


def fresh_sums(ledger: Ledger, cell: Int32Array, cells: int) -> CellSums:
    """Return the sums over the whole ledger, added up anew.

    Parameters
    ----------
    ledger : Ledger
    cell : (R,) int32
        Cell of each row, `cells` for a row that is no account.
    cells : int
        Number of cells C.
    """
    columns, markets = ledger.balance.shape[1], len(ledger.multiplier)
    sums = CellSums.zero(cell, cells, columns, markets)
    for part in blocks(len(cell)):
        mine = cell[part].astype(np.int64)
        for k in range(columns):
            held = ledger.balance[part, k]
            add_to(sums.balance[k], mine, held)
            sums.holders[k] += np.bincount(mine[held != 0.0], minlength=cells + 1)
            owing = held < 0.0
            if owing.any():
                add_to(sums.debt[k], mine[owing], -held[owing])
                sums.debtors[k] += np.bincount(mine[owing], minlength=cells + 1)
    net, gross, cost = (values.reshape(-1) for values in (sums.net, sums.gross, sums.cost))
    held_open = sums.open.reshape(-1)
    for part in blocks(len(ledger.quantity)):
        quantity, market = ledger.quantity[part], ledger.market[part].astype(np.int64)
        place = cell[ledger.position_row[part]].astype(np.int64) * markets + market
        add_to(net, place, quantity)
        add_to(gross, place, np.abs(quantity))
        add_to(cost, place, quantity * ledger.entry_price[part])
        held_open += np.bincount(place[quantity != 0.0], minlength=len(net))
        bought = quantity > 0.0
        add_to(sums.long, market[bought], quantity[bought])
        sums.longs[:] += np.bincount(market[bought], minlength=markets)
    return sums


class Totals:
    """The sums of a ledger, kept up to date by its `transfer` and `fill` (`sim.kernels.fills`).

    Parameters
    ----------
    ledger : Ledger
    cell : (R,) integer
        Cell of each row, -1 for a row that is no account.
    cells : int
        Number of cells C.

    Raises
    ------
    ValueError
        A cell is missing or out of range.
    """

    def __init__(self, ledger: Ledger, cell: NDArray[Any], cells: int) -> None:
        if cell.shape != (len(ledger.balance),):
            raise ValueError(f"there are {len(ledger.balance)} rows, found cells of {cell.shape}")
        if cell.size and not (cell.min() >= -1 and cell.max() < cells):
            raise ValueError(f"cells must be in -1 .. {cells - 1}")
        self.cells = cells
        self.cell = cell.astype(np.int32)
        self.cell[self.cell < 0] = cells
        self.sums = fresh_sums(ledger, self.cell, cells)

    def anew(self, ledger: Ledger) -> Totals:
        """Return totals of the same cells whose sums are taken over the whole ledger now."""
        other = copy(self)
        other.sums = fresh_sums(ledger, self.cell, self.cells)
        return other

    @property
    def balance(self) -> FloatArray:
        """Money held less money owed by cell and column (C, K) [asset units]."""
        return self.sums.balance[:, : self.cells].T

    @property
    def debt(self) -> FloatArray:
        """Money owed by cell and column (C, K) [asset units], >= 0."""
        return self.sums.debt[:, : self.cells].T

    @property
    def holders(self) -> IntArray:
        """Number of accounts with a balance that is not 0 by cell and column (C, K)."""
        return self.sums.holders[:, : self.cells].T

    @property
    def debtors(self) -> IntArray:
        """Number of accounts with a balance below 0 by cell and column (C, K)."""
        return self.sums.debtors[:, : self.cells].T

    @property
    def net(self) -> FloatArray:
        """Signed contracts by cell and market (C, M)."""
        return self.sums.net[: self.cells]

    @property
    def gross(self) -> FloatArray:
        """Contracts of either side by cell and market (C, M)."""
        return self.sums.gross[: self.cells]

    @property
    def cost(self) -> FloatArray:
        """Signed contracts times entry price by cell and market (C, M)."""
        return self.sums.cost[: self.cells]

    @property
    def open(self) -> IntArray:
        """Number of positions that are not 0 by cell and market (C, M)."""
        return self.sums.open[: self.cells]

    @property
    def long(self) -> FloatArray:
        """Long side of all positions by market (M,), those of no account included [contracts]."""
        return self.sums.long

    @property
    def longs(self) -> IntArray:
        """Number of long positions by market (M,), those of no account included."""
        return self.sums.longs
