"""Samplers of Optuna, asked for points of the unit cube a batch at a time."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.core.errors import MissingExtraError

Losses = Callable[[Sequence[FloatArray]], list[float]]
"""Returns the loss at each of a batch of points of the unit cube."""


def load_optuna() -> Any:
    """Return the module optuna, which is told to be quiet.

    Raises
    ------
    MissingExtraError
        If it, or what it needs here, is not installed.
    """
    try:
        import_module("cmaes")
        optuna: Any = import_module("optuna")
    except ImportError:
        raise MissingExtraError(
            "a search over settings needs Optuna and cmaes: pip install 'liqsim[experiments]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def evolve(losses: Losses, best: FloatArray, trials: int, seed: int, *, step: float) -> None:
    """Go on from a point with CMA-ES, generation by generation.

    Parameters
    ----------
    losses : callable
        Runs a batch and remembers what it found.
    best : (F,) float64 [1]
        Where it begins; at least two axes.
    trials : int
        Points to try.
    seed : int
        Of the search.
    step : float [1]
        Standard deviation of the first generation.
    """
    optuna = load_optuna()
    size = 4 + math.floor(3 * math.log(best.size))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.CmaEsSampler(
            x0={f"x{k}": float(x) for k, x in enumerate(best)},
            sigma0=step,
            n_startup_trials=0,
            seed=seed,
            popsize=size,
            warn_independent_sampling=False,
        )
        # A finished trial tells the sampler the space; without one its first generation is random.
        _ask_and_tell(losses, sampler, [(best, math.inf)], trials, size)


def estimate_densities(
    losses: Losses, known: Iterable[tuple[FloatArray, float]], trials: int, seed: int
) -> None:
    """Go on from points with known losses by the tree-structured Parzen estimator."""
    optuna = load_optuna()
    known = list(known)
    dimension = known[0][0].size
    size = 4 + math.floor(3 * math.log(dimension)) if dimension > 1 else 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=0, multivariate=True, constant_liar=True
        )
        _ask_and_tell(losses, sampler, known, trials, size)


def _ask_and_tell(
    losses: Losses,
    sampler: Any,
    known: Sequence[tuple[FloatArray, float]],
    trials: int,
    size: int,
) -> None:
    optuna = load_optuna()
    study = optuna.create_study(sampler=sampler)
    names = [f"x{k}" for k in range(known[0][0].size)]
    space = {name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in names}
    for point, loss in known:
        params = dict(zip(names, map(float, point), strict=True))
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=loss))
    while trials > 0:
        asked = [study.ask() for _ in range(min(size, trials))]
        points = [
            np.array([trial.suggest_float(name, 0.0, 1.0) for name in names]) for trial in asked
        ]
        for trial, loss in zip(asked, losses(points), strict=True):
            study.tell(trial, loss)
        trials -= len(asked)
