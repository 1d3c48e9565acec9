"""Where runs are done: the answer is the same everywhere, and no death of a worker ends it."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from sim.experiments.execute import AHEAD, on_executor, on_this_machine, workers_by_default
from sim.experiments.plan import prepare
from sim.experiments.sweep import sweep
from sim.experiments.task import Task
from tests.experiments.base import untimed, write
from tests.experiments.workers import deadly, deadly_once, defective, easy, slow, tasks


def test_one_worker_two_workers_and_an_executor_give_one_table(tmp_path: Path) -> None:
    file = write(tmp_path, replications=2, seed=3)
    alone = sweep(file, out=tmp_path / "alone", workers=1)
    two = sweep(file, out=tmp_path / "two", workers=2)
    with ThreadPoolExecutor(1) as executor:
        elsewhere = sweep(file, out=tmp_path / "elsewhere", workers=1, executor=executor)
    for other in (two, elsewhere):
        pd.testing.assert_frame_equal(untimed(alone.frame), untimed(other.frame))
    assert len(alone.frame) == 8


def test_a_worker_that_dies_once_costs_nothing(tmp_path: Path) -> None:
    todo = tasks(12, marker=str(tmp_path / "marker"))
    rows = list(on_this_machine(todo, 2, deadly_once))
    assert (tmp_path / "marker").exists()
    assert sorted(row["cell"] for row in rows) == list(range(12))
    assert {row["status"] for row in rows} == {"ok"}


@pytest.mark.slow
def test_a_run_that_always_kills_its_worker_is_a_failed_row() -> None:
    rows = sorted(on_this_machine(tasks(8), 2, deadly), key=lambda row: int(row["cell"]))
    assert [row["cell"] for row in rows] == list(range(8))
    assert [row["status"] for row in rows] == ["ok"] * 3 + ["failed"] + ["ok"] * 4
    assert rows[3]["stage"] == "worker"
    assert "died" in rows[3]["message"]
    assert rows[3]["metrics"] == {"m": None}


def test_what_a_worker_raises_is_a_failed_row() -> None:
    with ThreadPoolExecutor(2) as executor:
        rows = sorted(on_executor(tasks(5), executor, 2, defective), key=lambda r: int(r["cell"]))
    assert [row["status"] for row in rows] == ["ok", "ok", "ok", "failed", "ok"]
    assert rows[3]["message"] == "RuntimeError: a defect in two lines"


def test_tasks_are_taken_as_they_are_needed() -> None:
    """Memory does not grow with the number of runs: few are handed out before their turn."""
    taken = []

    def endless() -> Iterator[Task]:
        for task in tasks(10_000):
            taken.append(task.cell)
            yield task

    with ThreadPoolExecutor(2) as executor:
        rows = on_executor(endless(), executor, 2, easy)
        for _ in range(20):
            next(rows)
        rows.close()
    assert len(taken) <= 20 + AHEAD * 2 + 2


def test_stopping_ends_the_workers() -> None:
    rows = on_this_machine(tasks(1_000), 2, slow)
    next(rows)
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    rows.close()
    deadline = time.monotonic() + 30
    while any(exists(worker.pid) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def exists(pid: int | None) -> bool:
    """Whether there is a process with a number."""
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_by_default_are_the_cores_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert workers_by_default() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert workers_by_default() == 1


def test_what_is_not_a_number_of_workers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1, found 0"):
        sweep(prepare(write(tmp_path)), out=tmp_path / "out", workers=0)
