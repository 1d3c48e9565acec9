"""Reverse stress test: the smallest shock at which a condition holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.errors import Problem, ScenarioError
from sim.experiments.answers import Answer, answer_of
from sim.experiments.check import problem_at
from sim.experiments.execute import Perform, workers_by_default
from sim.experiments.mixes import nearest_mix
from sim.experiments.plan import columns_of
from sim.experiments.search import Search, SearchPlan, Values, Watch, at_work, points_of
from sim.experiments.search_plan import condition_problems, search_plan
from sim.experiments.store import Store
from sim.experiments.table import read_runs
from sim.experiments.task import perform as perform_task
from sim.experiments.threshold import find_threshold
from sim.experiments.ways import Axis, RangeWay, Ray, Way, axis_of
from sim.schema import load_experiment, resolved

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from sim.schema import Experiment, Factor
    from sim.schema.experiment_reverse import NamedCondition, Reverse


@dataclass(frozen=True)
class ReverseResult:
    """Where each condition begins to hold.

    Attributes
    ----------
    plan : SearchPlan
        The experiment.
    folder : Path
        Its store.
    answers : tuple of Answer
        One per condition, in order.
    done_before : int
        Runs that were there already.
    """

    plan: SearchPlan
    folder: Path
    answers: tuple[Answer, ...]
    done_before: int = 0

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per condition."""
        import pandas as pd

        return pd.DataFrame([answer.row() for answer in self.answers])

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per run that was tried: cell, factors, seed, conditions, metrics."""
        return read_runs(self.folder)

    @property
    def factors(self) -> list[str]:
        """Columns of the factors."""
        return list(columns_of(self.plan))

    def figure(self) -> Figure:
        """Return the figure: the share of runs in which each condition holds, along the way."""
        from sim.report.thresholds import figure

        return figure([answer.drawing() for answer in self.answers])


def reverse(
    experiment: str | Path | SearchPlan,
    *,
    out: str | Path = "results",
    workers: int | None = None,
    executor: Executor | None = None,
    watch: Watch | None = None,
    perform: Perform = perform_task,
) -> ReverseResult:
    """Find the smallest shock at which each condition of an experiment holds.

    Parameters
    ----------
    experiment : path or SearchPlan
        Experiment file with a `reverse` block, or what `prepare_reverse` made of it.
    out : path
        Folder of results; the store is ``<out>/<name>``.
    workers : int, optional
        Processes on this machine, or tasks at once on `executor`; the number of cores by default.
    executor : Executor, optional
        Any other place to work.
    watch : callable, optional
        Told of every finished run.
    perform : callable
        What is done with a task; a run of the simulator.

    Raises
    ------
    ScenarioError
        The experiment cannot be used, or the folder belongs to another one.
    RunError
        A run failed, so that there is no answer, or the folder cannot be written.

    Notes
    -----
    One factor: `sim.experiments.threshold.find_threshold` through its range. Several: the mix
    nearest to the base (`sim.experiments.mixes.nearest_mix`), then the same along the straight
    line from the base to it. A condition without a value in a run does not hold in it.
    """
    plan = experiment if isinstance(experiment, SearchPlan) else prepare_reverse(experiment)
    folder = Path(out) / plan.experiment.name
    workers = workers_by_default() if workers is None else workers
    if workers < 1:
        raise ValueError(f"workers must be at least 1, found {workers}")
    block = _block(plan.experiment)
    plan = replace(plan, cells=plan.cells + plan.cells[:1] * len(points_of(folder)))
    with Store(folder, plan) as store, at_work(workers, executor, perform) as work:
        search = Search(plan, store, work, watch)
        before = search.finished
        search.expected = before + _expected(plan.experiment)
        answers = tuple(_answer(plan, block, search, asked) for asked in block.asked)
        store.write_table()
        return ReverseResult(plan, folder, answers, before)


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
    block = _block(experiment)
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
    if len(experiment.factors) > 1:
        problems += _axis_problems(plan)
    if problems:
        raise ScenarioError(problems)
    return plan


def _block(experiment: Experiment) -> Reverse:
    assert experiment.reverse is not None
    return experiment.reverse


def _problems(experiment: Experiment) -> Iterator[Problem]:
    """Yield what keeps an experiment from being searched at all."""
    if experiment.reverse is None:
        allowed = "a block with the condition that is to hold"
        yield problem_at(experiment, ("reverse",), "nothing", allowed)
        return
    if not experiment.factors:
        allowed = "at least one factor with a range or distribution"
        yield problem_at(experiment, ("factors",), "no factors", allowed)
    for number, factor in enumerate(experiment.factors):
        if factor.values is not None:
            found, allowed = "a list of values", "a range or distribution, which can be halved"
            yield problem_at(experiment, ("factors", number, "values"), found, allowed)
        elif factor.distribution is not None and factor.distribution.dist == "constant":
            path = ("factors", number, "distribution")
            yield problem_at(experiment, path, "a constant", "a distribution that spreads")
    if not experiment.common_random_numbers:
        allowed = "true: each seed's own threshold is sought"
        yield problem_at(experiment, ("common_random_numbers",), "false", allowed)
    columns = [factor.column for factor in experiment.factors]
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
            _axis(plan, factor)
        except ValueError as error:
            found, _, allowed = str(error).removeprefix("found ").partition("; allowed: ")
            yield problem_at(plan.experiment, ("factors", number), found, allowed)


def _axis(plan: SearchPlan, factor: Factor) -> Axis:
    block = _block(plan.experiment)
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
    block = _block(experiment)
    halvings = int(np.ceil(np.log2(max(1.0, 1.0 / block.tolerance)))) + 1
    way = block.scan + 5 + min(2**halvings * block.scan, halvings * experiment.replications)
    return len(block.asked) * (way + (block.trials if len(experiment.factors) > 1 else 0))


def _expected(experiment: Experiment) -> int:
    """Return about how many runs a search takes."""
    block = _block(experiment)
    halvings = max(0.0, np.log2(1.0 / (block.tolerance * block.scan)))
    mixes = block.trials if len(experiment.factors) > 1 else 0
    cells = mixes + block.scan + 1 + 2 + halvings
    return int(np.ceil(len(block.asked) * experiment.replications * cells))


def _answer(
    plan: SearchPlan, block: Reverse, search: Search, asked: NamedCondition
) -> Answer:
    """Search one condition."""
    replications = range(plan.experiment.replications)

    def ask(wanted: Sequence[tuple[Values, int]]) -> list[bool]:
        search.measure(wanted)
        return [search.figure(values, r, asked.name) == 1.0 for values, r in wanted]

    def shares(settings: Sequence[Values]) -> list[float]:
        found = ask([(values, r) for values in settings for r in replications])
        return [float(x) for x in np.reshape(found, (len(settings), -1)).mean(axis=1)]

    mix = None
    way: Way
    if len(plan.experiment.factors) == 1:
        way = _range_way(plan.experiment.factors[0], block, shares)
    else:
        axes = [_axis(plan, factor) for factor in plan.experiment.factors]
        mix = nearest_mix(
            axes,
            lambda ends: shares([Ray(axes, end).at(1.0) for end in ends]),
            block.probability,
            trials=block.trials,
            seed=block.seed,
        )
        way = Ray(axes, mix.end)
    threshold = find_threshold(
        lambda pairs: ask([(way.at(place), r) for place, r in pairs]),
        len(replications),
        block.probability,
        tolerance=block.tolerance,
        scan=block.scan,
        level=block.confidence,
    )
    return answer_of(plan, search, asked, way, threshold, mix)


def _range_way(
    factor: Factor, block: Reverse, shares: Callable[[Sequence[Values]], list[float]]
) -> RangeWay:
    """Return the way through a factor's range, from the end at which less happens."""
    if block.start != "auto":
        return RangeWay(factor, block.start == "high")
    rising = RangeWay(factor, False)
    ends = [rising.at(0.0), rising.at(1.0)]
    at_low, at_high = shares(ends)
    if at_low == at_high:
        return RangeWay(factor, abs(ends[1][0]) < abs(ends[0][0]))
    return RangeWay(factor, at_high < at_low)
