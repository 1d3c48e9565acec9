"""Runs of scenarios, in this process or in several workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

from sim.core.errors import RunError
from sim.engine import run
from sim.experiments.arguments import whole
from sim.experiments.outcome import Outcome, outcome_of
from sim.experiments.pool import GUARD, worker_pool
from sim.experiments.worlds import Plain, load_plain

Progress = Callable[[int, int], None]
"""Called with (runs done, runs in all)."""


class Task(NamedTuple):
    """One run: a scenario as plain values, a seed, and of whom the network is wanted."""

    world: Plain
    seed: int
    by: str | None = None


def outcome(task: Task) -> Outcome:
    """Run one task."""
    scenario = load_plain(task.world)
    return outcome_of(run(scenario, seed=task.seed), scenario, task.by)


def outcomes(
    tasks: Sequence[Task], workers: int = 1, progress: Progress | None = None
) -> list[Outcome]:
    """Run tasks and return their outcomes, in their order.

    Parameters
    ----------
    tasks : sequence of Task
    workers : int
        Processes, >= 1; with 1 everything runs in this process. The outcomes are the same for any
        number of them.
    progress : callable, optional

    Raises
    ------
    ValueError
        If `workers` is below 1.
    ScenarioError, RunError
        As a run raises them; of several the first in the order of the tasks.
    """
    workers = whole("workers", workers, 1)
    done: list[Outcome] = []
    if workers == 1 or len(tasks) < 2:
        for task in tasks:
            done.append(outcome(task))
            _tell(progress, len(done), len(tasks))
        return done
    try:
        with worker_pool(min(workers, len(tasks))) as pool:
            for found in pool.map(outcome, tasks):
                done.append(found)
                _tell(progress, len(done), len(tasks))
    except BrokenProcessPool as error:
        raise RunError(
            "a worker process ended before its run did; there may not be memory for so many, or "
            f"{GUARD}"
        ) from error
    return done


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)
