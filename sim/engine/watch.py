"""Which accounts a margin check has to look at.

``full`` looks at every account that holds positions. ``due`` looks only at those that could have
crossed a level since they were last looked at, and finds exactly the same ones: how, is in
`sim.kernels.levels` and `sim.kernels.radius`. Whatever changes an account (a fill, a transfer)
makes it due. A required ratio is only raised on accounts that are looked at every time anyway,
because they are at or below a level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sim.core.arrays import FloatArray, IntArray, union
from sim.engine.collateral import held_unit, money_values
from sim.kernels.levels import empty_levels, hot_accounts, look, must_start_afresh, start_afresh
from sim.kernels.radius import RadiusInputs, account_radius
from sim.kernels.sweep import doubt, holds, nothing_packed, pack, sweep
from sim.models.behaviour import behaviours

if TYPE_CHECKING:
    from sim.engine.world import World

SECONDS_PER_YEAR = 365.0 * 86_400.0

QUIET_UNIT = 1e-4
"""Relative unit of distance for what has no volatility of its own; it only sets a scale."""

FADE, CROWDED, FORGOTTEN = 0.9, 2.5, 0.5
"""The shares of accounts looked at are added up with weights that fade from tick to tick. At the
second value looking at everybody costs less: after three ticks on which all were due, or with a
quarter of them due on every tick. Below the third the crowd has gone."""

LEAST_UNIT = 1e-6
"""Least relative unit, so that the highest list reaches over a sixth of the price."""

SHORTEST_SWEEP, LONGEST_SWEEP = 256, 2048
"""Looks at everybody before it is tried again whether few are due."""

ROOM = 65_536
"""Rows noted as changed between two recorded rows before repeated ones are dropped."""

CLUTTER = 1 / 32
"""Share of packed accounts that have changed from which packing anew costs less."""


class Watch(Protocol):
    """What the phases ask of a watch."""

    looked_at: IntArray
    """(1,) How many accounts were revalued so far."""

    def scan(self) -> tuple[IntArray, IntArray]:
        """Revalue; return the rows that were revalued and those of them that are broken."""

    def suspects(self) -> IntArray:
        """Return the accounts whose equity may have come or gone since this was last asked."""

    def at_a_stop(self, first: int, last: int) -> IntArray:
        """Return the accounts ``first .. last - 1`` of which a position may be at its stop."""


class FullWatch:
    """Looks at every account that holds positions, every time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.looked_at = np.zeros(1, dtype=np.int64)

    def scan(self) -> tuple[IntArray, IntArray]:
        """Revalue; return the rows that were revalued and those of them that are broken."""
        self.world.ledger.take_changed()
        rows = np.flatnonzero(self.world.out.notional > 0.0)
        self.looked_at += len(rows)
        return rows, self.world.revalue(rows)

    def suspects(self) -> IntArray:
        """Return all accounts."""
        return np.arange(self.world.accounts)

    def at_a_stop(self, first: int, last: int) -> IntArray:
        """Return the accounts ``first .. last - 1``."""
        return np.arange(first, last)


class DueWatch:
    """Looks at the accounts that could have crossed a level.

    Where so many are due that keeping them in lists costs more than it saves, it looks at
    everybody for a while, and then tries again.

    Parameters
    ----------
    world : World
    call_level : (A,) float64 or empty
        Margin ratio at which an account is called; empty where nobody makes calls.

    Attributes
    ----------
    levels : Levels
    units : RadiusInputs
    reached : bool
        Whether the last look found an account that holds positions at a level or at a stop.
    sweeps : int
        Looks at everybody that are still to come.
    packed : Packed
        The accounts as sweeps read them; empty while there are none.
    """

    def __init__(self, world: World, call_level: FloatArray) -> None:
        self.world = world
        self.looked_at = np.zeros(1, dtype=np.int64)
        self.reached = True
        self.sweeps = 0
        self._next_sweep = SHORTEST_SWEEP
        self.packed = nothing_packed(world.margin_inputs())
        self._crowd = CROWDED - 1.1  # everybody is due at tick 0; if also at tick 1, sweep
        self._doubts = 0
        self._swept_at = money_values(world)
        self._doubtful: IntArray = np.empty(0, dtype=np.int64)
        self._touched: list[IntArray] = []
        self._put_back: IntArray = np.empty(0, dtype=np.int64)
        self._waiting, self._room = 0, ROOM
        self._call_level = call_level
        stops = np.array([_stop_of(world, k) for k in range(len(world.rosters))])
        self._stop = stops if np.isfinite(stops).any() else np.empty(0)
        assets = list(world.scenario.assets.values())
        step = np.sqrt(world.clock.seconds / SECONDS_PER_YEAR)
        volatility = np.array([asset.volatility * step for asset in assets])
        self._scale = np.where(volatility > 0.0, np.maximum(volatility, LEAST_UNIT), QUIET_UNIT)
        self._moving = volatility > 0.0
        now = self.values()
        self.levels = empty_levels(world.accounts, self._unit(now), now)
        self.units = self._radius_inputs()

    def values(self) -> FloatArray:
        """Return the values (M + N + C,) [numeraire] that accounts depend on.

        Those of the markets, at their marks, of the assets, and of collateral by own books.
        """
        world = self.world
        marked = world.board.mark * world.quote_price
        return np.concatenate([marked, world.asset_price, world.local.own_price])

    def _unit(self, now: FloatArray) -> FloatArray:
        base = self.world.board.base
        own = base[self.world.local.own_market]
        scale = np.concatenate([self._scale[base], self._moving * self._scale, self._scale[own]])
        return np.asarray(now * scale)

    def _radius_inputs(self) -> RadiusInputs:
        world, markets = self.world, len(self.world.board.ids)
        asset_unit, own_unit = np.split(self.levels.unit[markets:], [len(self.world.asset_price)])
        return RadiusInputs(
            market_unit=self.levels.unit[:markets].copy(),
            quote_unit=asset_unit[world.board.quote],
            column_unit=asset_unit[world.columns],
            call_level=self._call_level,
            cohort=world.cohort,
            stop=self._stop,
            held_unit=held_unit(world, asset_unit[world.columns], own_unit),
        )

    def _start_afresh(self, now: FloatArray) -> None:
        """Take new units; every account is due once."""
        markets = len(self.world.board.ids)
        assets = slice(markets, markets + len(self._moving))
        self._moving |= now[assets] != self.levels.base[assets]
        start_afresh(self.levels, self._unit(now), now)
        self.units = self._radius_inputs()

    def take_changed(self) -> IntArray:
        """Return the accounts that changed since the last look, ascending."""
        rows = self.world.ledger.take_changed()
        rows = rows[: np.searchsorted(rows, self.world.accounts)]
        rows, self._put_back = union(rows, self._put_back), self._put_back[:0]
        if len(rows):
            self._touched.append(rows)
            self._waiting += len(rows)
        if self._waiting > self._room:
            self._touched = [union(*self._touched)]
            self._waiting = len(self._touched[0])
            self._room = max(ROOM, 2 * self._waiting)
        return rows

    def unchanged(self) -> bool:
        """Return whether no account has changed since the last look."""
        self._put_back = self.take_changed()
        return not len(self._put_back)

    def scan(self) -> tuple[IntArray, IntArray]:
        """Revalue the due accounts; return them and those of them that are broken."""
        world = self.world
        changed = self.take_changed()
        if self.sweeps:
            rows, broken = self._sweep(changed)
            self.passed(len(rows), 1)
            return rows, broken
        now = self.values()
        if must_start_afresh(self.levels, now):
            self._start_afresh(now)
        inputs = world.margin_inputs()
        rows, broken, self.reached = look(
            self.levels, now, changed, inputs, self.units, world.required, world.out
        )
        self.passed(len(rows), 1)
        return rows, broken

    def passed(self, looked_at: int, ticks: int) -> None:
        """Note that so many accounts were looked at in so many ticks; go on as that advises."""
        world = self.world
        self.looked_at += looked_at
        if self.sweeps:
            self.sweeps = max(self.sweeps - ticks, 0)
            if not self.sweeps:
                self.packed = nothing_packed(world.margin_inputs())
                self._start_afresh(self.values())
                self._crowd = CROWDED - 1.0  # two crowded ticks more, and it goes on
                self.reached = True  # who stands at a stop is known after the next look
            return
        fade = FADE**ticks
        share = looked_at / max(world.accounts, 1) / ticks
        self._crowd = self._crowd * fade + share * (1.0 - fade) / (1.0 - FADE)
        if self._crowd >= CROWDED:
            self._crowd, self.sweeps = 0.0, self._next_sweep
            self._doubtful = hot_accounts(self.levels)  # until the first sweep
            self._next_sweep = min(2 * self._next_sweep, LONGEST_SWEEP)
        elif self._crowd < FORGOTTEN:
            self._next_sweep = SHORTEST_SWEEP

    @property
    def crowded(self) -> bool:
        """Whether so many were due of late that the next tick may call for a sweep."""
        return self._crowd >= 1.0

    def _sweep(self, changed: IntArray) -> tuple[IntArray, IntArray]:
        """Look at everybody who holds positions, at most of them only as far as it takes.

        While collateral or quote assets move, nobody can be packed and all are looked at in full.
        """
        world = self.world
        then, self._swept_at = self._swept_at, money_values(world)
        if (self._swept_at != then).any():
            self.packed = nothing_packed(world.margin_inputs())
            self._doubtful = np.flatnonzero(world.out.notional > 0.0)
            self.reached = True  # nobody asked who stands at a stop
            return self._doubtful, world.revalue(self._doubtful)
        inputs = world.margin_inputs()
        self._doubt_changed(changed)
        if not self.packing_holds():
            self.packed = pack(inputs, self.units, world.required, world.out)
            self._doubts = 0
        rows, broken = sweep(self.packed, inputs, world.required, world.out)
        radius = account_radius(inputs, self.units, rows, world.required, world.out)
        self.reached = bool((~(radius > 0.0) & (world.out.notional[rows] > 0.0)).any())
        self._doubt(broken)
        self._doubtful = rows
        return rows, broken

    def packing_holds(self) -> bool:
        """Return whether there is a packing, good at present prices."""
        return len(self.packed.row) > 0 and holds(self.packed, self.world.margin_inputs())

    def _doubt_changed(self, changed: IntArray) -> None:
        """Have changed accounts looked at in full; drop the packing if it has become useless."""
        world, packed = self.world, self.packed
        world.revalue(changed)
        if not len(packed.row):
            return
        self._doubt(changed)
        unknown = changed[packed.place[changed] < 0]
        if world.out.notional[unknown].any() or self._doubts > CLUTTER * len(packed.row):
            self.packed = nothing_packed(world.margin_inputs())

    def _doubt(self, rows: IntArray) -> None:
        doubt(self.packed, rows)
        self._doubts += len(rows)

    def suspects(self) -> IntArray:
        """Return the accounts whose equity may have come or gone since this was last asked."""
        touched, self._touched, self._waiting = self._touched, [], 0
        close = self._doubtful if self.sweeps else hot_accounts(self.levels)
        return union(close, *touched)

    def at_a_stop(self, first: int, last: int) -> IntArray:
        """Return the accounts ``first .. last - 1`` of which a position may be at its stop."""
        if self.sweeps:
            return np.arange(first, last)
        rows = np.sort(hot_accounts(self.levels))
        return rows[np.searchsorted(rows, first) : np.searchsorted(rows, last)]


def _stop_of(world: World, draft: int) -> float:
    """Return the adverse move at which the traders of a draft close positions, or infinity."""
    traders = world.scenario.traders
    if draft >= len(traders) or not behaviours[traders[draft].behaviour.kind].rests:
        return np.inf
    config: Any = traders[draft].behaviour
    return float(config.trigger)
