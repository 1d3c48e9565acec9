"""What traders may take out of an account, and when: the rules and gates of each venue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.engine.initial_margin import initial_margin
from sim.engine.orders import distinct
from sim.models.breaker import spare_equity
from sim.schema.breaker import Withdrawals

if TYPE_CHECKING:
    from sim.engine.world import World

ROUNDING = 1e-12
"""Negative equity below this share of gross notional is rounding."""

NEVER = -1
"""Tick of something that has not happened yet."""


class WithdrawalDesk:
    """Answers what may leave the accounts of each venue (V).

    Parameters
    ----------
    world : World
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.rules = [venue.withdrawals for venue in world.scenario.venues.values()]
        span = world.clock.span
        self._negative = np.array([span(rule.gate_after_negative) for rule in self.rules])
        self._outage = np.array([span(rule.gate_after_outage) for rule in self.rules])
        self._gated = bool(self._negative.any())
        self._free = np.array([rule == Withdrawals() for rule in self.rules])
        self._negative_at = np.full(len(self.rules), NEVER)
        self._down_at = np.full(len(self.rules), NEVER)
        self._looked_until = NEVER

    def note(self, broken: IntArray) -> None:
        """Note which venues have accounts of negative equity among the liquidatable."""
        world = self.world
        if not self._gated or not len(broken):
            return
        owing = world.out.equity[broken] < -ROUNDING * world.out.notional[broken]
        self._negative_at[world.clearer[broken[owing]]] = world.tick

    def open(self, venue: int) -> bool:
        """Return whether anything may leave a venue now."""
        tick = self.world.tick
        lately = self._negative_at[venue] > NEVER and tick - self._negative_at[venue] < int(
            self._negative[venue]
        )
        if lately or not self._outage[venue]:
            return not lately
        while self._looked_until < tick:
            self._looked_until += 1
            self._down_at[self.world.exogenous.outage(self._looked_until)] = self._looked_until
        down = int(self._down_at[venue])
        return down == NEVER or tick - down > int(self._outage[venue])

    def spare(self, rows: IntArray, kept: FloatArray) -> FloatArray:
        """Return what fresh accounts (N,) may give away [numeraire]; `kept` stays in any case."""
        world = self.world
        clearer = world.clearer[rows].astype(np.int64)
        spare = np.maximum(world.out.equity[rows] - kept, 0.0)
        bound = clearer[~self._free[clearer]]
        for v in distinct(bound) if len(bound) else ():
            mine, rule = clearer == v, self.rules[v]
            if not self.open(v):
                spare[mine] = 0.0
                continue
            initial = np.zeros(int(mine.sum()))
            if rule.keep == "initial_margin":
                initial = initial_margin(world, rows[mine])
            spare[mine] = spare_equity(
                world.out.equity[rows[mine]],
                kept[mine],
                initial,
                world.out.notional[rows[mine]],
                rule.keep_share,
            )
        return spare
