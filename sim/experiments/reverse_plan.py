"""A reverse stress test made ready: everything wrong with it is found before it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.core.errors import Problem, ScenarioError
from sim.experiments.check import problem_at
from sim.experiments.search import SearchPlan
from sim.experiments.search_plan import condition_problems, search_plan
from sim.experiments.ways import Axis, axis_of
from sim.schema import load_experiment, resolved

if TYPE_CHECKING:
    from sim.schema import Experiment, Factor
    from sim.schema.experiment_reverse import Reverse


def prepare_reverse(
    file: str | Path, find: Callable[[str], Path] = Path, overrides: dict[str, Any] | None = None
) -> SearchPlan:
    """Read an experiment file with a `reverse` block and check all of it.

    Parameters
    ----------
    file, find, overrides
        As of `sim.experiments.plan.prepare`.

    Raises
    ------
    ScenarioError
        With every mistake that was found.
    """
    experiment = load_experiment(file)
    problems = [*_problems(experiment)]
    if problems:
        raise ScenarioError(problems)
    block = block_of(experiment)
    named = [(item.name, item.condition) for item in block.asked]
    plan = search_plan(
        experiment,
        find,
        overrides,
        replications=experiment.replications,
        places=_places(experiment),
        conditions=named,
    )
    paths: list[tuple[str | int, ...]] = [("reverse", "condition")]
    if block.conditions is not None:
        paths = [("reverse", "conditions", number) for number in range(len(named))]
    asked = [(path, *pair) for path, pair in zip(paths, named, strict=True)]
    problems = [*condition_problems(experiment, replace(plan, cells=plan.probes), asked)]
    if len(free_factors(experiment)) > 1:
        problems += _axis_problems(plan)
    if problems:
        raise ScenarioError(problems)
    return plan


def block_of(experiment: Experiment) -> Reverse:
    """Return what an experiment asks."""
    assert experiment.reverse is not None
    return experiment.reverse


def free_factors(experiment: Experiment) -> list[Factor]:
    """Return the factors that are searched; one that lists a single value keeps it."""
    return [factor for factor in experiment.factors if factor.values is None]


def _problems(experiment: Experiment) -> Iterator[Problem]:
    """Yield what keeps an experiment from being searched at all."""
    if experiment.reverse is None:
        allowed = "a block with the condition that is to hold"
        yield problem_at(experiment, ("reverse",), "nothing", allowed)
        return
    free = free_factors(experiment)
    if not free:
        allowed = "at least one with a range or distribution"
        yield problem_at(experiment, ("factors",), "none that varies", allowed)
    for number, factor in enumerate(experiment.factors):
        if len(factor.values or ()) > 1:
            found = "a list of values"
            allowed = "a range or distribution, which can be halved, or a single value"
            yield problem_at(experiment, ("factors", number, "values"), found, allowed)
        elif factor.distribution is not None and factor.distribution.dist == "constant":
            path = ("factors", number, "distribution")
            yield problem_at(experiment, path, "a constant", "a distribution that spreads")
    if not experiment.common_random_numbers:
        allowed = "true: each seed's own threshold is sought"
        yield problem_at(experiment, ("common_random_numbers",), "false", allowed)
    columns = [factor.column for factor in free]
    for key in ("base", "unit"):
        for name in getattr(experiment.reverse, key):
            if name not in columns:
                allowed = f"a column of a factor: {', '.join(columns)}"
                yield problem_at(experiment, ("reverse", key, name), f"'{name}'", allowed)
            elif len(columns) == 1:
                allowed = f"no {key} with a single factor, whose range is the way"
                yield problem_at(experiment, ("reverse", key, name), f"'{name}'", allowed)


def _axis_problems(plan: SearchPlan) -> Iterator[Problem]:
    """Yield factors that no distance can be measured along."""
    for number, factor in enumerate(plan.experiment.factors):
        try:
            if factor.values is None:
                axis_in(plan, factor)
        except ValueError as error:
            found, _, allowed = str(error).removeprefix("found ").partition("; allowed: ")
            yield problem_at(plan.experiment, ("factors", number), found, allowed)


def axis_in(plan: SearchPlan, factor: Factor) -> Axis:
    """Return the axis along which a factor's distance from its base is measured.

    Raises
    ------
    ValueError
        If there is none.
    """
    block = block_of(plan.experiment)
    base = block.base.get(factor.column)
    if base is None and factor.distribution is None:
        base = _number_at(resolved(plan.base.scenario({})), factor.path[0])
    return axis_of(factor, base, block.unit.get(factor.column))


def _number_at(data: Any, path: str) -> float | None:
    """Return the number at a path of a scenario, None where there is none."""
    for key in path.split("."):
        if isinstance(data, list) and key.isdigit() and int(key) < len(data):
            data = data[int(key)]
        elif isinstance(data, dict) and key in data:
            data = data[key]
        else:
            return None
    number = isinstance(data, (int, float)) and not isinstance(data, bool)
    return float(data) if number else None


def _places(experiment: Experiment) -> int:
    """Return the most cells that a search can ask for."""
    block = block_of(experiment)
    halvings = math.ceil(math.log2(1.0 / block.tolerance)) + 1
    way = block.scan + 5 + min((1 << halvings) * block.scan, halvings * experiment.replications)
    way += halvings  # of the share of all replications, where their own thresholds are no answer
    return len(block.asked) * (way + (block.trials if len(free_factors(experiment)) > 1 else 0))
