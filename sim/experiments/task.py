"""One run of an experiment, done wherever a worker stands: task in, row out, never an exception."""

from __future__ import annotations

import gc
import os
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sim.core.errors import SimError
from sim.core.expression import Formula, parse_formula
from sim.core.figures import NotFiniteError, UnknownNameError
from sim.core.lexer import ExpressionError
from sim.experiments.plan import Base
from sim.schema import Scenario
from sim.schema.book_shelf import Shelf, books_kept

Row = dict[str, Any]
"""One run as JSON has it: cell, replication, seed, status, stage, message, figures."""

WHATEVER: tuple[type[Exception], ...] = (Exception,)
"""Errors of a run that become its row: all but an interruption."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is to run.

    Attributes
    ----------
    base : Base
        Scenario without factors.
    overrides : dict
        Value by path of this cell.
    cell, replication, seed : int
        Which run it is.
    metrics : tuple of (str, str)
        Column and formula of each figure.
    summary : bool
        Whether the row carries the whole summary.
    folder : str or None
        Where the run folder goes, if it is kept.
    """

    base: Base
    overrides: dict[str, Any]
    cell: int
    replication: int
    seed: int
    metrics: tuple[tuple[str, str], ...]
    summary: bool = False
    folder: str | None = None


def perform(task: Task) -> Row:
    """Run a task and return its row; a run that fails is a row with its stage and message."""
    began = time.perf_counter()
    row: Row = {
        "cell": task.cell,
        "replication": task.replication,
        "seed": task.seed,
        "status": "failed",
        "stage": "scenario",
        "message": None,
        "run_id": None,
        "metrics": {name: None for name, _ in task.metrics},
    }
    try:
        _fill(row, task)
    except WHATEVER as error:
        row["message"] = _message(error)
    gc.collect(1)  # a world refers to itself: few objects, large arrays, which else would pile up
    row["wall_seconds"] = time.perf_counter() - began
    row["worker"] = os.getpid()
    return row


def _fill(row: Row, task: Task) -> None:
    """Go through the stages of a run and write into its row what each gives."""
    from sim.engine import run

    scenario = _scenario(task)
    row["stage"] = "run"
    with books_kept(_kept.shelf):
        result = run(scenario, seed=task.seed)
    row["run_id"] = result.summary["run_id"]
    row["stage"] = "metrics"
    for name, text in task.metrics:
        row["metrics"][name] = figure_of(_formula(text), result.summary)
    if task.summary:
        row["summary"] = result.summary
    if task.folder is not None:
        row["stage"] = "save"
        result.save(task.folder, figures=False)
    row["stage"], row["status"] = "done", "ok"


def figure_of(formula: Formula, summary: dict[str, Any]) -> float | None:
    """Return a formula's value for a summary, or None where it has no finite value.

    None too where a run has no such figure, such as that of a layer of other cells; names that no
    cell has were refused before.
    """
    try:
        return formula.value(summary)
    except (NotFiniteError, UnknownNameError):
        return None


def _message(error: BaseException) -> str:
    """Return an error on one line."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = " ".join(str(error).split())
    return text if isinstance(error, (SimError, ExpressionError)) else _named(error, text)


def _named(error: BaseException, text: str) -> str:
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class _Kept(threading.local):
    """What a thread keeps for its next run; an executor may have several in one process."""

    def __init__(self) -> None:
        self.key: object = None
        self.scenario: Scenario | None = None
        self.shelf = Shelf()


_kept = _Kept()


def forget() -> None:
    """Let go of the scenario and the books that this thread kept for the next run."""
    _kept.key = _kept.scenario = None
    _kept.shelf.clear()


def _scenario(task: Task) -> Scenario:
    """Return the scenario of a task; the one of the task before is kept, cells come together."""
    key = (task.base, task.cell, repr(task.overrides))  # as text, since True equals 1
    if _kept.scenario is None or _kept.key != key:
        _kept.scenario, _kept.key = task.base.scenario(task.overrides), key
    return _kept.scenario


@lru_cache(maxsize=256)
def _formula(text: str) -> Formula:
    return parse_formula(text)
