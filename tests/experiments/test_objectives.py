"""Objectives over runs, and which settings no other is better than."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.core.lexer import ExpressionError
from sim.experiments.objectives import best_fronts, goal_of, undominated
from sim.experiments.statistics import expected_shortfall, mean_interval, quantile_interval
from sim.schema.experiment_optimise import Objective

COLUMNS = ["loss", "fund", "venues.beta.equity"]


def rows(values: list[float]) -> list[dict[str, float]]:
    """Return runs with these losses and a fund of 10."""
    return [{"loss": value, "fund": 10.0, "venues.beta.equity": 4.0} for value in values]


def test_statistics_are_those_of_many_runs() -> None:
    values = np.random.Generator(np.random.PCG64(3)).pareto(2.0, 100)
    runs = rows(values.tolist())
    level = 0.95

    def told(text: str) -> object:
        objective = Objective(minimise=text)
        return goal_of("x", 1.0, *objective.parts, COLUMNS).of(runs, level)

    assert told("mean(loss)") == mean_interval(values)
    assert told("es90(loss)") == expected_shortfall(values, 0.9)
    assert told("p90(loss + fund)") == quantile_interval(values + 10, 0.9)
    assert told("median(loss / fund)") == quantile_interval(values / 10, 0.5)
    assert told("mean(venues.beta.equity * 2)") == mean_interval(np.full(100, 8.0))
    share = goal_of("x", 1.0, "share", "loss > 1", COLUMNS).of(runs, level)
    assert share.value == np.mean(values > 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("loss", "one statistic over the runs"),
        ("mean(loss) + mean(fund)", "found '\\)'"),
        ("variance(loss)", "no statistic 'variance'"),
        ("p0(loss)", "no statistic 'p0'"),
        ("mean(los)", "did you mean 'loss'"),
        ("mean(mean(loss))", "no function 'mean'"),
        ("mean()", "a number or a name"),
    ],
)
def test_what_is_no_objective_is_refused(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        goal_of("x", 1.0, *Objective(minimise=text).parts, COLUMNS)


def test_a_share_of_something_else_than_a_condition_is_refused() -> None:
    with pytest.raises(ExpressionError, match="a share is taken of a condition"):
        goal_of("x", 1.0, "share", "loss", COLUMNS).of(rows([0.5]), 0.95)


points = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30
)


@settings(max_examples=60)
@given(points)
def test_the_front_is_what_nobody_beats(drawn: list[tuple[int, int, int]]) -> None:
    values = np.array(drawn, dtype=float)
    front = undominated(values)
    assert front.any()
    for k, point in enumerate(values):
        beaten = any((other <= point).all() and (other < point).any() for other in values)
        assert front[k] == (not beaten)


@settings(max_examples=60)
@given(points, st.integers(1, 12))
def test_fronts_are_peeled_until_there_are_enough(
    drawn: list[tuple[int, int, int]], least: int
) -> None:
    values = np.array(drawn, dtype=float)
    taken = best_fronts(values, least)
    assert len(taken) >= min(least, len(values))
    assert len(set(taken)) == len(taken)
    assert set(np.flatnonzero(undominated(values)).tolist()) <= set(taken)
    for k in taken:
        better = (values <= values[k]).all(axis=1) & (values < values[k]).any(axis=1)
        assert set(np.flatnonzero(better).tolist()) <= set(taken)


def test_one_run_has_no_interval() -> None:
    found = goal_of("x", 1.0, "mean", "loss", COLUMNS).of(rows([2.0]), 0.95)
    assert found.value == 2.0
    assert math.isnan(found.low)
