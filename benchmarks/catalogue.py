"""The benchmarks: what each one runs, and the figures and targets it makes of it."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Figure, slope
from benchmarks.measure import JobError, run_job, timed_process

Details = dict[str, Any]
Benchmark = Callable[["Sizes"], tuple[list[Figure], Details]]


@dataclass(frozen=True)
class Sizes:
    """How large and how often; see `FULL` and `QUICK`."""

    million: int
    day: int
    contest: int
    plan: dict[str, dict[str, tuple[int, int]]]
    worst: tuple[int, int]
    growth: tuple[int, ...]
    short: tuple[int, int]
    small: int
    times: int
    starts: int
    network: tuple[int, int]
    sweep: tuple[int, int, int]
    many: int
    rows: tuple[int, int]
    recorded: tuple[str, int]


FULL = Sizes(
    million=1_000_000,
    day=86_400,
    contest=100_000,
    plan={
        "mesa": {"quiet": (3, 10), "crash": (2, 10)},
        "numpy": {"quiet": (6, 50), "crash": (3, 30)},
        "full_scan": {"quiet": (6, 500), "crash": (1, 300)},
    },
    worst=(100_000, 4_000),
    growth=(10_000, 100_000, 1_000_000),
    short=(10_000, 1_800),
    small=100,
    times=5,
    starts=3,
    network=(5_000, 50_000),
    sweep=(10_000, 1_800, 40),
    many=100,
    rows=(1_000, 50_000),
    recorded=("october-2025", 5),
)
"""The sizes of the targets."""

QUICK = Sizes(
    million=4_000,
    day=1_200,
    contest=2_000,
    plan={
        "mesa": {"quiet": (2, 10), "crash": (2, 10)},
        "numpy": {"quiet": (3, 20), "crash": (2, 20)},
        "full_scan": {"quiet": (3, 50), "crash": (1, 200)},
    },
    worst=(5_000, 100),
    growth=(500, 2_000, 8_000),
    short=(1_000, 300),
    small=100,
    times=2,
    starts=1,
    network=(500, 2_500),
    sweep=(200, 60, 6),
    many=6,
    rows=(100, 2_000),
    recorded=("two-venues", 1),
)
"""Small sizes, to see that everything works."""


def b1(sizes: Sizes) -> tuple[list[Figure], Details]:
    """A million accounts over a day with a crash: time and memory of one run."""
    large = run_job("run", accounts=sizes.million, seconds=sizes.day)
    small = run_job("run", accounts=sizes.small, seconds=sizes.day)
    above = (large["peak_bytes"] - small["peak_bytes"]) / (large["accounts"] - small["accounts"])
    allowed = 200.0 + 40.0 * large["positions"] / large["accounts"]
    share = large["accounts_liquidated"] / large["accounts"]
    figures = [
        Figure("b1", "whole run", large["wall_seconds"], "s", 60.0),
        Figure("b1", "peak memory", large["peak_bytes"] / 1e9, "GB", 1.5),
        Figure("b1", "memory above a small run", above, "bytes/account", allowed),
        Figure("b1", "accounts liquidated", share, "share", 0.05, at_most=False),
    ]
    return figures, {"large": large, "small": small}


def b2(sizes: Sizes) -> tuple[list[Figure], Details]:
    """The cost of an account and tick against three plain programs, the same day."""
    engine = run_job("run", accounts=sizes.contest, seconds=sizes.day, times=sizes.starts)
    plain = run_job("contest", accounts=sizes.contest, seconds=sizes.day, plan=sizes.plan)
    scale = 1e9 / sizes.contest
    figures = [Figure("b2", "engine", engine["seconds_per_tick"] * scale, "ns/account-tick")]
    wanted = {"mesa": 500.0, "numpy": 40.0, "full_scan": 10.0}
    for name, program in plain["programs"].items():
        ratio = program["day"] / engine["seconds_per_tick"]
        figures += [
            Figure("b2", name, program["day"] * scale, "ns/account-tick"),
            Figure("b2", f"{name} / engine", ratio, "1", wanted[name], at_most=False),
            Figure("b2", f"{name}: checked, equal", program["liquidations_equal"], "liquidations"),
        ]
    if plain["engine_looked_at"] is not None:
        looked = plain["engine_looked_at"] / (plain["engine_ticks"] * sizes.contest)
        figures.append(Figure("b2", "accounts looked at", looked, "share of account-ticks"))
    return figures, {"engine": engine, "plain": plain}


def b3(sizes: Sizes) -> tuple[list[Figure], Details]:
    """The worst case of the scheduler against a full scan."""
    accounts, ticks = sizes.worst
    done = run_job("worst", accounts=accounts, ticks=ticks, times=sizes.times)
    figures = [
        Figure("b3", "engine", 1e9 * done["engine"] / accounts, "ns/account-tick"),
        Figure("b3", "full_scan", 1e9 * done["full_scan"] / accounts, "ns/account-tick"),
        Figure("b3", "engine / full_scan", done["engine"] / done["full_scan"], "1", 1.5),
        Figure("b3", "checked, equal", done["liquidations_equal"], "liquidations"),
    ]
    if done["engine_looked_at"] is not None:
        looked = done["engine_looked_at"] / (accounts * ticks)
        figures.append(Figure("b3", "accounts looked at", looked, "share of account-ticks"))
    return figures, done


def b4(sizes: Sizes) -> tuple[list[Figure], Details]:
    """How the cost of a tick grows with the number of accounts on a calm day."""
    figures, runs = [], []
    for accounts in sizes.growth:
        job = {"accounts": accounts, "seconds": sizes.day, "times": sizes.starts}
        run = run_job("run", **job, crash=False, time_building=True)
        runs.append(run)
        size = f"{accounts:,} accounts"
        figures += [
            Figure("b4", f"tick, {size}", 1e6 * run["seconds_per_tick"], "us"),
            Figure("b4", f"building, {size}", run["building_seconds"], "s"),
            Figure("b4", f"liquidated, {size}", run["accounts_liquidated"], "accounts"),
        ]
    exponent = slope(
        [float(run["accounts"]) for run in runs], [run["seconds_per_tick"] for run in runs]
    )
    figures.append(Figure("b4", "exponent of growth", exponent, "1", 0.3))
    return figures, {"runs": runs}


def b5(sizes: Sizes) -> tuple[list[Figure], Details]:
    """A short run with a crash, again in the same process."""
    accounts, seconds = sizes.short
    done = run_job("repeat", accounts=accounts, seconds=seconds, times=1 + sizes.times)
    first, *again = done["wall_seconds"]
    figures = [
        Figure("b5", "first run", first, "s"),
        Figure("b5", "runs after the first", statistics.median(again), "s", 0.5),
    ]
    return figures, done


def b6(sizes: Sizes) -> tuple[list[Figure], Details]:
    """The command on the small scenario as a whole process, kernels compiled and not."""
    command = [sys.executable, "-m", "sim", "run", "scenarios/two-venues.yaml", "--quiet", "--out"]
    with tempfile.TemporaryDirectory() as results:
        cold, warm = [], []
        for _ in range(sizes.starts):
            with tempfile.TemporaryDirectory() as kernels:
                cold.append(timed_process([*command, results], NUMBA_CACHE_DIR=kernels)[0])
                warm.append(timed_process([*command, results], NUMBA_CACHE_DIR=kernels)[0])
    if statistics.median(cold) <= statistics.median(warm):
        raise JobError("b6: emptying the cache of the kernels made the command no slower")
    figures = [
        Figure("b6", "warm", statistics.median(warm), "s", 3.0),
        Figure("b6", "cold", statistics.median(cold), "s", 12.0),
    ]
    return figures, {"warm": warm, "cold": cold}


def b7(sizes: Sizes) -> tuple[list[Figure], Details]:
    """Building the accounts from cohorts and from Parquet files."""
    drawn = run_job("build", accounts=sizes.million, times=sizes.starts)
    book = run_job("build_book", accounts=sizes.million, times=sizes.starts)
    figures = [
        Figure("b7", "from cohorts", drawn["seconds"], "s", 3.0),
        Figure("b7", "from a Parquet book", book["seconds"], "s", 10.0),
    ]
    return figures, {"cohorts": drawn, "book": book}


def b8(sizes: Sizes) -> tuple[list[Figure], Details]:
    """Contagion on a random network of claims: DebtRank, and clearing with costs of default."""
    nodes, edges = sizes.network
    done = run_job("contagion", nodes=nodes, edges=edges, times=sizes.times)
    figures = [
        Figure("b8", "DebtRank, linear", done["linear"], "s", 0.1),
        Figure("b8", "DebtRank, single hit", done["single_hit"], "s", 0.1),
        Figure("b8", "clearing with costs", done["clearing"], "s"),
        Figure("b8", "rounds of linear DebtRank", done["rounds"], "rounds"),
    ]
    return figures, done


def b9(sizes: Sizes) -> tuple[list[Figure], Details]:
    """What a run of an experiment costs beside the run itself."""
    accounts, seconds, runs = sizes.sweep
    done = run_job("overhead", accounts=accounts, seconds=seconds, runs=runs)
    figures = [
        Figure("b9", "run", 1e3 * done["run_seconds"], "ms"),
        Figure("b9", "beyond the run", 1e3 * done["beyond_seconds"], "ms", 20.0),
        Figure("b9", "failed runs", done["failed"], "runs", 0.0),
    ]
    return figures, done


def b10(sizes: Sizes) -> tuple[list[Figure], Details]:
    """A thousand runs on all cores, from the time of fewer."""
    accounts, seconds, _ = sizes.sweep
    done = run_job("many", accounts=accounts, seconds=seconds, runs=sizes.many)
    figures = [
        Figure("b10", "workers", done["workers"], "processes"),
        Figure("b10", "run", done["run_seconds"], "s"),
        Figure("b10", "processor time of a run", done["processor_seconds"] / done["runs"], "s"),
        Figure("b10", "1,000 runs", 1e3 * done["wall_seconds"] / done["runs"], "s", 360.0),
    ]
    return figures, done


def b11(sizes: Sizes) -> tuple[list[Figure], Details]:
    """Memory of the process that collects rows, as their number grows."""
    few, many = (run_job("parent", runs=runs) for runs in sizes.rows)
    more = many["runs"] - few["runs"]
    figures = [
        Figure("b11", "memory of a row", (many["peak_bytes"] - few["peak_bytes"]) / more, "bytes",
               64.0),
        Figure("b11", "with the table", many["peak_bytes_with_table"] / 1e6, "MB"),
        Figure("b11", "taking a row", 1e3 * many["seconds_per_row"], "ms"),
    ]  # fmt: skip
    return figures, {"few": few, "many": many}


def b12(sizes: Sizes) -> tuple[list[Figure], Details]:
    """What recording who broke adds to a run."""
    scenario, times = sizes.recorded
    done = run_job("recording", scenario=scenario, times=times)
    figures = [
        Figure("b12", "recording / rest of the run", done["share"], "1", 0.10),
        Figure("b12", "breaks", done["breaks"], "breaks"),
    ]
    return figures, done


def floor(sizes: Sizes) -> tuple[list[Figure], Details]:
    """The least that a revaluation costs: the bytes it moves."""
    done = run_job("floor", accounts=sizes.million, times=sizes.times)
    figures = [
        Figure("floor", "bytes of a revaluation", done["bytes_of_a_revaluation"], "bytes"),
        Figure("floor", "copy bandwidth", done["bandwidth"] / 1e9, "GB/s"),
        Figure(
            "floor", "accounts at that bandwidth", done["accounts_per_second_at_bandwidth"], "1/s"
        ),
        Figure("floor", "accounts of the kernel", done["accounts_per_second"], "1/s"),
    ]
    return figures, done


BENCHMARKS: dict[str, Benchmark] = {
    "b1": b1, "b2": b2, "b3": b3, "b4": b4, "b5": b5, "b6": b6, "b7": b7, "b8": b8,
    "b9": b9, "b10": b10, "b11": b11, "b12": b12,
    "floor": floor,
}  # fmt: skip
"""All benchmarks by name, in the order in which they run."""
