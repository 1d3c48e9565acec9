"""The engine in steps, so that its state in the middle of a day can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.engine.build import build_world
from sim.engine.model import LiquidationModel

if TYPE_CHECKING:
    from sim.core.arrays import FloatArray
    from sim.schema import Scenario

Forced = set[tuple[int, int]]
"""Tick and account row of every account that was sold by force."""


class SteppedDay:
    """A world and its model, standing before `tick`."""

    def __init__(self, scenario: Scenario) -> None:
        self.world = build_world(scenario, scenario.seed)
        self.model = LiquidationModel(self.world)
        self.tick = 0

    def advance(self, tick: int) -> None:
        """Simulate up to, but not including, a tick, in the steps that a run takes.

        Raises
        ------
        ValueError
            No step ends there. One ends after every recorded tick.
        """
        while self.tick < tick:
            self.tick = self.model.advance(self.tick)
        if self.tick != tick:
            raise ValueError(f"the engine went on to tick {self.tick}, beyond {tick}")

    def prices(self) -> FloatArray:
        """Return the last prices (M,) [quote/base]."""
        return self.world.board.last.copy()

    def forced(self) -> Forced:
        """Return who was sold by force so far, and when."""
        table = self.model.recorder.tables()["liquidations"]
        sold = np.flatnonzero(self.world.liquidated).tolist()
        rows = {self.world.account_id(row): row for row in sold}
        return {
            (int(tick), int(rows[account]))
            for tick, account in zip(table["tick"], table["account_id"], strict=True)
        }

    def looked_at(self) -> int | None:
        """Return how many accounts margin checks have looked at, if the engine counts them."""
        for place in (self.world, self.model.liquidations):
            count = getattr(getattr(place, "watch", None), "looked_at", None)
            if count is not None:
                return int(np.sum(count))
        return None
