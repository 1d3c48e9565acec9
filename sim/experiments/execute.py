"""Tasks to rows on any executor: nothing that a worker does to itself ends an experiment."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any

from sim.experiments.task import Row, Task, forget, perform

AHEAD = 3
"""Tasks per worker that are handed out before their turn, so that no worker waits."""

Perform = Callable[[Task], Row]


def workers_by_default() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def on_this_machine(
    tasks: Iterable[Task], workers: int, function: Perform = perform
) -> Iterator[Row]:
    """Yield the rows of tasks as they are finished, by worker processes of this machine.

    With one worker everything happens in this process. A worker that dies (killed, out of memory)
    takes the tasks in flight with it; each of these is tried once more, alone, and becomes a
    failed row if its worker dies again.

    Parameters
    ----------
    tasks : iterable of Task
        Taken as they are needed, so that memory does not grow with their number.
    workers : int
        At least 1.
    function : callable
        What is done with a task.
    """
    if workers == 1:
        try:
            for task in tasks:
                yield function(task)
        finally:
            forget()
        return
    source = iter(tasks)
    while True:
        lost: list[Task] = []
        with _pool(workers) as pool:
            yield from _rows(source, pool, workers, function, {}, lost)
        if not lost:
            return
        yield from _one_by_one(lost, function)


def _one_by_one(tasks: Iterable[Task], function: Perform) -> Iterator[Row]:
    """Yield the rows of tasks each of which may kill its worker."""
    rest = deque(tasks)
    while rest:
        with _pool(1) as alone:
            alive = True
            while rest and alive:
                task = rest.popleft()
                future = alone.submit(function, task)
                row = _row_of(future, task)
                alive = row is not None
                yield _died(task) if row is None else row


def on_executor(
    tasks: Iterable[Task], executor: Executor, workers: int, function: Perform = perform
) -> Iterator[Row]:
    """Yield the rows of tasks as any `concurrent.futures.Executor` finishes them.

    Parameters
    ----------
    tasks : iterable of Task
        Taken as they are needed.
    executor : Executor
        A process pool, a Dask client's, an MPI pool's.
    workers : int
        How many work at once; three times as many tasks are under way.
    function : callable
        What is done with a task.
    """
    under_way: dict[Future[Row], Task] = {}
    lost: list[Task] = []
    try:
        yield from _rows(iter(tasks), executor, workers, function, under_way, lost)
    finally:
        for future in under_way:
            future.cancel()
    yield from map(_died, lost)


def _rows(
    source: Iterator[Task],
    executor: Executor,
    workers: int,
    function: Perform,
    under_way: dict[Future[Row], Task],
    lost: list[Task],
) -> Iterator[Row]:
    """Yield rows as they are finished; once the pool broke, begin nothing and note what it lost."""
    while True:
        while not lost and len(under_way) < AHEAD * workers:
            task = next(source, None)
            if task is None:
                break
            try:
                under_way[executor.submit(function, task)] = task
            except BrokenProcessPool:
                lost.append(task)
        if not under_way:
            return
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for future in done:
            task = under_way.pop(future)
            row = _row_of(future, task)
            if row is None:
                lost.append(task)
            else:
                yield row


def _row_of(future: Future[Row], task: Task) -> Row | None:
    """Return the row of a finished future, or None where its pool broke."""
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        return None
    if error is not None:
        return _failed(task, f"{type(error).__name__}: {' '.join(str(error).split())}")
    return future.result()


def _died(task: Task) -> Row:
    return _failed(task, "the worker died, twice; it was killed or ran out of memory")


def _failed(task: Task, message: str) -> Row:
    """Return the row of a run that no worker brought back."""
    return {
        "cell": task.cell,
        "replication": task.replication,
        "seed": task.seed,
        "status": "failed",
        "stage": "worker",
        "message": message,
        "run_id": None,
        "metrics": {name: None for name, _ in task.metrics},
        "wall_seconds": None,
        "worker": None,
    }


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool whose processes end with it, whatever they are doing."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)
    try:
        yield pool
    except BaseException:
        processes = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        raise
    pool.shutdown()


def _begin() -> None:
    """Leave Ctrl-C to the process that collects the rows, and end when that does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker once the process that collects its rows is gone, killed or not."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class Crew:
    """Worker processes of this machine that live through several batches of tasks.

    Parameters
    ----------
    workers : int
        At least 1; one works in this process.
    function : callable
        What is done with a task.

    Notes
    -----
    Lost tasks are tried once more, as by `on_this_machine`.
    """

    def __init__(self, workers: int, function: Perform = perform) -> None:
        self._workers, self._function = workers, function
        self._stack = ExitStack()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *error: Any) -> None:
        forget()
        self._stack.__exit__(*error)

    def __call__(self, tasks: Iterable[Task]) -> Iterator[Row]:
        """Yield the rows of a batch as they are finished."""
        if self._workers == 1:
            yield from map(self._function, tasks)
            return
        source = iter(tasks)
        while True:
            lost: list[Task] = []
            if self._pool is None:
                self._pool = self._stack.enter_context(_pool(self._workers))
            yield from _rows(source, self._pool, self._workers, self._function, {}, lost)
            if not lost:
                return
            self._pool = None
            yield from _one_by_one(lost, self._function)
