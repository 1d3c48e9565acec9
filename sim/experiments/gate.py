"""Conditions on an experiment, such as ``p99(shortfall) > 1e6``: a margin policy as a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.core.expression import Condition, parse_condition
from sim.core.figures import UnknownNameError, unknown_name
from sim.core.grammar import RUNS, Statistic
from sim.core.lexer import ExpressionError
from sim.experiments.statistics import LEVEL, STATISTICS, estimator, statistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate said of each cell.

    Attributes
    ----------
    breached : tuple of int
        Cells in which the condition holds.
    unanswered : tuple of (int, str)
        Cells without an answer, and why: too few runs, a figure without value, failed runs.
    """

    breached: tuple[int, ...]
    unanswered: tuple[tuple[int, str], ...]


def parse_gate(text: str, columns: Sequence[str], replications: int | None = None) -> Condition:
    """Read a condition on the runs of a cell.

    Parameters
    ----------
    text : str
        Statistics of metrics and factors, compared: ``p99(shortfall) > 1e6``,
        ``share(half > 0.5) >= 10%``.
    columns : sequence of str
        Metrics and factors there are.
    replications : int, optional
        Runs that each cell will have.

    Raises
    ------
    ExpressionError
        If it cannot be read, names a column that is not there, or takes more runs than there
        will be.
    """

    def known(name: str) -> Statistic | None:
        found = estimator(name)
        needed = 1 if found is None else found[1](LEVEL)
        if replications is not None and needed > replications:
            raise ExpressionError(
                f"{name} takes {needed:,} runs of a cell; replications are {replications:,}"
            )
        return statistic(name)

    gate = parse_condition(text, known, STATISTICS)
    for path in gate.names:
        name = ".".join(path)
        if name not in columns:
            raise UnknownNameError(unknown_name((), name, dict.fromkeys(columns)))
    return gate


def judge(gate: Condition, frame: pd.DataFrame) -> Verdict:
    """Return what a gate says of every cell of a table of runs.

    A cell with failed runs has no answer: what they would have shown is not known.
    """
    breached, unanswered = [], []
    for cell, runs in frame.groupby("cell", sort=True):
        number = int(str(cell))
        failed = int((runs["status"] != "ok").sum())
        if failed:
            unanswered.append((number, f"{failed} of {len(runs)} runs failed"))
            continue
        try:
            if gate.holds({RUNS: [nested_row(row) for row in runs.to_dict("records")]}):
                breached.append(number)
        except ExpressionError as error:
            unanswered.append((number, str(error)))
    return Verdict(tuple(breached), tuple(unanswered))


def nested_row(row: dict[Any, Any]) -> dict[str, Any]:
    """Return the columns of a run as the nested table that a condition walks into."""
    nested: dict[str, Any] = {}
    for column, value in row.items():
        parts = str(column).split(".")
        place = nested
        for part in parts[:-1]:
            below = place.setdefault(part, {})
            place = below if isinstance(below, dict) else {}
        place[parts[-1]] = value
    return nested
