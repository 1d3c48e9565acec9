"""The best plain program: a compiled scan over all accounts on every tick, on one thread.

No work is wasted. Opening prices are folded into one number of cash for each account, so equity
is ``cash + sum size * price``. Tiers are looked up only for accounts whose equity is below the
highest rate that they can meet, times notional: `ceiling`, which holds while no price is above
twice the one at which it was taken. Closed accounts are moved out of the arrays. Indices are
unsigned, which spares the test for negative ones and halves the time. All sums are in float64.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.baselines.market import Market
from benchmarks.baselines.opening import Opening
from sim.core.arrays import FloatArray, IntArray, sums

Starts = NDArray[np.uint32]
Markets = NDArray[np.uint16]

REACH = 2.0
"""Multiple of a price up to which `ceiling` holds."""

CLUTTER = 1 / 32
"""Share of closed accounts at which the arrays are packed again."""


def _find_broken(
    start: Starts,
    market: Markets,
    size: FloatArray,
    cash: FloatArray,
    ceiling: FloatArray,
    price: FloatArray,
    floor: FloatArray,
    rate: FloatArray,
    deduction: FloatArray,
    broken: IntArray,
) -> int:
    count = 0
    tiers = floor.shape[1]
    for a in range(cash.shape[0]):
        equity = cash[a]
        notional = 0.0
        for j in range(start[a], start[a + 1]):
            value = size[j] * price[market[j]]
            equity += value
            notional += abs(value)
        if equity >= ceiling[a] * notional:
            continue
        needed = 0.0
        for j in range(start[a], start[a + 1]):
            m = market[j]
            nominal = abs(size[j]) * price[m]
            t = 0
            while t + 1 < tiers and floor[m, t + 1] <= nominal:
                t += 1
            needed += rate[m, t] * nominal - deduction[m, t]
        if equity < needed:
            broken[count] = a
            count += 1
    return count


find_broken = njit(cache=True)(_find_broken)


class FullScan:
    """Accounts as packed arrays, scanned by `find_broken`."""

    def __init__(self, opening: Opening) -> None:
        self.market = Market(opening)
        self.forced: list[tuple[int, IntArray]] = []
        self.opening = opening
        self.balance = opening.balance.copy()
        self.alive = np.diff(opening.start) > 0
        self._pack()

    def _pack(self) -> None:
        """Lay out the accounts that hold positions, and their positions, without gaps."""
        opening = self.opening
        self.rows = np.flatnonzero(self.alive)
        self.closed = 0
        kept = self.alive[opening.owner]
        of, size = opening.market[kept], opening.size[kept]
        counts = np.diff(opening.start)[self.rows]
        self.start = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)
        self.of, self.size = of.astype(np.uint16), size.copy()
        cost = np.bincount(opening.owner[kept], size * opening.entry[kept], opening.accounts)
        self.cash = (self.balance - cost)[self.rows]
        self.broken = np.empty(len(self.rows), dtype=np.int64)
        self._raise_ceiling()

    def _raise_ceiling(self) -> None:
        """Take the highest maintenance rate that each account can meet below `self.valid`."""
        self.valid = REACH * self.market.last
        nominal = np.abs(self.size) * self.valid[self.of]
        tier = (self.opening.floor[self.of] <= nominal[:, None]).sum(axis=1) - 1
        steep = self.opening.rate[self.of, tier]
        self.ceiling = np.maximum.reduceat(steep, self.start[:-1]) if len(steep) else steep

    def step(self) -> None:
        """Simulate one tick."""
        self.market.begin_tick()
        while len(broken := self._scan()):
            self.forced.append((self.market.tick - 1, self.rows[broken]))
            self._close(broken)

    def _scan(self) -> IntArray:
        if (self.market.last > self.valid).any():
            self._raise_ceiling()
        opening = self.opening
        count = find_broken(
            self.start, self.of, self.size, self.cash, self.ceiling, self.market.last,
            opening.floor, opening.rate, opening.deduction, self.broken,
        )  # fmt: skip
        return self.broken[:count].copy()

    def _close(self, broken: IntArray) -> None:
        """Sell what the broken accounts hold, charge the fee; a fund covers what they owe."""
        start = self.start.astype(np.int64)
        counts = start[broken + 1] - start[broken]
        ends = np.cumsum(counts)
        owner = np.repeat(np.arange(len(broken)), counts)
        mine = np.arange(ends[-1]) + np.repeat(start[broken] - ends + counts, counts)
        of, size = self.of[mine], self.size[mine]
        markets = len(self.market.last)
        net = sums(of, -size, markets)
        average = self.market.execute(net, sums(of, np.abs(size), markets))
        value = size * average[of]
        fee = np.bincount(owner, np.abs(value) * self.opening.fee[of])
        left = self.cash[broken] + np.bincount(owner, value) - fee
        rows = self.rows[broken]
        self.balance[rows] = np.maximum(left, 0.0)
        self.alive[rows] = False
        self.size[mine] = 0.0
        self.cash[broken] = 0.0
        self.closed += len(broken)
        if self.closed > CLUTTER * len(self.rows):
            self._pack()
