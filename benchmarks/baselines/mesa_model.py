"""The straightforward Mesa model: one agent for each trader, in plain Python.

A trader knows its collateral and its positions, and can say its equity and its maintenance
margin. On every tick, and after every batch of forced orders, each trader checks its margin;
those below it send their orders, which are filled together, and leave the model.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

import mesa
import numpy as np

from benchmarks.baselines.market import Market
from benchmarks.baselines.opening import Opening
from sim.core.arrays import IntArray


class Position(NamedTuple):
    """A position: market, size [base, long above 0] and entry price [quote/base]."""

    market: int
    size: float
    entry: float


class Ladder(NamedTuple):
    """Maintenance tiers of a market."""

    floor: list[float]
    rate: list[float]
    deduction: list[float]

    def maintenance(self, notional: float) -> float:
        """Return the maintenance margin [quote] of a notional [quote]."""
        tier = bisect_right(self.floor, notional) - 1
        return self.rate[tier] * notional - self.deduction[tier]


class Trader(mesa.Agent):
    """A trader with an account: `balance` [quote] and `positions`."""

    def __init__(self, model: MesaDay, row: int, balance: float, positions: list[Position]) -> None:
        super().__init__(model)
        self.row, self.balance, self.positions = row, balance, positions

    def equity(self) -> float:
        """Return balance and unrealised profit [quote]."""
        price: list[float] = self.model.price
        return self.balance + sum(
            position.size * (price[position.market] - position.entry) for position in self.positions
        )

    def maintenance(self) -> float:
        """Return the maintenance margin of all positions [quote]."""
        price: list[float] = self.model.price
        ladders: list[Ladder] = self.model.ladders
        return sum(
            ladders[position.market].maintenance(abs(position.size) * price[position.market])
            for position in self.positions
        )

    def check_margin(self) -> None:
        """Tell the model if equity is below maintenance margin."""
        if self.equity() < self.maintenance():
            self.model.broken.append(self)

    def settle(self, average: list[float], fee: list[float]) -> None:
        """Book the close-out of all positions and its fee; a fund covers what is owed."""
        for market, size, entry in self.positions:
            self.balance += size * (average[market] - entry)
            self.balance -= abs(size) * average[market] * fee[market]
        self.balance = max(self.balance, 0.0)
        self.positions = []


class MesaDay(mesa.Model):
    """Traders and the markets."""

    def __init__(self, opening: Opening) -> None:
        super().__init__(rng=0)
        self.market = Market(opening)
        self.forced: list[tuple[int, IntArray]] = []
        self.ladders = [
            Ladder(*map(np.ndarray.tolist, tiers))
            for tiers in zip(opening.floor, opening.rate, opening.deduction, strict=True)
        ]
        self.fee: list[float] = opening.fee.tolist()
        self.price: list[float] = opening.last.tolist()
        self.broken: list[Trader] = []
        positions = [
            Position(*values)
            for values in zip(
                opening.market.tolist(), opening.size.tolist(), opening.entry.tolist(), strict=True
            )
        ]
        start = opening.start.tolist()
        for row, balance in enumerate(opening.balance.tolist()):
            if start[row] < start[row + 1]:
                Trader(self, row, balance, positions[start[row] : start[row + 1]])

    def step(self) -> None:
        """Simulate one tick."""
        self.market.begin_tick()
        self._check_margins()
        while self.broken:
            rows = np.array([trader.row for trader in self.broken], dtype=np.int64)
            self.forced.append((self.market.tick - 1, rows))
            self._close(self.broken)
            self._check_margins()

    def _check_margins(self) -> None:
        self.price = self.market.last.tolist()
        self.broken = []
        self.agents.do("check_margin")

    def _close(self, traders: list[Trader]) -> None:
        """Sell what the broken traders hold and let them go."""
        net, gross = np.zeros(len(self.price)), np.zeros(len(self.price))
        for trader in traders:
            for market, size, _ in trader.positions:
                net[market] -= size
                gross[market] += abs(size)
        average = self.market.execute(net, gross).tolist()
        for trader in traders:
            trader.settle(average, self.fee)
            trader.remove()
