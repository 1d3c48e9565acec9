"""All shocks of a scenario together, ready to be asked tick by tick.

With a(t) the summed log-returns of the shocks that act everywhere and b(t, v) of those
restricted to venue v, a market m of base i and quote j on venue v moves by

    r_m(t) = a_i(t) + b_i(t, v) - a_j(t) - b_j(t, v)            [1]

since its price is one of i over one of j. The depth factor of a market is the product over
depth shocks, and a venue is down while any outage lasts.

Only ticks at which something happens are stored, one column per shocked asset.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict, TypeVar

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray
from sim.core.clock import TickClock
from sim.core.streams import Streams
from sim.models.shock import depth, gbm, jump, jump_diffusion, outage, path, ramp
from sim.models.shock.base import (
    SHOCKS,
    DepthEffect,
    Effect,
    OutageEffect,
    ReturnEffect,
    ShockContext,
)

if TYPE_CHECKING:
    from sim.schema import Scenario

VARIANTS = (depth, gbm, jump, jump_diffusion, outage, path, ramp)
"""Modules whose import fills the registry."""

_Key = tuple[int | None, int]
_Array = TypeVar("_Array", FloatArray, BoolArray)


class ShockMark(TypedDict):
    """A shock as figures show it: from `time` to `end` [s], an instant where `end` is None.

    `label` is the user's own where `label_given`, else made from what the shock does.
    """

    time: float
    end: float | None
    kind: str
    label: str
    label_given: bool


class Exogenous:
    """What happens from outside, tick by tick.

    Parameters
    ----------
    scenario : Scenario
        Assets, venues and markets; arrays are in its order.
    clock : TickClock
        Ticks of the run; a tick outside it raises IndexError.
    effects : sequence of Effect
        What the shocks do.
    marks : sequence of ShockMark
        The shocks as figures show them.

    Notes
    -----
    Arrays that are returned are shared and write-protected.
    """

    def __init__(
        self,
        scenario: Scenario,
        clock: TickClock,
        effects: Sequence[Effect],
        marks: Sequence[ShockMark] = (),
    ) -> None:
        self._marks = list(marks)
        returns = [effect for effect in effects if isinstance(effect, ReturnEffect)]
        depths = [effect for effect in effects if isinstance(effect, DepthEffect)]
        outages = [effect for effect in effects if isinstance(effect, OutageEffect)]

        columns, moved, self._factors = _tabulate_returns(returns, clock.ticks)
        self._set_columns(scenario, columns)
        self._no_asset_returns = _frozen(np.zeros(len(scenario.assets)))
        self._no_returns = _frozen(np.zeros(len(scenario.markets)))

        thinned, self._levels = _tabulate_levels(
            np.array([d.factors for d in depths]).reshape(len(depths), clock.ticks), 1.0
        )
        self._deep = np.array([d.markets for d in depths]).reshape(
            len(depths), len(scenario.markets)
        )
        self._liquidity_row = 0
        self._liquidity = _frozen(np.ones(len(scenario.markets)))

        switched, downs = _tabulate_levels(
            _outage_ticks(outages, len(scenario.venues), clock.ticks), 0.0
        )
        self._downs = _frozen(downs.astype(np.bool_))

        self._moved = np.where(moved, np.cumsum(moved) - 1, -1)
        self._return_row = _lookup(self._moved)
        self._depth_row = _lookup(np.cumsum(thinned))
        self._outage_row = _lookup(np.cumsum(switched))
        empties = np.zeros(clock.ticks, dtype=np.bool_)
        empties[thinned] = (self._levels[1:] == 0.0).any(axis=1)
        empties[thinned] |= (self._levels[:-1] == 0.0).any(axis=1)
        self._next_break = _lookup(_next_true(empties | switched))

    def log_returns(self, tick: int) -> FloatArray:
        """Return the exogenous log-return (M,) [1] of each market at a tick; up is positive."""
        row = self._return_row[_checked(tick)]
        if row < 0:
            return self._no_returns
        values = self._factors[row]
        result: FloatArray = values.take(self._base_columns)
        if self._base_venue_columns is not None:
            result += values.take(self._base_venue_columns)
        if self._quote_columns is not None:
            result -= values.take(self._quote_columns)
        if self._quote_venue_columns is not None:
            result -= values.take(self._quote_venue_columns)
        return _frozen(result)

    def asset_log_returns(self, tick: int) -> FloatArray:
        """Return the log-return (K,) [1] of each asset at a tick from shocks of every venue."""
        row = self._return_row[_checked(tick)]
        if row < 0:
            return self._no_asset_returns
        return _frozen(self._factors[row].take(self._asset_columns))

    def liquidity(self, tick: int) -> FloatArray:
        """Return the factor (M,) [1] on the depth of each market at a tick; 1 is untouched."""
        row = self._depth_row[_checked(tick)]
        if row != self._liquidity_row:
            factors = np.where(self._deep, self._levels[row][:, None], 1.0)
            self._liquidity = _frozen(factors.prod(axis=0))
            self._liquidity_row = row
        return self._liquidity

    def outage(self, tick: int) -> BoolArray:
        """Return which venues (V,) are down at a tick."""
        down: BoolArray = self._downs[self._outage_row[_checked(tick)]]
        return down

    def steady_until(self, tick: int) -> int:
        """Return the first tick, at or after the given one, that differs from the one before.

        A difference is an outage that starts or ends, or a book that empties or fills again;
        before tick 0 nothing is touched. The number of ticks of the run is returned where
        there is none any more.
        """
        return self._next_break[_checked(tick)]

    def log_return_rows(self, first: int, stop: int) -> FloatArray:
        """Return `log_returns` (T, M) [1] of the ticks ``first .. stop - 1``."""
        values = self._rows(first, stop)
        result: FloatArray = values.take(self._base_columns, axis=1)
        if self._base_venue_columns is not None:
            result += values.take(self._base_venue_columns, axis=1)
        if self._quote_columns is not None:
            result -= values.take(self._quote_columns, axis=1)
        if self._quote_venue_columns is not None:
            result -= values.take(self._quote_venue_columns, axis=1)
        return result

    def asset_log_return_rows(self, first: int, stop: int) -> FloatArray:
        """Return `asset_log_returns` (T, K) [1] of the ticks ``first .. stop - 1``."""
        return self._rows(first, stop).take(self._asset_columns, axis=1)

    def _rows(self, first: int, stop: int) -> FloatArray:
        """Return the factors (T, C + 1) of ticks; zero where nothing moves."""
        number = self._moved[first:stop]
        values = np.zeros((len(number), self._factors.shape[1]))
        values[number >= 0] = self._factors[number[number >= 0]]
        return values

    def marks(self) -> list[ShockMark]:
        """Return the shocks that begin within the run, in order of time."""
        return [mark.copy() for mark in self._marks]

    def _set_columns(self, scenario: Scenario, columns: dict[_Key, int]) -> None:
        """Find the column of each market's terms; the last column is zero, None all zero."""
        assets = {name: i for i, name in enumerate(scenario.assets)}
        venues = {name: v for v, name in enumerate(scenario.venues)}
        keys = [(venues[m.venue], assets[m.base], assets[m.quote]) for m in scenario.markets]
        zero = len(columns)

        def gather(wanted: Sequence[_Key]) -> IntArray:
            return np.array([columns.get(key, zero) for key in wanted], dtype=np.int64)

        def gather_some(wanted: Sequence[_Key]) -> IntArray | None:
            found = gather(wanted)
            return found if (found != zero).any() else None

        self._asset_columns = gather([(None, i) for i in range(len(assets))])
        self._base_columns = gather([(None, base) for _, base, _ in keys])
        self._base_venue_columns = gather_some([(venue, base) for venue, base, _ in keys])
        self._quote_columns = gather_some([(None, quote) for _, _, quote in keys])
        self._quote_venue_columns = gather_some([(venue, quote) for venue, _, quote in keys])


def build_exogenous(scenario: Scenario, clock: TickClock, streams: Streams) -> Exogenous:
    """Build all shocks of a scenario.

    Parameters
    ----------
    scenario : Scenario
        The scenario; shocks are built in its order.
    clock : TickClock
        Ticks of the run.
    streams : Streams
        Random streams; a shock draws from ``shock.<index>.<kind>`` alone.

    Raises
    ------
    ScenarioError
        If correlations contradict each other or the file of a path cannot be read.
    """
    effects: list[Effect] = []
    marks: list[ShockMark] = []
    for index, shock in enumerate(scenario.shocks):
        context = ShockContext(scenario, clock, streams, index, shock.kind)
        effect = SHOCKS[shock.kind](shock, context)
        effects.append(effect)
        if clock.tick_at(shock.at) <= context.last:
            marks.append(
                {
                    "time": shock.at,
                    "end": effect.end,
                    "kind": shock.kind,
                    "label": shock.label or effect.label,
                    "label_given": shock.label is not None,
                }
            )
    return Exogenous(scenario, clock, effects, sorted(marks, key=lambda mark: mark["time"]))


def _tabulate_returns(
    effects: Sequence[ReturnEffect], ticks: int
) -> tuple[dict[_Key, int], BoolArray, FloatArray]:
    """Return column of (venue, asset), whether a tick moves (T,), and the rows (R, C + 1)."""
    columns: dict[_Key, int] = {}
    moved = np.zeros(ticks, dtype=np.bool_)
    for effect in effects:
        for asset in effect.assets:
            columns.setdefault((effect.venue, asset), len(columns))
        moved[effect.first : effect.first + len(effect.values)] |= effect.values.any(axis=1)
    rows = np.cumsum(moved) - 1
    factors = np.zeros((int(moved.sum()), len(columns) + 1))
    for effect in effects:
        during = slice(effect.first, effect.first + len(effect.values))
        here = moved[during]
        for k, asset in enumerate(effect.assets):
            column = columns[effect.venue, asset]
            factors[rows[during][here], column] += effect.values[here, k]
    return columns, moved, factors


def _tabulate_levels(levels: FloatArray, start: float) -> tuple[BoolArray, FloatArray]:
    """Return at which ticks (T,) levels (N, T) change, and the levels (1 + changes, N)."""
    before = np.hstack([np.full((len(levels), 1), start), levels[:, :-1]])
    changed = (levels != before).any(axis=0)
    return changed, np.vstack([np.full(len(levels), start), levels[:, changed].T])


def _outage_ticks(effects: Sequence[OutageEffect], venues: int, ticks: int) -> FloatArray:
    """Return 1 for each venue and tick (V, T) at which the venue is down, else 0."""
    down = np.zeros((venues, ticks))
    for effect in effects:
        down[effect.venue, effect.first : effect.stop] = 1.0
    return down


def _next_true(flags: BoolArray) -> IntArray:
    """Return for each tick the first one at or after it whose flag is set, else their number."""
    ticks = len(flags)
    own = np.where(flags, np.arange(ticks), ticks)
    return np.asarray(np.minimum.accumulate(own[::-1])[::-1], dtype=np.int64)


def _lookup(values: IntArray) -> array[int]:
    """Return int64 values as an array whose elements are read without NumPy's overhead."""
    return array("q", np.ascontiguousarray(values, dtype=np.int64).tobytes())


def _frozen(values: _Array) -> _Array:
    values.flags.writeable = False
    return values


def _checked(tick: int) -> int:
    if tick < 0:
        raise IndexError(f"tick {tick} is before the run")
    return tick
