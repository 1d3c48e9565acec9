"""Where runs are done: the answer is the same everywhere, and no death of a worker ends it."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sim.core.errors import RunError
from sim.experiments.execute import AHEAD, at_work, on_executor, workers_by_default
from sim.experiments.plan import prepare
from sim.experiments.sweep import sweep
from sim.experiments.task import Task, _scenario
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
    with at_work(2, None, deadly_once) as work:
        rows = list(work(todo))
    assert (tmp_path / "marker").exists()
    assert sorted(row["cell"] for row in rows) == list(range(12))
    assert {row["status"] for row in rows} == {"ok"}


@pytest.mark.slow
def test_a_run_that_always_kills_its_worker_is_a_failed_row() -> None:
    with at_work(2, None, deadly) as work:
        rows = sorted(work(tasks(8)), key=lambda row: int(row["cell"]))
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


class Broken(Executor):
    """Does two tasks, breaks at the third, drops the fourth and takes no more."""

    def __init__(self) -> None:
        self.given = 0

    def submit(self, function: Any, /, *args: Any, **more: Any) -> Future[Any]:
        self.given += 1
        future: Future[Any] = Future()
        if self.given == 3:
            future.set_exception(BrokenExecutor("out of memory"))
        elif self.given == 4:
            future.cancel()
            future.set_running_or_notify_cancel()
        elif self.given > 4:
            raise RuntimeError("cannot schedule new futures after shutdown")
        else:
            future.set_result(function(*args))
        return future


def test_an_executor_that_breaks_leaves_no_table_that_looks_finished(tmp_path: Path) -> None:
    """What was done is kept, what was lost is no failed run, and the same call goes on."""
    file = write(tmp_path, replications=5)
    with pytest.raises(RunError, match="the executor ended before its work did: 3 runs"):
        sweep(file, out=tmp_path / "out", workers=2, executor=Broken())
    again = sweep(file, out=tmp_path / "out", workers=1)
    assert again.done_before == 2
    assert len(again.frame) == 20
    assert again.failures.empty


class Unable(Executor):
    """A pool none of whose workers can start."""

    def submit(self, function: Any, /, *args: Any, **more: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor("a worker ended"))
        return future


def test_workers_that_cannot_start_fail_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a script without a guard: each reads it again, and sets out to start workers."""
    monkeypatch.setattr(
        "sim.experiments.execute.worker_pool", lambda workers: nullcontext(Unable())
    )
    guard = r"no worker process could start; .* if __name__ == '__main__':"
    with at_work(2, None, easy) as work, pytest.raises(RunError, match=guard):
        list(work(tasks(3)))


def test_threads_of_one_process_do_not_mix_their_scenarios(tmp_path: Path) -> None:
    """Each has its own, whatever another does between two of its steps."""
    made = prepare(write(tmp_path))
    todo = [Task(made.base, cell.overrides, cell.number, 0, 1, ()) for cell in made.cells[:2]]
    both = threading.Barrier(2, timeout=30)

    def work(task: Task) -> list[Any]:
        found = []
        for _ in range(2):
            both.wait()
            scenario = _scenario(task)
            both.wait()
            found.append((scenario is _scenario(task), scenario.venues["alpha"].waterfall[0]))
        return found

    with ThreadPoolExecutor(2) as executor:
        first, second = executor.map(work, todo)
    assert [same for same, _ in first + second] == [True] * 4
    assert first[0][1] != second[0][1]


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
    """Whatever stops it, such as a disk that is full, though somebody still holds the rows."""
    held: list[Any] = []

    def stop() -> None:
        with at_work(2, None, slow) as work:
            held.append(work(tasks(1_000)))
            next(held[0])
            held.extend(multiprocessing.active_children())
            raise RuntimeError("full")

    with pytest.raises(RuntimeError, match="full"):
        stop()
    workers = held[1:]
    assert len(workers) == 2
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


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True])
def test_what_is_not_a_number_of_workers_is_refused(tmp_path: Path, workers: Any) -> None:
    with pytest.raises(ValueError, match=r"workers is .*; allowed: a whole number from 1 on"):
        sweep(prepare(write(tmp_path)), out=tmp_path / "out", workers=workers)
    assert not (tmp_path / "out").exists()
