"""Equity, gross notional and the living of each cohort at each clearer.

A cell is the accounts of one cohort (or book, or hand-written trader) that one venue clears. With
the totals of a cell (`sim.ledger.totals`), asset prices p, what the clearer counts a held unit at
w (after its haircut), marks P, multipliers c and quote assets worth x,

    equity   = sum_k ((balance_k + debt_k) w_k - debt_k p_k)
               + sum_m c_m x_m (P_m net_m - cost_m)
    notional = sum_m c_m x_m P_m gross_m

which are the sums over its accounts of what `sim.kernels.margin` gives, at a cost that does not
depend on how many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray, blocks, sums, union

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.ledger.totals import Totals

ROUNDING = 1e-9
"""Equity below this share of notional is rounding."""


class Cells:
    """The cells of a world; makes its ledger keep their totals.

    Parameters
    ----------
    world : World
        With all its money and positions.

    Attributes
    ----------
    cohort, clearer : (C,) int64
        Numbers of each cell's cohort and venue, the cohorts one after the other.
    present : (P,) int64
        Cells that have accounts.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._venues = len(world.venue_names)
        number = np.arange(len(world.rosters) * self._venues)
        self.cohort, self.clearer = number // self._venues, number % self._venues
        cell = np.full(world.plan.total, -1, dtype=np.int32)
        mine = cell[: world.accounts]
        mine[:] = world.cohort
        mine *= self._venues
        mine += world.clearer[: world.accounts]
        accounts = np.zeros(len(number), dtype=np.int64)
        for part in blocks(len(mine)):
            accounts += np.bincount(mine[part], minlength=len(number))
        self.present = np.flatnonzero(accounts)
        world.ledger.track(cell, len(number))
        self._alive = np.zeros(world.accounts, dtype=bool)
        self._count = np.zeros(len(number), dtype=np.int64)
        self._unsure: IntArray | None = None

    @property
    def totals(self) -> Totals:
        """The totals of the cells."""
        totals = self.world.ledger.totals
        assert totals is not None
        return totals

    def equity(self) -> FloatArray:
        """Return the equity of each cell (C,) [numeraire] at the present marks."""
        world, totals = self.world, self.totals
        price = world.asset_price[world.columns]
        held = (totals.balance + totals.debt) * world.weight[self.clearer] - totals.debt * price
        gain = (world.board.mark * totals.net - totals.cost) * self._worth()
        return np.asarray(held.sum(axis=1) + gain.sum(axis=1))

    def notional(self) -> FloatArray:
        """Return the gross notional of each cell (C,) [numeraire] at the present marks."""
        nominal = self.totals.gross * (self.world.board.mark * self._worth())
        return np.asarray(nominal.sum(axis=1))

    def open_interest(self) -> FloatArray:
        """Return the long side of all positions on each venue (V,) [numeraire] at the marks."""
        board = self.world.board
        return sums(board.venue, self.totals.long * board.mark * self._worth(), self._venues)

    def by_clearer(self, values: FloatArray) -> FloatArray:
        """Return values of the cells (C,) added up for each venue (V,)."""
        return np.asarray(values.reshape(-1, self._venues).sum(axis=0))

    def _worth(self) -> FloatArray:
        """Return what a price of 1 makes a contract worth (M,) [numeraire/(quote/base)]."""
        return np.asarray(self.world.board.multiplier * self.world.quote_price)

    def alive(self) -> IntArray:
        """Return the number of accounts alive in each cell (C,).

        Alive is who was not closed out by force and has equity at the present marks, beyond
        rounding. Only those are looked at of whom that may have changed since the last call:
        the world's suspects, and who could come or go without the watch noticing.
        """
        world = self.world
        rows = world.suspects()
        if self._unsure is None:
            rows = np.arange(world.accounts)
        elif len(rows) < world.accounts and len(self._unsure):
            rows = union(rows, self._unsure)
        unsure = [np.empty(0, dtype=np.int64)]
        unsure += [self._look(rows[part]) for part in blocks(len(rows))]
        self._unsure = np.concatenate(unsure)
        return self._count

    def _look(self, rows: IntArray) -> IntArray:
        """Look at accounts; return those that must be looked at again next time, come what may."""
        world = self.world
        world.revalue(rows)
        notional, standing = world.out.notional[rows], ~world.closed[rows]
        alive = standing & (world.out.equity[rows] > ROUNDING * notional)
        turned = np.flatnonzero(alive != self._alive[rows])
        if len(turned):
            cell = self.totals.cell[rows[turned]].astype(np.int64)
            np.add.at(self._count, cell, np.where(alive[turned], 1, -1))
            self._alive[rows] = alive
        # Nobody watches an account without positions. Prices can turn the sign of its equity
        # only where it owes one asset and holds another.
        mixed = (world.ledger.balance[rows] < 0.0).any(axis=1)
        again: IntArray = rows[standing & np.where(notional > 0.0, ~alive, mixed)]
        return again
