"""Jobs that time building, and the least that a revaluation has to cost."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sim
from benchmarks.books import write_book
from benchmarks.measure import peak_memory
from benchmarks.places import DAY
from benchmarks.sizes import day
from sim.engine.build import build_world
from sim.engine.world import World

COPIED = 1 << 28
"""Size of the array whose copying is timed [bytes]; far beyond any cache."""


def timed(action: Callable[[], object], times: int) -> float:
    """Return the median time of an action [s]."""
    walls = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        walls.append(time.perf_counter() - began)
    return statistics.median(walls)


def build(accounts: int, times: int) -> dict[str, Any]:
    """Time building a world of drawn accounts."""
    build_world(day(200), 0)
    scenario = day(accounts)
    seconds = timed(lambda: build_world(scenario, scenario.seed), times)
    return {"accounts": accounts, "seconds": seconds, "peak_bytes": peak_memory()}


def build_book(accounts: int, times: int) -> dict[str, Any]:
    """Time building a world from the same accounts in Parquet files."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small", Path(folder) / "large"
        small.mkdir()
        large.mkdir()
        build_world(_booked(200, small), 0)
        scenario = _booked(accounts, large)
        seconds = timed(lambda: build_world(scenario, scenario.seed), times)
        size = sum(path.stat().st_size for path in large.iterdir())
    return {"accounts": accounts, "seconds": seconds, "file_bytes": size}


def _booked(accounts: int, folder: Path) -> sim.Scenario:
    """Return the day with its accounts drawn once and written to files."""
    scenario = day(accounts)
    world = build_world(scenario, scenario.seed)
    ledger, size = world.ledger, world.accounts
    slots = int(ledger.position_start[size])
    book = write_book(
        folder,
        scenario,
        world.clearer[:size].astype(np.int64),
        ledger.balance[:size, 0],
        np.repeat(np.arange(size), np.diff(ledger.position_start[: size + 1])),
        ledger.market[:slots].astype(np.int64),
        ledger.quantity[:slots],
        ledger.entry_price[:slots],
    )
    return sim.load(DAY, {"traders": book})


def floor(accounts: int, times: int) -> dict[str, Any]:
    """Measure the margin kernel against the bandwidth of memory."""
    scenario = day(accounts)
    world = build_world(scenario, scenario.seed)
    rows = np.arange(world.accounts)
    world.revalue(rows)
    kernel = timed(lambda: world.revalue(rows), times)
    source = np.ones(COPIED // 8)
    target = np.empty_like(source)
    np.copyto(target, source)
    bandwidth = 2 * COPIED / timed(lambda: np.copyto(target, source), times)
    moved = bytes_of_revaluation(world)
    slots = int(world.ledger.position_start[world.accounts]) / world.accounts
    per_account = moved["account"] + moved["position"] * slots
    return {
        "accounts": accounts,
        "positions_per_account": slots,
        "bytes_per_account": moved["account"],
        "bytes_per_position": moved["position"],
        "bytes_of_a_revaluation": per_account,
        "bandwidth": bandwidth,
        "accounts_per_second_at_bandwidth": bandwidth / per_account,
        "accounts_per_second": accounts / kernel,
    }


def bytes_of_revaluation(world: World) -> dict[str, int]:
    """Return the bytes that the margin kernel must read and write per account and per position.

    Every array that has one entry for each row or each position counts with the size of its
    entry; tables by market or venue stay in cache and count nothing.
    """
    ledger = world.ledger
    rows, slots = len(ledger.balance), len(ledger.quantity)
    by_row = {world.accounts, world.accounts + 1, rows, rows + 1}
    arrays: list[NDArray[Any]] = [
        *world.margin_inputs(),
        world.required,
        *world.out,
        np.arange(world.accounts),
    ]
    moved = {"account": 0, "position": 0}
    for array in arrays:
        entry = array.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
        if array.shape[0] == slots:
            moved["position"] += entry
        elif array.shape[0] in by_row:
            moved["account"] += entry
    return moved
