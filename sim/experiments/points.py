"""The runs of an experiment as points in the space of its factors, and a condition on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray
from sim.core.errors import Problem, RunError, ScenarioError
from sim.core.expression import parse_condition
from sim.core.figures import NotFiniteError, UnknownNameError, unknown_name
from sim.core.lexer import ExpressionError
from sim.experiments.boxes import Column
from sim.experiments.gate import judge, nested_row, parse_gate
from sim.experiments.journal import read_identity
from sim.experiments.table import read_runs

if TYPE_CHECKING:
    import pandas as pd


def points_of(folder: Path, where: str) -> tuple[pd.DataFrame, BoolArray, list[str]]:
    """Return the runs or cells that are points, in which the condition holds, and warnings.

    A condition on a run makes every run a point; one of statistics makes every cell a point.

    Raises
    ------
    ScenarioError
        The folder is no experiment's.
    ExpressionError
        The condition cannot be read.
    """
    identity = read_identity(folder)
    frame = read_runs(folder)
    known = [*identity["columns"]["metrics"], *identity["columns"]["factors"]]
    try:
        condition = parse_condition(where)
    except ExpressionError as error:
        return _cells(frame, where, known, error)
    for path in condition.names:
        if ".".join(path) not in known:
            raise UnknownNameError(unknown_name((), ".".join(path), dict.fromkeys(known)))
    good = frame[frame["status"] == "ok"]
    answers: list[bool | None] = []
    for row in good.to_dict("records"):
        try:
            answers.append(condition.holds(nested_row(row)))
        except NotFiniteError:
            answers.append(None)
    told = np.array([answer is not None for answer in answers], dtype=np.bool_)
    warnings = []
    if left := len(frame) - int(told.sum()):
        warnings.append(f"{left:,} of {len(frame):,} runs failed or have no value; left out")
    if int(frame["replication"].max()) > 0:
        warnings.append(
            "the runs of a cell are counted as if they were independent; a condition on cells, "
            f"such as 'share({where}) > 50%', does not"
        )
    return good[told], np.array([a for a in answers if a is not None], dtype=np.bool_), warnings


def _cells(
    frame: pd.DataFrame, where: str, known: Sequence[str], first: ExpressionError
) -> tuple[pd.DataFrame, BoolArray, list[str]]:
    """Return the same with cells as points; `first` says why it is no condition on a run."""
    try:
        gate = parse_gate(where, known)
    except UnknownNameError:
        raise
    except ExpressionError:
        raise first from None
    verdict = judge(gate, frame)
    open_cells = {cell for cell, _ in verdict.unanswered}
    cells = frame.drop_duplicates("cell")
    cells = cells[~cells["cell"].isin(open_cells)]
    warnings = []
    if verdict.unanswered:
        cell, why = verdict.unanswered[0]
        warnings.append(f"{len(open_cells):,} cells left out; cell {cell}: {why}")
    return cells, cells["cell"].isin(verdict.breached).to_numpy(dtype=np.bool_), warnings


def columns_of(folder: Path, table: pd.DataFrame) -> list[Column]:
    """Return the factors that differ between the points.

    Raises
    ------
    ScenarioError
        A factor has no value in some cell.
    RunError
        No factor differs.
    """
    found: list[Column] = []
    for name, kind in read_identity(folder)["columns"]["factors"].items():
        if table[name].isna().any():
            missing = f"{int(table[name].isna().sum()):,} runs without a value of {name}"
            allowed = "factors that every cell sets"
            raise ScenarioError(Problem(str(folder), None, None, "factors", missing, allowed))
        if table[name].nunique() < 2:
            continue
        if kind in ("DOUBLE", "BIGINT"):
            found.append(Column(name, table[name].to_numpy(dtype=np.float64)))
        else:
            found.append(Column(name, np.array([str(v) for v in table[name]], dtype=object)))
    if not found:
        raise RunError(f"no factor differs between the runs of {folder}; there is no box to find")
    return found
