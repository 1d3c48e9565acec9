"""Three plain programs that simulate the day of the benchmarks, to compare the engine with.

They differ in one thing only: how they find the accounts below their maintenance margin. Each
looks at every account on every tick and after every batch of forced orders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from benchmarks.baselines.full_scan import FullScan
from benchmarks.baselines.market import Market
from benchmarks.baselines.mesa_model import MesaDay
from benchmarks.baselines.opening import Opening
from benchmarks.baselines.plain_numpy import PlainNumpy
from sim.core.arrays import IntArray


class Baseline(Protocol):
    """A plain program, standing before some tick of the day."""

    market: Market
    """The markets; ``market.tick`` is the next tick."""

    forced: list[tuple[int, IntArray]]
    """Tick and accounts of every batch of forced orders, in order."""

    def step(self) -> None:
        """Simulate one tick."""


BASELINES: dict[str, Callable[[Opening], Baseline]] = {
    "mesa": MesaDay,
    "numpy": PlainNumpy,
    "full_scan": FullScan,
}
"""Plain programs by name."""

__all__ = ["BASELINES", "Baseline", "FullScan", "Market", "MesaDay", "Opening", "PlainNumpy"]
