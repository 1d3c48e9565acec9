"""Plain vectorised NumPy: equity and maintenance margin of all accounts, on every tick.

As one would write it first: a handful of array expressions over all positions, sums by account
with ``bincount``, and a mask of who is below. Rates are gathered once, since a position never
changes its market; maintenance margin is continuous and its rates rise, so it is the largest of
the lines ``rate N - deduction`` and needs no look-up of the tier.
"""

from __future__ import annotations

import numpy as np

from benchmarks.baselines.market import Market
from benchmarks.baselines.opening import Opening
from sim.core.arrays import IntArray, sums


class PlainNumpy:
    """Accounts as arrays; everything is computed for everybody."""

    def __init__(self, opening: Opening) -> None:
        self.market = Market(opening)
        self.forced: list[tuple[int, IntArray]] = []
        self.accounts, self.owner, self.of = opening.accounts, opening.owner, opening.market
        self.size, self.entry = opening.size.copy(), opening.entry
        self.balance = opening.balance.copy()
        self.fee = opening.fee
        used = np.isfinite(opening.floor).any(axis=0)
        self.rate = [opening.rate[self.of, k] for k in np.flatnonzero(used)]
        self.deduction = [opening.deduction[self.of, k] for k in np.flatnonzero(used)]

    def step(self) -> None:
        """Simulate one tick."""
        self.market.begin_tick()
        while len(broken := self._broken()):
            self.forced.append((self.market.tick - 1, broken))
            self._close(broken)

    def _broken(self) -> IntArray:
        """Return the accounts whose equity is below their maintenance margin."""
        price = self.market.last[self.of]
        profit = self.size * (price - self.entry)
        equity = self.balance + np.bincount(self.owner, profit, self.accounts)
        notional = np.abs(self.size) * price
        needed = self.rate[0] * notional
        for rate, deduction in zip(self.rate[1:], self.deduction[1:], strict=True):
            np.maximum(needed, rate * notional - deduction, out=needed)
        maintenance = np.bincount(self.owner, needed, self.accounts)
        return np.flatnonzero(equity < maintenance)

    def _close(self, broken: IntArray) -> None:
        """Sell what the broken accounts hold, charge the fee; a fund covers what they owe."""
        gone = np.zeros(self.accounts, dtype=bool)
        gone[broken] = True
        mine = np.flatnonzero(gone[self.owner])
        market, size, owner = self.of[mine], self.size[mine], self.owner[mine]
        markets = len(self.market.last)
        net = sums(market, -size, markets)
        average = self.market.execute(net, sums(market, np.abs(size), markets))
        price = average[market]
        profit = np.bincount(owner, size * (price - self.entry[mine]), self.accounts)
        fee = np.bincount(owner, np.abs(size) * price * self.fee[market], self.accounts)
        self.balance[broken] = np.maximum(self.balance + profit - fee, 0.0)[broken]
        self.size[mine] = 0.0
