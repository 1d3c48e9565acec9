"""Tasks to rows on any executor: nothing that a worker does to itself ends an experiment."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context

from sim.experiments.task import Row, Task, perform

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
        for task in tasks:
            yield function(task)
        return
    source = iter(tasks)
    while True:
        lost: list[Task] = []
        with worker_pool(workers) as pool:
            yield from on_executor(source, pool, workers, function, lost)
        if not lost:
            return
        yield from _one_by_one(lost, function)


def _one_by_one(tasks: Iterable[Task], function: Perform) -> Iterator[Row]:
    """Yield the rows of tasks each of which may kill its worker."""
    rest = deque(tasks)
    while rest:
        with worker_pool(1) as alone:
            alive = True
            while rest and alive:
                task = rest.popleft()
                future = alone.submit(function, task)
                row = _row_of(future, task)
                alive = row is not None
                yield _died(task) if row is None else row


def on_executor(
    tasks: Iterable[Task],
    executor: Executor,
    workers: int,
    function: Perform = perform,
    lost: list[Task] | None = None,
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
    lost : list of Task, optional
        Receives the tasks that a broken pool lost, and no further task is begun then; without
        it they become failed rows.
    """
    source = iter(tasks)
    under_way: dict[Future[Row], Task] = {}
    gone: list[Task] = [] if lost is None else lost
    try:
        while True:
            while not gone and len(under_way) < AHEAD * workers:
                task = next(source, None)
                if task is None:
                    break
                try:
                    under_way[executor.submit(function, task)] = task
                except BrokenProcessPool:
                    gone.append(task)
            if not under_way:
                break
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                task = under_way.pop(future)
                row = _row_of(future, task)
                if row is None:
                    gone.append(task)
                else:
                    yield row
    finally:
        for future in under_way:
            future.cancel()
    if lost is None:
        yield from map(_died, gone)


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
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool whose processes end with it, whatever they are doing."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_quietly)
    try:
        yield pool
    except BaseException:
        processes = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        raise
    pool.shutdown()


def _quietly() -> None:
    """Leave Ctrl-C to the process that collects the rows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
