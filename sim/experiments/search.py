"""Runs that a search asks for as it goes: each is done once, kept, and found again.

A search decides from results what to run next. Given the same results it asks for the same runs,
so a search that was interrupted is simply begun again: what is in the store is answered from
there. ``points.jsonl`` in the folder keeps the number that each setting of the factors got.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.core.errors import RunError
from sim.experiments.check import describe
from sim.experiments.design import Cell, cell_of
from sim.experiments.execute import Perform, Work, at_work, number_of_workers
from sim.experiments.journal import cut, rows_of
from sim.experiments.plan import Plan
from sim.experiments.store import Store
from sim.experiments.table import read_runs
from sim.experiments.task import Row, Task

if TYPE_CHECKING:
    import pandas as pd

POINTS = "points.jsonl"
"""File of the folder with the settings in the order in which they were asked for."""

Watch = Callable[[int, int, int], None]
"""Called with the runs finished, the runs expected and the runs that failed."""

Values = tuple[Any, ...]
"""A value for each factor, in their order."""


@dataclass(frozen=True, slots=True)
class SearchPlan(Plan):
    """A plan whose cells are found on the way.

    Attributes
    ----------
    probes : tuple of Cell
        Settings at the ends of the factors, which were checked before anything runs. `cells`
        holds as many places as the search can fill.
    """

    probes: tuple[Cell, ...] = ()

    def identity(self) -> dict[str, Any]:
        """Return what makes the runs of this search themselves.

        How the search goes does not count: the same runs answer another question too.
        """
        found = Plan(self.experiment, self.base, self.probes, self.seed).identity()
        for key in ("reverse", "optimise", "calibrate", "design"):
            found["experiment"].pop(key, None)
        return found


@dataclass(frozen=True)
class SearchResult:
    """What a search leaves, whatever it looked for.

    Attributes
    ----------
    plan : SearchPlan
        The experiment.
    folder : Path
        Its store.
    done_before : int
        Runs that were there already.
    """

    plan: SearchPlan
    folder: Path
    done_before: int = field(default=0, kw_only=True)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per run that was tried: cell, factors, seed, metrics."""
        return read_runs(self.folder)

    @property
    def factors(self) -> list[str]:
        """Columns of the factors that vary."""
        return [f.column for f in self.plan.experiment.factors if len(f.values or ()) != 1]


class Search:
    """The runs of a search, done where they are missing.

    Parameters
    ----------
    plan : SearchPlan
        Factors, scenario, metrics; its replications are the most that a cell can get.
    store : Store
        Opened.
    work : callable
        From `at_work`.
    watch : callable, optional
        Told of every finished run.
    """

    def __init__(
        self, plan: SearchPlan, store: Store, work: Work, watch: Watch | None = None
    ) -> None:
        self.plan = plan
        self.expected = 0
        """Runs that the search is likely to need in all."""
        self._store, self._work, self._watch = store, work, watch
        self._cells: list[Cell] = []
        self._number: dict[str, int] = {}
        self._failed = 0
        _mend(store.folder / POINTS)
        for values in points_of(store.folder):
            self._enter(values)
        cells = range(len(self._cells))
        self._rows = {
            (row["cell"], row["replication"]): row
            for row in rows_of(store.folder)
            if row["cell"] in cells and store.has(row["cell"], row["replication"])
        }

    @property
    def folder(self) -> Path:
        """Where the runs are."""
        return self._store.folder

    @property
    def finished(self) -> int:
        """Number of runs that are there."""
        return len(self._rows)

    def number(self, values: Values) -> int:
        """Return the number of the cell with these values, a new one if it has none yet."""
        key = json.dumps(list(values))
        if key not in self._number:
            with (self._store.folder / POINTS).open("a", encoding="utf-8") as stream:
                stream.write(key + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            self._enter(values)
        return self._number[key]

    def measure(self, wanted: Iterable[tuple[Values, int]]) -> None:
        """Do those of the wanted runs, each a cell's values and a replication, that are missing.

        Raises
        ------
        RunError
            If the search needs more cells than its plan has places for.
        """
        missing = {
            pair: None
            for values, replication in wanted
            if (pair := (self.number(values), replication)) not in self._rows
        }
        if not missing:
            return
        if len(self._cells) > len(self.plan.cells):
            raise RunError(f"the search needs more than {len(self.plan.cells):,} cells")
        total = max(self.expected, self.finished + len(missing))
        for row in self._work(self._task(*pair) for pair in sorted(missing)):
            self._store.add(row, self._cells[row["cell"]].values)
            self._rows[row["cell"], row["replication"]] = row
            self._failed += row["status"] != "ok"
            if self._watch is not None:
                self._watch(self.finished, total, self._failed)

    def row(self, values: Values, replication: int) -> Row | None:
        """Return a run that was measured, or None if it was not."""
        number = self._number.get(json.dumps(list(values)))
        return None if number is None else self._rows.get((number, replication))

    def figure(self, values: Values, replication: int, metric: str) -> float | None:
        """Return a metric of a run that was measured, None where it has no value.

        Raises
        ------
        RunError
            If the run failed: what it would have shown is not known.
        """
        row = self.row(values, replication)
        assert row is not None
        if row["status"] != "ok":
            cell = self._cells[row["cell"]]
            raise RunError(
                f"cell {cell.number} ({describe(cell.values)}), replication {replication}, failed, "
                f"so that the search has no answer there: {row['stage']}: {row['message']}"
            )
        found: float | None = row["metrics"][metric]
        return found

    def _enter(self, values: Sequence[Any]) -> None:
        cell = cell_of(len(self._cells), self.plan.experiment.factors, values)
        self._number[json.dumps(list(values))] = cell.number
        self._cells.append(cell)

    def _task(self, number: int, replication: int) -> Task:
        experiment, cell = self.plan.experiment, self._cells[number]
        return Task(
            self.plan.base,
            cell.overrides,
            number,
            replication,
            self.plan.seed_of(number, replication),
            tuple((metric.name, metric.value) for metric in experiment.metrics),
            summary=experiment.keep != "metrics",
            folder=str(self._store.folder / "runs") if experiment.keep == "runs" else None,
        )


def points_of(folder: Path) -> list[list[Any]]:
    """Return the settings that a search has asked for; a line that was cut off is left out."""
    path = folder / POINTS
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def _mend(path: Path) -> None:
    """Cut off a last line that a crash left without its end."""
    if path.exists():
        text = path.read_bytes()
        cut(path, text.rfind(b"\n") + 1)


@contextmanager
def opened(
    plan: SearchPlan,
    out: str | Path,
    workers: int | None,
    executor: Executor | None,
    watch: Watch | None,
    retry_failed: bool,
    perform: Perform,
) -> Iterator[Search]:
    """Yield the search of a plan; when it is done, the table of its runs is written.

    Raises
    ------
    ValueError
        If there are no workers.
    """
    folder = Path(out) / plan.experiment.name
    workers = number_of_workers(workers)
    # Cells that an earlier search in the folder asked for keep their numbers.
    plan = replace(plan, cells=plan.cells + plan.cells[:1] * len(points_of(folder)))
    with (
        Store(folder, plan, retry_failed=retry_failed) as store,
        at_work(workers, executor, perform) as work,
    ):
        yield Search(plan, store, work, watch)
        store.write_table()
