"""Tasks to rows on any executor: nothing that a worker does to itself ends an experiment."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from sim.core.errors import RunError
from sim.experiments.arguments import whole
from sim.experiments.pool import GUARD, worker_pool
from sim.experiments.task import Row, Task, forget, perform

AHEAD = 3
"""Tasks per worker that are handed out before their turn, so that no worker waits."""

Perform = Callable[[Task], Row]


def workers_by_default() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def number_of_workers(asked: int | None) -> int:
    """Return how many are to work at once; as many as cores where nobody says.

    Raises
    ------
    ValueError
        If it is no whole number from 1 on.
    """
    return workers_by_default() if asked is None else whole("workers", asked, 1)


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
    tasks: Iterable[Task], executor: Executor, workers: int, function: Perform = perform
) -> Generator[Row]:
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

    Raises
    ------
    RunError
        If the executor breaks or is shut down; no row tells of the tasks that it lost.
    """
    under_way: dict[Future[Row], Task] = {}
    lost: list[Task] = []
    try:
        yield from _rows(iter(tasks), executor, workers, function, under_way, lost)
    finally:
        for future in under_way:
            future.cancel()
    if lost:
        raise RunError(
            f"the executor ended before its work did: {len(lost):,} runs were lost; "
            "finished ones are kept, the same call goes on"
        )


def _rows(
    source: Iterator[Task],
    executor: Executor,
    workers: int,
    function: Perform,
    under_way: dict[Future[Row], Task],
    lost: list[Task],
) -> Iterator[Row]:
    """Yield rows as they are finished; once it broke, begin nothing and note what it lost."""
    while True:
        while not lost and len(under_way) < AHEAD * workers:
            task = next(source, None)
            if task is None:
                break
            try:
                under_way[executor.submit(function, task)] = task
            except RuntimeError:  # it broke, or was shut down
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
    """Return the row of a finished future, or None where its executor broke or dropped it."""
    try:
        error = future.exception()
    except CancelledError:
        return None
    if isinstance(error, BrokenExecutor):
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


Work = Callable[[Iterable[Task]], Iterator[Row]]
"""What does a batch of tasks and yields their rows as they are finished."""


@contextmanager
def at_work(workers: int, executor: Executor | None, function: Perform = perform) -> Iterator[Work]:
    """Yield what does tasks, for as long as the block lasts; then nothing of it is left running.

    Parameters
    ----------
    workers : int
        How many work at once; one works in this process.
    executor : Executor or None
        Any other place to work than processes of this machine.
    function : callable
        What is done with a task.
    """
    if executor is None:
        with Crew(workers, function) as crew:
            yield crew
        return
    with ExitStack() as stack:
        yield lambda tasks: stack.enter_context(
            closing(on_executor(tasks, executor, workers, function))
        )


class Crew:
    """Worker processes of this machine that live through one batch of tasks or several.

    Parameters
    ----------
    workers : int
        At least 1; one works in this process.
    function : callable
        What is done with a task.

    Notes
    -----
    A worker that dies (killed, out of memory) takes the tasks in flight with it; each of these is
    tried once more, alone, and becomes a failed row if its worker dies again. Tasks are taken as
    they are needed, so that memory does not grow with their number.

    Raises
    ------
    RunError
        If no worker can start at all.
    """

    def __init__(self, workers: int, function: Perform = perform) -> None:
        self._workers, self._function = workers, function
        self._stack = ExitStack()
        self._pool: ProcessPoolExecutor | None = None
        self._began: Future[int] | None = None

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
                self._pool = self._stack.enter_context(worker_pool(self._workers))
                self._began = self._pool.submit(os.getpid)
            yield from _rows(source, self._pool, self._workers, self._function, {}, lost)
            if not lost:
                return
            if self._began is not None and self._began.exception() is not None:
                raise RunError(f"no worker process could start; {GUARD}")
            self._pool = None
            yield from _one_by_one(lost, self._function)
