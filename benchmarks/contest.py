"""The engine against the plain programs on windows of one day, from the same states.

The engine simulates the day. Where a window begins, a plain program takes over a copy of its
state and simulates the window, timed. When the engine has passed the window as well, both must
have sold the same accounts on the same ticks and have arrived at the same prices.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import mesa
import numpy as np

from benchmarks.baselines import BASELINES, Baseline, Opening
from benchmarks.sizes import Crash, crash_of, day
from benchmarks.stepped import Forced, SteppedDay

if TYPE_CHECKING:
    from sim.core.arrays import FloatArray

RECORDED = 10
"""Ticks from one recorded tick to the next; windows are made of whole such steps."""

SAME = 1e-9
"""Relative difference of prices that counts as the same."""


class DifferentResultError(Exception):
    """A plain program and the engine did not simulate the same day."""


class Window(NamedTuple):
    """Ticks ``start .. stop - 1`` that a plain program simulates."""

    baseline: str
    kind: str
    start: int
    stop: int


@dataclass
class Measured:
    """What a plain program did in its window."""

    window: Window
    seconds: float
    forced: Forced
    prices: FloatArray
    expected: FloatArray = field(init=False)


def after_record(tick: float) -> int:
    """Return the tick after a recorded one that is nearest; the engine's steps end there."""
    return 1 + RECORDED * max(0, round((tick - 1) / RECORDED))


def quiet_windows(name: str, size: Sequence[int], crash: Crash, ticks: int) -> list[Window]:
    """Return windows, of a count and a length, spread evenly over the ticks outside the crash."""
    count, length = size
    quiet = ticks - (crash.stop - crash.first)
    found = []
    for k in range(count):
        start = after_record((k + 0.5) / count * quiet - length / 2)
        if start + length > crash.first:
            start = after_record(max(start + crash.stop - crash.first, crash.stop))
        if start + length > ticks:
            raise ValueError(f"the day has no room for {count} quiet windows of {length} ticks")
        found.append(Window(name, "quiet", start, start + length))
    return found


def crash_windows(name: str, size: Sequence[int], crash: Crash) -> list[Window]:
    """Return windows, of a count and a length, spread evenly over the ticks of the crash."""
    count, length = size
    width = crash.stop - crash.first
    if count * length > width:
        raise ValueError(f"the crash has no room for {count} windows of {length} ticks")
    starts = [
        after_record(crash.first + (k + 0.5) / count * width - length / 2) for k in range(count)
    ]
    return [Window(name, "crash", start, start + length) for start in starts]


def simulate(baseline: Baseline, window: Window) -> Measured:
    """Let a plain program simulate its window."""
    began = time.perf_counter()
    for _ in range(window.start, window.stop):
        baseline.step()
    seconds = time.perf_counter() - began
    forced = {(tick, int(row)) for tick, rows in baseline.forced for row in rows}
    # Mesa keeps every model in an attribute of a class; let it forget this one.
    getattr(mesa.Agent, "_ids", {}).pop(baseline, None)
    return Measured(window, seconds, forced, baseline.market.last.copy())


def compete(engine: SteppedDay, windows: list[Window]) -> list[Measured]:
    """Simulate the windows by plain programs, and all ticks up to the last by the engine.

    Raises
    ------
    DifferentResultError
        A plain program sold other accounts or arrived at other prices.
    """
    done: list[Measured] = []
    for tick in sorted({tick for window in windows for tick in (window.start, window.stop)}):
        engine.advance(tick)
        for measured in done:
            if measured.window.stop == tick:
                measured.expected = engine.prices()
        for window in windows:
            if window.start == tick:
                opening = Opening.take(engine.world, tick, window.stop - tick)
                done.append(simulate(BASELINES[window.baseline](opening), window))
    forced = engine.forced()
    for measured in done:
        compare(measured, forced)
    return done


def compare(measured: Measured, forced: Forced) -> None:
    """Raise unless a window ended as the engine's."""
    window = measured.window
    own = {sale for sale in forced if window.start <= sale[0] < window.stop}
    if own != measured.forced:
        tick, row = min(own ^ measured.forced)
        raise DifferentResultError(
            f"{window.baseline} and the engine differ in {len(own ^ measured.forced)} of "
            f"{len(own)} liquidations, first at tick {tick}, account {row}"
        )
    apart = float(np.abs(measured.prices / measured.expected - 1.0).max())
    if not apart <= SAME:
        raise DifferentResultError(
            f"{window.baseline} and the engine are {apart:.3g} apart in price at tick {window.stop}"
        )


def contest(accounts: int, seconds: int, plan: dict[str, dict[str, list[int]]]) -> dict[str, Any]:
    """Time the plain programs on windows of the day.

    Parameters
    ----------
    accounts, seconds : int
        Size of the day.
    plan : dict
        By plain program, ``{"quiet": [count, length], "crash": [count, length]}`` of its windows.

    Returns
    -------
    dict
        By plain program, seconds per tick in quiet windows, in the crash, and of the whole day,
        the two weighted by their share of the day's ticks.
    """
    crash = crash_of(seconds)
    windows: list[Window] = []
    for name, sizes in plan.items():
        windows += quiet_windows(name, sizes["quiet"], crash, seconds)
        windows += crash_windows(name, sizes["crash"], crash)
    engine = SteppedDay(day(accounts, seconds))
    for name in plan:  # compiles and loads what the first window would have to
        BASELINES[name](Opening.take(engine.world, 0, 1)).step()
    done = compete(engine, windows)
    share = (crash.stop - crash.first) / seconds
    programs = {}
    for name in plan:
        cost = {kind: _seconds_per_tick(done, name, kind) for kind in ("quiet", "crash")}
        mine = [measured for measured in done if measured.window.baseline == name]
        programs[name] = {
            **cost,
            "day": (1.0 - share) * cost["quiet"] + share * cost["crash"],
            "ticks": sum(m.window.stop - m.window.start for m in mine),
            "liquidations_equal": sum(len(m.forced) for m in mine),
        }
    return {
        "accounts": accounts,
        "ticks": seconds,
        "crash_share": share,
        "programs": programs,
        "engine_ticks": engine.tick,
        "engine_looked_at": engine.looked_at(),
    }


def _seconds_per_tick(done: list[Measured], name: str, kind: str) -> float:
    mine = [m for m in done if (m.window.baseline, m.window.kind) == (name, kind)]
    return sum(m.seconds for m in mine) / sum(m.window.stop - m.window.start for m in mine)
