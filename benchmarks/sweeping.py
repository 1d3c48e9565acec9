"""Jobs that time experiments: what a run costs beside itself, many runs, the parent's memory."""

from __future__ import annotations

import resource
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sim.engine
from benchmarks.measure import peak_memory
from benchmarks.places import DAY
from benchmarks.running import warm_up
from benchmarks.sizes import overrides
from sim.experiments.execute import on_executor, workers_by_default
from sim.experiments.plan import Plan, plan_of
from sim.experiments.store import Store
from sim.experiments.sweep import sweep, tasks_of
from sim.experiments.task import Row, Task
from sim.schema import Experiment

METRICS = ["shortfall", "generations", "accounts_liquidated", "liquidated_notional"]


def plan(accounts: int, seconds: int, runs: int) -> Plan:
    """Return an experiment on the day: two depths of its markets, so many runs in all."""
    said = {
        "schema_version": 1,
        "name": "day",
        "scenario": str(DAY),
        "replications": max(1, runs // 2),
        "factors": [{"path": "markets.0.impact.y", "name": "y", "values": [0.6, 0.8]}],
        "metrics": METRICS,
    }
    return plan_of(Experiment.model_validate(said), overrides=overrides(accounts, seconds))


def overhead(accounts: int, seconds: int, runs: int) -> dict[str, Any]:
    """Time what one process does around its runs: scenarios, rows, the disk, the table."""
    warm_up()
    within = 0.0
    run = sim.engine.run

    def timed(*given: Any, **named: Any) -> Any:
        nonlocal within
        began = time.perf_counter()
        result = run(*given, **named)
        within += time.perf_counter() - began
        return result

    began = time.perf_counter()
    made = plan(accounts, seconds, runs)
    prepared = time.perf_counter() - began
    sim.engine.run = timed
    try:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            frame = sweep(made, out=folder, workers=1).frame
            whole = time.perf_counter() - began
    finally:
        sim.engine.run = run
    return {
        "runs": made.runs,
        "failed": int((frame["status"] != "ok").sum()),
        "preparing_seconds": prepared,
        "run_seconds": within / made.runs,
        "beyond_seconds": (whole - within) / made.runs,
    }


def many(accounts: int, seconds: int, runs: int) -> dict[str, Any]:
    """Time a sweep on all cores, the start of its workers included."""
    warm_up()
    made = plan(accounts, seconds, runs)
    before = _processor_time()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        frame = sweep(made, out=folder).frame
        whole = time.perf_counter() - began
    return {
        "processor_seconds": _processor_time() - before,
        "runs": made.runs,
        "failed": int((frame["status"] != "ok").sum()),
        "workers": workers_by_default(),
        "wall_seconds": whole,
        "run_seconds": float(frame["wall_seconds"].median()),
    }


def _processor_time() -> float:
    """Return the processor time of this process and of its children that have ended [s]."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def at_once(task: Task) -> Row:
    """Return the row of a run that takes no time."""
    metrics = {name: task.seed / 7 for name, _ in task.metrics}
    return {
        "cell": task.cell, "replication": task.replication, "seed": task.seed, "status": "ok",
        "stage": "done", "message": None, "run_id": f"{task.seed:016x}", "metrics": metrics,
        "wall_seconds": 0.0, "worker": 0,
    }  # fmt: skip


def parent(runs: int) -> dict[str, Any]:
    """Measure the process that collects the rows of runs which others do."""
    made = plan(100, 60, runs)
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(folder, made) as store,
        ThreadPoolExecutor(2) as executor,
    ):
        began = time.perf_counter()
        for row in on_executor(tasks_of(made, store), executor, 2, at_once):
            store.add(row, made.cells[row["cell"]].values)
        seconds = time.perf_counter() - began
        running = peak_memory()
        store.write_table()
    return {
        "runs": made.runs,
        "seconds_per_row": seconds / made.runs,
        "peak_bytes": running,
        "peak_bytes_with_table": peak_memory(),
    }
