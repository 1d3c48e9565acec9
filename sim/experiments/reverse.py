"""Reverse stress test: the smallest shock at which a condition holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sim.experiments.answers import Answer, answer_of
from sim.experiments.asking import load_optuna
from sim.experiments.execute import Perform
from sim.experiments.mixes import nearest_mix
from sim.experiments.reverse_plan import axis_in, block_of, free_factors, prepare_reverse
from sim.experiments.search import Search, SearchPlan, SearchResult, Values, Watch, opened
from sim.experiments.task import perform as perform_task
from sim.experiments.threshold import find_threshold
from sim.experiments.ways import RangeWay, Ray, Way, frame_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from sim.schema import Experiment
    from sim.schema.experiment_reverse import NamedCondition, Reverse


@dataclass(frozen=True)
class ReverseResult(SearchResult):
    """Where each condition begins to hold.

    Attributes
    ----------
    answers : tuple of Answer
        One per condition, in order.
    """

    answers: tuple[Answer, ...]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per condition."""
        import pandas as pd

        return pd.DataFrame([answer.row() for answer in self.answers])

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
    retry_failed: bool = False,
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
    retry_failed : bool
        Run those again that failed.
    perform : callable
        What is done with a task; a run of the simulator.

    Raises
    ------
    ScenarioError
        The experiment cannot be used, or the folder belongs to another one.
    MissingExtraError
        There are several factors and Optuna or cmaes is not installed.
    RunError
        A run failed, so that there is no answer, or the folder cannot be written.

    Notes
    -----
    One factor: `sim.experiments.threshold.find_threshold` through its range. Several: the mix
    nearest to the base (`sim.experiments.mixes.nearest_mix`), then the same along the straight
    line from the base to it. A condition without a value in a run does not hold in it.
    """
    plan = experiment if isinstance(experiment, SearchPlan) else prepare_reverse(experiment)
    block = block_of(plan.experiment)
    if len(free_factors(plan.experiment)) > 1:
        load_optuna()  # refused here and not after the first runs
    with opened(plan, out, workers, executor, watch, retry_failed, perform) as search:
        before = search.finished
        search.expected = before + _expected(plan.experiment)
        answers = tuple(_answer(plan, block, search, asked) for asked in block.asked)
    return ReverseResult(plan, search.folder, answers, done_before=before)


def _expected(experiment: Experiment) -> int:
    """Return about how many runs a search takes."""
    block = block_of(experiment)
    halvings = max(0.0, math.log2(1.0 / (block.tolerance * block.scan)))
    mixes = block.trials if len(free_factors(experiment)) > 1 else 0
    cells: float = mixes + block.scan + 1 + 2 + halvings
    return math.ceil(len(block.asked) * experiment.replications * cells)


def _answer(plan: SearchPlan, block: Reverse, search: Search, asked: NamedCondition) -> Answer:
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
    free, frame = free_factors(plan.experiment), frame_of(plan.experiment.factors)
    if len(free) == 1:
        way = _range_way(RangeWay(free[0], False, frame), block, shares)
    else:
        axes = [axis_in(plan, factor) for factor in free]
        mix = nearest_mix(
            axes,
            lambda ends: shares([Ray(axes, end, frame).at(1.0) for end in ends]),
            block.probability,
            trials=block.trials,
            seed=block.seed,
        )
        way = Ray(axes, mix.end, frame)
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
    rising: RangeWay, block: Reverse, shares: Callable[[Sequence[Values]], list[float]]
) -> RangeWay:
    """Return the way through a factor's range, from the end at which less happens."""
    falling = replace(rising, falling=True)
    if block.start != "auto":
        return falling if block.start == "high" else rising
    at_low, at_high = shares([rising.at(0.0), rising.at(1.0)])
    if at_low == at_high:
        return falling if abs(rising.value(1.0)) < abs(rising.value(0.0)) else rising
    return falling if at_high < at_low else rising
