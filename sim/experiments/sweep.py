"""All cells of an experiment, all replications, on all cores, into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sim.experiments.execute import at_work, number_of_workers
from sim.experiments.plan import Plan, columns_of, prepare
from sim.experiments.plots import Plots
from sim.experiments.store import Store
from sim.experiments.table import read_runs
from sim.experiments.task import Task

if TYPE_CHECKING:
    import pandas as pd

Watch = Callable[[int, int, int], None]
"""Called with the runs finished, the runs in all and the runs that failed."""


@dataclass(frozen=True)
class SweepResult:
    """The runs of an experiment.

    Attributes
    ----------
    plan : Plan
        The experiment.
    folder : Path
        Its store.
    done_before : int
        Runs that were there already.
    dropped : int
        Broken lines of the journal, whose runs were done again.
    """

    plan: Plan
    folder: Path
    done_before: int = 0
    dropped: int = 0

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per run: cell, replication, seed, factors, metrics, status, timing.

        A store may hold more replications than the plan asks for; they are left out.
        """
        runs = read_runs(self.folder)
        wanted = runs["replication"] < self.plan.experiment.replications
        return runs if wanted.all() else runs[wanted].reset_index(drop=True)

    @property
    def factors(self) -> list[str]:
        """Columns of the factors."""
        return list(columns_of(self.plan))

    @property
    def metrics(self) -> list[str]:
        """Columns of the metrics."""
        return [metric.name for metric in self.plan.experiment.metrics]

    @property
    def plot(self) -> Plots:
        """Figures: ``plot.factor(metric, factor)``, ``plot.heatmap(metric, x, y)``; or all."""
        return Plots(self)

    @property
    def failures(self) -> pd.DataFrame:
        """The runs that failed, with stage and message."""
        return self.frame[self.frame["status"] != "ok"]


def sweep(
    experiment: str | Path | Plan,
    *,
    out: str | Path = "results",
    workers: int | None = None,
    executor: Executor | None = None,
    watch: Watch | None = None,
    retry_failed: bool = False,
) -> SweepResult:
    """Run what an experiment has not run yet.

    Parameters
    ----------
    experiment : path or Plan
        Experiment file, or what `prepare` made of it.
    out : path
        Folder of results; the store is ``<out>/<name>``.
    workers : int, optional
        Processes on this machine, or tasks at once on `executor`; the number of cores by default.
    executor : Executor, optional
        Any other place to work, such as ``dask.distributed.Client(...).get_executor()``.
    watch : callable, optional
        Told of every finished run.
    retry_failed : bool
        Run those again that failed; the table has the last attempt of each.

    Returns
    -------
    SweepResult
        The same whatever the number of workers, but for timings.

    Raises
    ------
    ScenarioError
        The experiment cannot be used, or the folder belongs to another one.
    RunError
        The folder cannot be written, or the executor ended before its work did.

    Notes
    -----
    Calling it again goes on where it stopped: a run that is in the store is not run again.
    """
    plan = experiment if isinstance(experiment, Plan) else prepare(experiment)
    folder = Path(out) / plan.experiment.name
    workers = number_of_workers(workers)
    with Store(folder, plan, retry_failed=retry_failed) as store:
        before = store.finished
        _run_missing(plan, store, workers, executor, watch)
        store.write_table()
        return SweepResult(plan, folder, before, store.dropped)


def _run_missing(
    plan: Plan, store: Store, workers: int, executor: Executor | None, watch: Watch | None
) -> None:
    """Run what is not in the store, and write every row to it as it comes."""
    done, failed = store.finished, 0
    if watch is not None:
        watch(done, plan.runs, failed)
    with at_work(workers, executor) as work:
        for row in work(tasks_of(plan, store)):
            store.add(row, plan.cells[row["cell"]].values)
            done += 1
            failed += row["status"] != "ok"
            if watch is not None:
                watch(done, plan.runs, failed)


def tasks_of(plan: Plan, store: Store) -> Iterator[Task]:
    """Yield the runs that are missing, in the order of the plan."""
    keep = plan.experiment.keep
    metrics = tuple((metric.name, metric.value) for metric in plan.experiment.metrics)
    for cell, replication in plan.order():
        if not store.has(cell.number, replication):
            yield Task(
                plan.base_of(cell),
                cell.overrides,
                cell.number,
                replication,
                plan.seed_of(cell.number, replication),
                metrics,
                summary=keep != "metrics",
                folder=str(store.folder / "runs") if keep == "runs" else None,
            )
