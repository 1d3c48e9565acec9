"""Jobs that time whole runs of the day."""

from __future__ import annotations

import statistics
import time
from typing import Any

import sim
from benchmarks.measure import Stopwatch, peak_memory
from benchmarks.sizes import day, positions
from sim.engine.build import build_world


def warm_up() -> None:
    """Load and compile whatever a run needs: a short day of a few accounts, with its crash."""
    sim.run(day(200, 120))


def run(
    accounts: int, seconds: int, times: int = 1, crash: bool = True, time_building: bool = False
) -> dict[str, Any]:
    """Time runs of the day, and its building on its own if asked; medians over the runs."""
    warm_up()
    scenario = day(accounts, seconds, crash=crash)
    building = None
    if time_building:
        began = time.perf_counter()
        build_world(scenario, scenario.seed)
        building = time.perf_counter() - began
    walls, ticks = [], []
    for _ in range(times):
        watch = Stopwatch()
        began = time.perf_counter()
        result = sim.run(scenario, progress=watch)
        walls.append(time.perf_counter() - began)
        ticks.append(watch.seconds_per_tick)
    return {
        "accounts": accounts,
        "positions": positions(scenario),
        "ticks": result.summary["ticks"],
        "wall_seconds": statistics.median(walls),
        "building_seconds": building,
        "seconds_per_tick": statistics.median(ticks),
        "runs": [walls, ticks],
        "peak_bytes": peak_memory(),
        "accounts_liquidated": result.summary["accounts_liquidated"],
        "generations": result.summary["generations"],
        "liquidating_ticks": int(result.liquidations["tick"].nunique()),
        "conservation_error": result.summary["conservation_error"],
    }


def repeat(accounts: int, seconds: int, times: int) -> dict[str, Any]:
    """Time the same run several times in this process, the first one cold."""
    scenario = day(accounts, seconds)
    walls, liquidated = [], 0
    for _ in range(times):
        began = time.perf_counter()
        liquidated = sim.run(scenario).summary["accounts_liquidated"]
        walls.append(time.perf_counter() - began)
    return {"accounts": accounts, "wall_seconds": walls, "accounts_liquidated": liquidated}
