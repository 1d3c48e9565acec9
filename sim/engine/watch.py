"""Which accounts a margin check has to look at.

``full`` looks at every account that holds positions. ``due`` looks only at those that could
have crossed a level since they were last looked at, and finds exactly the same ones: each
account keeps the distance from a reference price (the anchor) before which nothing can happen
to it. Distances are measured by ``d(p, p') = max_j |p_j - p'_j| / u_j`` over marks and collateral
values. An account looked at when prices stand at p, with radius r there (`sim.kernels.radius`),
is safe while ``d(p', p) < r``, hence by the triangle inequality while

    d(p', anchor) < r - d(p, anchor).

Whatever changes an account (a fill, a transfer) makes it due at once. A required ratio is only
raised on accounts that are looked at every time anyway, because they are at or below a level.
When the work done since the last new anchor would have paid for one, the anchor moves to the
present prices and everybody is looked at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.kernels.radius import REACH, account_radius

if TYPE_CHECKING:
    from sim.engine.world import World

SECONDS_PER_YEAR = 365.0 * 86_400.0
QUIET_UNIT = 1e-4
"""Relative unit of distance for an asset without volatility; it only sets a scale."""


class FullWatch:
    """Looks at every account that holds positions, every time."""

    def __init__(self, world: World) -> None:
        self.world = world

    def scan(self, holding: IntArray) -> tuple[IntArray, IntArray]:
        """Revalue; return the rows that were revalued and those of them that are broken."""
        return holding, self.world.revalue(holding)


class DueWatch:
    """Looks at the accounts that could have crossed a level.

    Parameters
    ----------
    world : World
    call_level : (A,) float64 or empty
        Margin ratio at which an account is called; empty where nobody makes calls.
    """

    def __init__(self, world: World, call_level: FloatArray) -> None:
        self.world = world
        self.call_level = call_level
        self.threshold = np.full(world.accounts, -np.inf)
        assets = list(world.scenario.assets.values())
        step = np.sqrt(world.clock.seconds / SECONDS_PER_YEAR)
        unit = np.array([asset.volatility * step or QUIET_UNIT for asset in assets])
        self.market_scale = unit[world.board.base]
        self.column_scale = unit[world.columns]
        self._anchor(np.arange(world.accounts))

    def _anchor(self, holding: IntArray) -> None:
        """Measure distances from the present prices; everybody with positions is due once."""
        world = self.world
        self.marks = world.board.mark.copy()
        self.values = world.asset_price[world.columns].copy()
        self.quote_price = world.quote_price.copy()
        self.market_unit = self.marks * self.market_scale
        self.column_unit = self.values * self.column_scale
        self.threshold[:] = np.inf
        self.threshold[holding] = -np.inf
        self.work = -len(holding)

    def _distance(self) -> float:
        world = self.world
        marks = np.abs(world.board.mark - self.marks) / self.market_unit
        values = np.abs(world.asset_price[world.columns] - self.values) / self.column_unit
        return float(max(marks.max(), values.max()))

    def scan(self, holding: IntArray) -> tuple[IntArray, IntArray]:
        """Revalue the due accounts; return them and those of them that are broken."""
        world = self.world
        if (world.quote_price != self.quote_price).any() or 2 * self.work > len(holding):
            self._anchor(holding)
        changed = np.flatnonzero(world.ledger.changed[: world.accounts])
        self.threshold[changed] = -np.inf
        world.ledger.changed[changed] = False
        distance = self._distance()
        rows = np.flatnonzero(self.threshold <= distance)
        broken = world.revalue(rows)
        self.work += len(rows)
        level = world.required[rows]
        if len(self.call_level):
            level = np.maximum(level, self.call_level[rows])
        radius = account_radius(
            world.margin_inputs(), self.market_unit, self.column_unit, rows, level, world.out
        )
        # Beyond REACH times its price a position might meet a steeper tier than was looked at.
        cap = float(((REACH - 1.0) * world.board.mark / self.market_unit).min())
        self.threshold[rows] = np.minimum(radius, cap) - distance
        return rows, broken
