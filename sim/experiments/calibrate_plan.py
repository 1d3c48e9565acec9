"""A calibration made ready: its targets read and checked beside the experiment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.core.errors import Problem, ScenarioError
from sim.core.expression import parse_formula
from sim.core.lexer import ExpressionError
from sim.experiments.check import problem_at
from sim.experiments.posterior import BLOCKS
from sim.experiments.search import SearchPlan
from sim.experiments.search_plan import look, search_plan
from sim.schema import load_experiment
from sim.schema.loader import load_scorecard
from sim.schema.yamlfile import dotted

if TYPE_CHECKING:
    from sim.schema import Experiment, Scenario
    from sim.schema.experiment_calibrate import Calibrate, Target
    from sim.schema.locator import KeyPath, Source

POLISH = 64
"""Settings that a search may try beyond its trials."""


@dataclass(frozen=True, slots=True)
class CalibrationPlan(SearchPlan):
    """A search for the parameters that reach targets.

    Attributes
    ----------
    targets : tuple of Target
        In order.
    columns : tuple of str
        Column of the table of runs of each.
    replications : int
        Runs of each setting that is tried.
    """

    targets: tuple[Target, ...] = ()
    columns: tuple[str, ...] = ()
    replications: int = 1

    @property
    def settings(self) -> Calibrate:
        """How they are fitted."""
        return block_of(self.experiment)

    @property
    def runs_of_particle(self) -> int:
        """Runs of each setting of the sample."""
        posterior = self.settings.posterior
        return (posterior.runs if posterior else None) or self.replications


def block_of(experiment: Experiment) -> Calibrate:
    """Return how an experiment calibrates; one that does not is refused."""
    if experiment.calibrate is None:
        allowed = "a block calibrate with targets"
        raise ScenarioError(problem_at(experiment, ("calibrate",), "nothing", allowed))
    return experiment.calibrate


def prepare_calibration(
    file: str | Path, find: Callable[[str], Path] = Path, overrides: dict[str, Any] | None = None
) -> CalibrationPlan:
    """Read an experiment file and its scorecard and check them.

    Parameters
    ----------
    file, find, overrides
        As of `sim.experiments.plan.prepare`.

    Raises
    ------
    ScenarioError
        With every mistake of the experiment, its targets, its scenario, and the ends of its
        factors.
    """
    experiment = load_experiment(file)
    block = block_of(experiment)
    targets, source, above = _targets(experiment, block)
    metrics = {metric.name: metric.value for metric in experiment.metrics}
    texts = [metrics.get(target.metric, target.metric) for target in targets]
    names = [target.metric for target in targets]
    replications = experiment.replications
    per_particle = (block.posterior.runs if block.posterior else None) or replications
    places = block.trials + POLISH + (block.posterior.evaluations if block.posterior else 0)
    plan = search_plan(
        experiment,
        find,
        overrides,
        replications=2 * replications + (BLOCKS * per_particle if block.posterior else 0),
        places=places,
    )
    scenarios = [plan.base.scenario(cell.overrides) for cell in plan.probes]
    problems = list(_problems(targets, texts, scenarios, source, above))
    if problems:
        raise ScenarioError(problems)
    return _with_targets(plan, targets, names, texts, replications)


def _with_targets(
    plan: SearchPlan, targets: tuple[Target, ...], names: list[str], texts: list[str], runs: int
) -> CalibrationPlan:
    """Return the plan with a column for each target."""
    from sim.schema.experiment import Metric

    there = {metric.name for metric in plan.experiment.metrics}
    pairs = zip(names, texts, strict=True)
    more = [Metric(name=name, value=text) for name, text in pairs if name not in there]
    experiment = plan.experiment.model_copy(update={"metrics": [*plan.experiment.metrics, *more]})
    return CalibrationPlan(
        experiment, plan.base, plan.cells, plan.seed, probes=plan.probes,
        targets=targets, columns=tuple(names), replications=runs,
    )  # fmt: skip


def _targets(
    experiment: Experiment, block: Calibrate
) -> tuple[tuple[Target, ...], Source, tuple[str, ...]]:
    """Return the targets, the file they are written in, and the key they stand under."""
    if block.targets is not None:
        return tuple(block.targets), experiment.source, ("calibrate", "targets")
    assert block.scorecard is not None
    path = experiment.source.base_dir / block.scorecard
    if not path.exists():
        key = ("calibrate", "scorecard")
        found = f"'{block.scorecard}', which does not exist"
        raise ScenarioError(
            problem_at(experiment, key, found, "a file of targets, relative to this file")
        )
    scorecard = load_scorecard(path)
    return tuple(scorecard.targets), scorecard.source, ("targets",)


def _problems(
    targets: tuple[Target, ...],
    texts: list[str],
    scenarios: list[Scenario],
    source: Source,
    above: tuple[str, ...],
) -> Iterator[Problem]:
    """Yield targets of figures that no run has, and values that the figure cannot take."""
    for number, (target, text) in enumerate(zip(targets, texts, strict=True)):
        try:
            formula = parse_formula(text)
            look(formula, scenarios)
        except ExpressionError as error:
            key: KeyPath = (*above, number, "metric")
            yield _problem(source, key, f"'{target.metric}'", f"a figure of a run; {error}")
            continue
        if formula.logical and not 0 <= target.target <= 1:
            key = (*above, number, "target")
            yield _problem(
                source, key, f"{target.target:g} for a condition",
                "a number from 0 to 1, the share of runs in which it holds",
            )  # fmt: skip


def _problem(source: Source, key: KeyPath, found: str, allowed: str) -> Problem:
    line, column = source.place(key)
    return Problem(source.file_of(key), line, column, dotted(key), found, allowed)
