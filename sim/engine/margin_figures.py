"""What margin rules go by that changes during a run, for the recorded table of mechanisms.

Nothing here acts: the figures belong to rules that the phases apply themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sim.engine.mechanism import NEVER, Mechanism, Series

if TYPE_CHECKING:
    from sim.engine.world import World


class MarginFigures(Mechanism):
    """Shows prices of collateral by own books, and initial rates that follow open interest."""

    def quiet_until(self, tick: int) -> int:
        """Return that it never has anything to do."""
        return NEVER

    def series(self) -> list[Series]:
        """Return ``collateral_price`` [numeraire] and ``initial_rate`` [1], of the first tier."""
        world, local = self.world, self.world.local
        found = []
        for c, (v, m) in enumerate(zip(local.own_clearer, local.own_market, strict=True)):
            read: Callable[[], float] = partial(local.own_price.item, c)
            found.append(Series("collateral_price", int(v), int(m), read))
        scales = np.isfinite(world.tables.open_interest[1])
        for v, m in np.argwhere(scales):
            if world.board.venue[m] == v:
                rate = partial(self._initial_rate, int(v), int(m))
                found.append(Series("initial_rate", int(v), int(m), rate))
        return found

    def _initial_rate(self, v: int, m: int) -> float:
        tables = self.world.tables
        rate = tables.initial_rate[v, m, 0]
        share = tables.scaled_share(self.world.open_interest())[v, m]
        return float(rate + max(1.0 - rate, 0.0) * share)


def margin_figures(world: World) -> list[Mechanism]:
    """Return the figures of a world's margin rules, if any of them change during a run."""
    if len(world.local.own_price) or world.tables.by_open_interest:
        return [MarginFigures(world)]
    return []
