"""Objectives of an optimisation: a statistic over the runs of a cell, with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.core.arrays import BoolArray, FloatArray
from sim.core.expression import Formula, parse_formula
from sim.core.figures import UnknownNameError, unknown_name
from sim.core.lexer import ExpressionError
from sim.experiments.statistics import INTERVALS, Estimate, Estimator, estimator


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be small or large.

    Attributes
    ----------
    title : str
        Its name.
    sign : float
        1 for small, -1 for large.
    formula : Formula
        The figure of each run.
    estimate : callable
        From the figures of all runs and a confidence to the statistic with its interval.
    least : callable
        From a confidence to the fewest runs that the statistic can be told from.
    """

    title: str
    sign: float
    formula: Formula
    estimate: Estimator
    least: Callable[[float], int]

    def of(self, rows: Sequence[Mapping[str, Any]], level: float) -> Estimate:
        """Return the statistic over runs, each a table of figure by column.

        Raises
        ------
        ExpressionError
            If a figure has no finite value in some run, or there are too few runs.
        """
        return self.estimate([self._figure(row) for row in rows], level)

    def _figure(self, row: Mapping[str, Any]) -> float:
        nested: dict[str, Any] = {}
        for path in self.formula.names:
            place = nested
            for key in path[:-1]:
                place = place.setdefault(key, {})
            place[path[-1]] = row[".".join(path)]
        return self.formula.value(nested)


def goal_of(title: str, sign: float, statistic: str, inner: str, columns: Sequence[str]) -> Goal:
    """Return the goal that an objective's text means.

    Parameters
    ----------
    title : str
        Its name.
    sign : float
        1 for small, -1 for large.
    statistic, inner : str
        What stands before and within the parentheses.
    columns : sequence of str
        Metrics and factors there are.

    Raises
    ------
    ExpressionError
        If there is no such statistic or figure; the message says what there is.
    """
    if not statistic:
        raise ExpressionError(
            f"one statistic over the runs of a cell, such as mean(x): {INTERVALS}; arithmetic goes "
            "inside its parentheses"
        )
    found = estimator(statistic)
    if found is None:
        raise ExpressionError(f"no statistic '{statistic}'; there are: {INTERVALS}")
    estimate, least = found
    formula = parse_formula(inner)
    for path in formula.names:
        name = ".".join(path)
        if name not in columns:
            raise UnknownNameError(unknown_name((), name, dict.fromkeys(columns)))
    return Goal(title, sign, formula, estimate, least)


def undominated(values: FloatArray) -> BoolArray:
    """Return which points no other is at least as good as everywhere and better somewhere.

    Parameters
    ----------
    values : (N, K) float64
        K objectives of N points, all to be small.
    """
    found = np.ones(len(values), dtype=bool)
    for k, point in enumerate(values):
        better = (values <= point).all(axis=1) & (values < point).any(axis=1)
        found[k] = not better.any()
    return found


def best_fronts(values: FloatArray, least: int) -> list[int]:
    """Return the points of the front, and of those behind it until there are enough."""
    left, taken = np.arange(len(values)), list[int]()
    while left.size and len(taken) < least:
        front = undominated(values[left])
        taken += [int(k) for k in left[front]]
        left = left[~front]
    return taken
