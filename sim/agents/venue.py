"""A venue: marks its markets by its own rule."""

from __future__ import annotations

from typing import Any

import mesa

from sim.core.arrays import FloatArray, IntArray
from sim.models.mark import MarkRule


class Venue(mesa.Agent):
    """One venue of the scenario.

    Parameters
    ----------
    model : mesa.Model
    name : str
    number : int
        Index in the scenario.
    markets : (N,) int64
        Markets that it lists.
    rule : MarkRule
        How it marks them.
    """

    def __init__(
        self, model: mesa.Model[Any], name: str, number: int, markets: IntArray, rule: MarkRule
    ) -> None:
        super().__init__(model)
        self.name = name
        self.number = number
        self.markets = markets
        self.rule = rule

    def start(self, last: FloatArray, index: FloatArray) -> None:
        """Set the first marks from prices (M,) of all markets."""
        self.rule.start(last[self.markets], index[self.markets])

    def begin_tick(self, seconds: float, tick: int) -> None:
        """Open the tick's sample."""
        self.rule.begin_tick(seconds, tick)

    def refresh(self, last: FloatArray, index: FloatArray, mark: FloatArray) -> None:
        """Write this venue's marks into `mark` (M,)."""
        if len(self.markets):
            mark[self.markets] = self.rule.mark(last[self.markets], index[self.markets])
