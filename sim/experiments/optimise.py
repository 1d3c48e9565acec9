"""The best settings of the factors for statistics over many runs, judged on fresh seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.errors import Problem, RunError, ScenarioError
from sim.core.lexer import ExpressionError
from sim.experiments.asking import load_optuna
from sim.experiments.check import problem_at
from sim.experiments.execute import Perform
from sim.experiments.objectives import Goal, best_fronts, goal_of, undominated
from sim.experiments.proposals import signed, try_settings
from sim.experiments.scores import Finalist, Score, remarks_of
from sim.experiments.search import Search, SearchPlan, SearchResult, Values, Watch, opened
from sim.experiments.search_plan import search_plan
from sim.experiments.task import perform as perform_task
from sim.schema import load_experiment

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from sim.schema import Experiment
    from sim.schema.experiment_optimise import Optimise


@dataclass(frozen=True)
class OptimiseResult(SearchResult):
    """The settings that were tried and the best of them.

    Attributes
    ----------
    goals : tuple of Goal
        What was to be small or large.
    scores : tuple of Score
        Every setting that was tried, in order, on the seeds of the search.
    finalists : tuple of Finalist
        The best of them, judged again on fresh seeds; those that stay undominated first.
    """

    goals: tuple[Goal, ...]
    scores: tuple[Score, ...]
    finalists: tuple[Finalist, ...]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per finalist: cell, factors, each objective fresh and in the search."""
        import pandas as pd

        return pd.DataFrame([finalist.row(self.goals) for finalist in self.finalists])

    @property
    def front(self) -> list[Finalist]:
        """The finalists that no other is better than, on the fresh seeds."""
        return [finalist for finalist in self.finalists if finalist.stays]

    @property
    def failed(self) -> list[Score]:
        """Settings without a score, each with the reason."""
        return [score for score in self.scores if score.reason is not None]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader has to know beside the figures."""
        return tuple(remarks_of(self.scores, self.finalists))

    def figure(self) -> Figure:
        """Return the figure: the trade-off, or the way to the best setting."""
        from sim.report.trade_off import Cloud, figure

        good = [score for score in self.scores if score.reason is None]
        return figure(
            Cloud(
                [goal.title for goal in self.goals],
                [goal.sign for goal in self.goals],
                [[e.value for e in score.estimates] for score in good],
                [[e.value for e in finalist.score.estimates] for finalist in self.finalists],
                [[(e.value, e.low, e.high) for e in f.fresh] for f in self.finalists],
                [finalist.stays for finalist in self.finalists],
            )
        )


def optimise(
    experiment: str | Path | SearchPlan,
    *,
    out: str | Path = "results",
    workers: int | None = None,
    executor: Executor | None = None,
    watch: Watch | None = None,
    retry_failed: bool = False,
    perform: Perform = perform_task,
) -> OptimiseResult:
    """Find the best settings of an experiment's factors.

    Parameters
    ----------
    experiment : path or SearchPlan
        Experiment file with an `optimise` block, or what `prepare_optimise` made of it.
    out, workers, executor, watch, retry_failed, perform
        As of `sim.experiments.reverse.reverse`.

    Raises
    ------
    ScenarioError
        The experiment cannot be used, or the folder belongs to another one.
    MissingExtraError
        Optuna is not installed.
    RunError
        No setting has a score, or the folder cannot be written.

    Notes
    -----
    Settings are proposed by NSGA-II [1]_ or TPE [2]_ and run with `replications` seeds each. The
    best of many noisy scores is too good on average, so those on the front, and at least
    `finalists`, are run again with seeds that follow after those of the search. What is reported
    is measured on these alone; a setting that another one dominates there is marked.

    References
    ----------
    .. [1] K. Deb et al., IEEE Trans. Evol. Comput. 6 (2002) 182-197.
    .. [2] J. Bergstra et al., Advances in Neural Information Processing Systems 24 (2011).
    """
    plan = experiment if isinstance(experiment, SearchPlan) else prepare_optimise(experiment)
    block, goals = _block(plan.experiment), _goals(plan.experiment)
    load_optuna()  # refused here and not after the store was made
    fresh = _fresh(plan.experiment)
    used = plan.experiment.replications - fresh
    with opened(plan, out, workers, executor, watch, retry_failed, perform) as search:
        before = search.finished
        search.expected = before + block.trials * used + 2 * block.finalists * fresh

        def score(settings: Sequence[Values], seeds: range) -> list[Score]:
            search.measure((values, r) for values in settings for r in seeds)
            return [_score(search, values, seeds, goals, block) for values in settings]

        factors = plan.experiment.factors
        scores = try_settings(factors, block, goals, lambda settings: score(settings, range(used)))
        again = range(used, used + fresh)
        finalists = _judge(scores, goals, block, lambda settings: score(settings, again))
    return OptimiseResult(
        plan, search.folder, goals, tuple(scores), tuple(finalists), done_before=before
    )


def prepare_optimise(
    file: str | Path, find: Callable[[str], Path] = Path, overrides: dict[str, Any] | None = None
) -> SearchPlan:
    """Read an experiment file with an `optimise` block and check all of it.

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
    return search_plan(
        experiment,
        find,
        overrides,
        replications=experiment.replications + (block.fresh or experiment.replications),
        places=block.trials,
    )


def _block(experiment: Experiment) -> Optimise:
    assert experiment.optimise is not None
    return experiment.optimise


def _fresh(experiment: Experiment) -> int:
    """Return the fresh replications of a plan, whose replications hold those of both stages."""
    return _block(experiment).fresh or experiment.replications // 2


def _goals(experiment: Experiment) -> tuple[Goal, ...]:
    columns = _columns(experiment)
    return tuple(
        goal_of(item.title, item.sign, *item.parts, columns)
        for item in _block(experiment).objectives
    )


def _columns(experiment: Experiment) -> list[str]:
    """Return the metrics, and the factors that are numbers."""
    return [metric.name for metric in experiment.metrics] + [
        factor.column
        for factor in experiment.factors
        if all(isinstance(value, (int, float)) for value in factor.values or ())
    ]


def _problems(experiment: Experiment) -> Iterator[Problem]:
    """Yield what keeps an experiment from being optimised."""
    block = experiment.optimise
    if block is None:
        allowed = "a block with the objectives"
        yield problem_at(experiment, ("optimise",), "nothing", allowed)
        return
    if not experiment.factors:
        yield problem_at(experiment, ("factors",), "no factors", "at least one")
    stages = {"replications": experiment.replications, "fresh": block.fresh}
    for number, item in enumerate(block.objectives):
        path = ("optimise", "objectives", number)
        try:
            goal = goal_of(item.title, item.sign, *item.parts, _columns(experiment))
        except ExpressionError as error:
            yield problem_at(experiment, path, f"'{item.text}'", str(error))
            continue
        least = goal.least(block.confidence)
        for stage, runs in stages.items():
            if runs is not None and runs < least:
                found = f"'{item.text}' with {runs} {stage}"
                yield problem_at(experiment, path, found, f"at least {least:,} of them")


def _score(
    search: Search, values: Values, seeds: range, goals: Sequence[Goal], block: Optimise
) -> Score:
    """Return the objectives of a setting over some replications."""
    named = dict(
        zip((factor.column for factor in search.plan.experiment.factors), values, strict=True)
    )
    number = search.number(values)
    rows = [search.row(values, r) or {} for r in seeds]
    bad = next((row for row in rows if row["status"] != "ok"), None)
    if bad is not None:
        reason = f"replication {bad['replication']} failed: {bad['stage']}: {bad['message']}"
        return Score(number, values, named, (), reason)
    try:
        figures = [{**named, **row["metrics"]} for row in rows]
        found = tuple(goal.of(figures, block.confidence) for goal in goals)
    except ExpressionError as error:
        return Score(number, values, named, (), str(error))
    return Score(number, values, named, found, None)


def _judge(
    scores: Sequence[Score],
    goals: Sequence[Goal],
    block: Optimise,
    score: Callable[[Sequence[Values]], list[Score]],
) -> list[Finalist]:
    """Run the best settings again on fresh seeds, and say which of them stay undominated."""
    good = [*{entry.cell: entry for entry in scores if entry.reason is None}.values()]
    if not good:
        raise RunError(f"none of {len(scores):,} settings has a score: {scores[0].reason}")
    values = np.array([signed(entry, goals) for entry in good])
    front = undominated(values)
    chosen = best_fronts(values, block.finalists)
    fresh = score([good[k].values for k in chosen])
    known = [(k, again) for k, again in zip(chosen, fresh, strict=True) if again.reason is None]
    if not known:
        raise RunError(f"no finalist has a score on fresh seeds: {fresh[0].reason}")
    stays = undominated(np.array([signed(again, goals) for _, again in known]))
    found = [
        Finalist(good[k], again.estimates, bool(front[k]), bool(stay))
        for (k, again), stay in zip(known, stays, strict=True)
    ]
    first = goals[0].sign
    return sorted(found, key=lambda f: (not f.stays, first * f.fresh[0].value, f.score.cell))
