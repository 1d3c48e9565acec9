"""A search made ready: its factors, bounds and figures checked before anything runs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.errors import Problem, ScenarioError
from sim.core.expression import Condition, Formula, parse_condition
from sim.core.figures import UnknownNameError
from sim.core.lexer import ExpressionError
from sim.engine.figure_names import TEXTS, known_figures
from sim.experiments.check import problem_at, problems_of_plan
from sim.experiments.design import Cell, cell_of, values_at
from sim.experiments.plan import Plan, plan_of
from sim.experiments.search import SearchPlan
from sim.schema.experiment import LatinHypercube, Metric
from sim.schema.experiment_checks import TAKEN

if TYPE_CHECKING:
    from sim.schema import Experiment, Factor, Scenario

EDGE = 0.0005
"""Probability in each tail of a distribution that a search leaves out."""

MOST_PROBES = 64
"""Combinations of ends that are all checked; of more, each factor's ends are."""


def share_range(factor: Factor) -> tuple[float, float]:
    """Return the lowest and the highest probability at which a search takes a factor's value."""
    return (EDGE, 1.0 - EDGE) if factor.distribution is not None else (0.0, 1.0)


def search_plan(
    experiment: Experiment,
    find: Callable[[str], Path],
    overrides: dict[str, Any] | None,
    *,
    replications: int,
    places: int,
    conditions: Sequence[tuple[str, str]] = (),
) -> SearchPlan:
    """Return the plan of a search.

    Parameters
    ----------
    experiment : Experiment
        As its file says; its design plays no role.
    find, overrides
        As of `sim.experiments.plan.prepare`.
    replications : int
        Most runs of a cell.
    places : int
        Most cells.
    conditions : sequence of (str, str)
        Name and text of conditions that become metrics of 0 and 1, which were checked.

    Raises
    ------
    ScenarioError
        With every mistake of the experiment, its scenario, and the ends of its factors.
    """
    once = experiment.model_copy(update={"design": LatinHypercube(cells=1)})
    plan = plan_of(once, find, overrides)
    probes = tuple(_probes(experiment.factors))
    at_ends = Plan(once, plan.base, probes, plan.seed)
    problems = problems_of_plan(at_ends, plan.base.scenario({}))
    if problems:
        raise ScenarioError(problems)
    there = {metric.name for metric in experiment.metrics}
    more = [Metric(name=name, value=text) for name, text in conditions if name not in there]
    changed = {"metrics": [*experiment.metrics, *more], "replications": replications}
    blank = Cell(-1, {}, {})
    return SearchPlan(
        experiment.model_copy(update=changed),
        plan.base,
        (blank,) * places,
        plan.seed,
        probes=probes,
    )


def _probes(factors: Sequence[Factor]) -> Iterator[Cell]:
    """Yield cells at the ends of all factors."""
    ends = [_ends(factor) for factor in factors]
    if np.prod([float(len(levels)) for levels in ends]) <= MOST_PROBES:
        rows = [list(row) for row in itertools.product(*ends)]
    else:
        first = [levels[0] for levels in ends]
        rows = [first, [levels[-1] for levels in ends]]
        for k, levels in enumerate(ends):
            rows += [[*first[:k], value, *first[k + 1 :]] for value in levels[1:]]
    for number, row in enumerate(rows):
        yield cell_of(number, factors, row)


def _ends(factor: Factor) -> list[Any]:
    """Return the extreme values of a factor, or all of those that it lists."""
    if factor.values is not None:
        return list(factor.values)
    return values_at(factor, np.array(share_range(factor)))


def condition_problems(
    experiment: Experiment, plan: Plan, asked: Sequence[tuple[tuple[str | int, ...], str, str]]
) -> Iterator[Problem]:
    """Yield what is wrong with conditions on a run.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    plan : Plan
        With cells in which the figures are looked up.
    asked : sequence of (path, str, str)
        Key of the file, name and text of each.
    """
    taken = {*TAKEN, *(factor.column for factor in experiment.factors)}
    metrics = {metric.name: metric.value for metric in experiment.metrics}
    scenarios = [plan.base.scenario(cell.overrides) for cell in plan.cells]
    for path, name, text in asked:
        if name in taken or metrics.get(name, text) != text:
            found = f"'{name}', the name of another column"
            yield problem_at(experiment, path, found, "a name of its own")
        try:
            look(parse_condition(text), scenarios)
        except ExpressionError as error:
            yield problem_at(experiment, path, f"'{text}'", f"a condition on a run; {error}")


def look(said: Formula | Condition, scenarios: Sequence[Scenario]) -> None:
    """Look the figures of a formula or condition up.

    Raises
    ------
    UnknownNameError
        Unless some scenario has all of them, as numbers.
    """
    for path in said.names:
        if path[0] in TEXTS:
            raise UnknownNameError(f"'{path[0]}' is text, not a number")
    wrong: UnknownNameError | None = None
    for scenario in scenarios:
        try:
            said.check_names(known_figures(scenario))
        except UnknownNameError as error:
            wrong = wrong or error
        else:
            return
    if wrong is not None:
        raise wrong
