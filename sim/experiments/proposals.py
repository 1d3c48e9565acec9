"""Settings that an optimiser proposes, a generation at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.experiments.asking import load_optuna
from sim.experiments.design import values_at
from sim.experiments.objectives import Goal
from sim.experiments.scores import Score
from sim.experiments.search import Values
from sim.experiments.search_plan import share_range

if TYPE_CHECKING:
    from sim.schema import Factor
    from sim.schema.experiment_optimise import Optimise


def try_settings(
    factors: Sequence[Factor],
    block: Optimise,
    goals: Sequence[Goal],
    score: Callable[[Sequence[Values]], list[Score]],
) -> list[Score]:
    """Try settings, a generation at a time, and return them with their scores.

    Parameters
    ----------
    factors : sequence of Factor
        What is set.
    block : Optimise
        Method, number of trials, seed.
    goals : sequence of Goal
        What is to be small or large.
    score : callable
        Runs a generation.

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    """
    optuna = load_optuna()
    found: list[Score] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(
            directions=["minimize"] * len(goals), sampler=_sampler(optuna, block)
        )
        while len(found) < block.trials:
            count = min(block.population, block.trials - len(found))
            asked = [study.ask() for _ in range(count)]
            settings = [_setting(trial, factors) for trial in asked]
            for trial, result in zip(asked, score(settings), strict=True):
                found.append(result)
                if result.reason is not None:
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
                else:
                    study.tell(trial, signed(result, goals))
    return found


def _sampler(optuna: Any, block: Optimise) -> Any:
    if block.method == "nsga2":
        return optuna.samplers.NSGAIISampler(population_size=block.population, seed=block.seed)
    return optuna.samplers.TPESampler(
        seed=block.seed, n_startup_trials=block.population, constant_liar=True
    )


def _setting(trial: Any, factors: Sequence[Factor]) -> Values:
    """Return the values that a trial proposes."""
    values: list[Any] = []
    for number, factor in enumerate(factors):
        name = f"x{number}"
        if factor.values is not None:
            values.append(
                factor.values[trial.suggest_categorical(name, [*range(len(factor.values))])]
            )
        else:
            share = trial.suggest_float(name, *share_range(factor))
            values += values_at(factor, np.array([share]))
    return tuple(values)


def signed(score: Score, goals: Sequence[Goal]) -> list[float]:
    """Return the objectives of a setting, all of them to be small."""
    return [goal.sign * e.value for goal, e in zip(goals, score.estimates, strict=True)]
