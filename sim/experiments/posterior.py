"""The parameters that fit, sampled without a likelihood: pyABC asks, the store answers."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.core.errors import MissingExtraError

BATCH = 32
"""Settings that are run at once; it does not depend on the number of workers."""

BLOCKS = 64
"""Sets of seeds from which each setting draws one."""

Figures = Callable[[FloatArray, int], FloatArray | None]
"""Returns the figures at a point of the unit cube with a set of seeds, None before they are run."""

Measure = Callable[[Sequence[tuple[FloatArray, int]]], None]
"""Runs points with their sets of seeds."""


class _NotRunError(Exception):
    """The sampler needs a run that is not there yet."""

    def __init__(self, point: FloatArray, block: int) -> None:
        super().__init__()
        self.wanted = (point, block)


@dataclass(frozen=True, slots=True)
class Sample:
    """Points of the unit cube that fit.

    Attributes
    ----------
    points : (P, F) float64 [1]
        Probabilities of each factor's prior.
    weights : (P,) float64 [1]
        Sum to 1.
    temperature : float
        1 for the posterior itself; at T > 1 tolerances are as if ``sqrt(T)`` times as wide.
    evaluations : int
        Settings that were run.
    """

    points: FloatArray
    weights: FloatArray
    temperature: float
    evaluations: int

    @property
    def effective(self) -> float:
        """Size of a sample of equal weights that tells as much."""
        return float(1.0 / np.square(self.weights).sum())


def sample_posterior(
    figures: Figures,
    measure: Measure,
    dimension: int,
    targets: FloatArray,
    variances: FloatArray,
    *,
    particles: int,
    evaluations: int,
    seed: int,
) -> Sample | None:
    """Sample the points whose figures are near to the targets.

    Parameters
    ----------
    figures, measure : callable
        What looks up runs and what does them.
    dimension : int
        Number of factors.
    targets, variances : (T,) float64
        Figures to reach, and the square of their tolerances over their weights.
    particles : int
        Size of the sample.
    evaluations : int
        Most settings to run.
    seed : int
        Of the sample.

    Returns
    -------
    Sample or None
        None if not even a first generation was completed.

    Raises
    ------
    MissingExtraError
        Without pyABC.

    Notes
    -----
    With a prior uniform on the unit cube and figures y(x) of random runs the sample is of

        p(x)  ~  E[exp(-sum_i (y_i(x) - target_i)^2 / (2 T variance_i))]

    by sequential Monte Carlo with a stochastic acceptor, from high temperature T down to 1 [1]_
    [2]_, where it is exact up to sampling error for targets with normal errors. Every proposal
    has random numbers of its own, so that proposals can be made ahead, run together, and made
    again: the sample depends on the seed alone.

    References
    ----------
    .. [1] R. D. Wilkinson, Stat. Appl. Genet. Mol. Biol. 12 (2013) 129-141.
    .. [2] Y. Schälte, J. Hasenauer, Bioinformatics 36 (2020) i551-i559.
    """
    pyabc = _pyabc()
    legacy: Any = np.random  # what pyABC draws from
    keys = [f"y{k}" for k in range(targets.size)]

    def model(parameters: Any) -> dict[str, FloatArray]:
        point = np.array([float(parameters[f"x{k}"]) for k in range(dimension)])
        block = int(legacy.randint(BLOCKS))
        found = figures(point, block)
        if found is None:
            raise _NotRunError(point, block)
        return {key: np.array([value]) for key, value in zip(keys, found, strict=True)}

    prior = pyabc.Distribution({f"x{k}": pyabc.RV("uniform", 0, 1) for k in range(dimension)})
    sampler = _sampler(pyabc, measure, evaluations, seed)
    before = legacy.get_state()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            legacy.seed(seed % 2**32)
            abc = pyabc.ABCSMC(
                model,
                prior,
                pyabc.IndependentNormalKernel(var=[float(v) for v in variances], keys=keys),
                population_size=particles,
                eps=pyabc.Temperature(),
                acceptor=pyabc.StochasticAcceptor(),
                sampler=sampler,
            )
            observed = {k: np.array([v]) for k, v in zip(keys, targets, strict=True)}
            abc.new("sqlite://", observed)
            history = abc.run(max_nr_populations=30)
    finally:
        legacy.set_state(before)
    return _sample(history, dimension, sampler.spent)


def _pyabc() -> Any:
    try:
        pyabc: Any = import_module("pyabc")
    except ImportError:
        raise MissingExtraError(
            "a sample of parameters needs pyABC: pip install 'liqsim[experiments]'"
        ) from None
    for name in ("ABC", "ABC.History"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return pyabc


def _sampler(pyabc: Any, measure: Measure, evaluations: int, seed: int) -> Any:
    """Return a sampler that makes proposals a batch at a time."""

    def until(
        self: Any, n: int, simulate_one: Callable[[], Any], t: int, **_: Any
    ) -> Any:  # the names by which pyABC calls it
        return _accepted(self, measure, n, simulate_one, (seed, t + 1), evaluations)

    made = type(
        "BatchSampler", (pyabc.sampler.Sampler,), {"sample_until_n_accepted": until, "spent": 0}
    )
    return made()


def _accepted(
    sampler: Any,
    measure: Measure,
    count: int,
    simulate_one: Callable[[], Any],
    stream: tuple[int, int],
    evaluations: int,
) -> Any:
    """Make proposals until enough are accepted, or no more may be run."""
    sample = sampler._create_empty_sample()
    made = 0

    def proposal(number: int) -> Any:
        words = np.random.SeedSequence([*stream, number]).generate_state(1)
        legacy: Any = np.random
        legacy.seed(int(words[0]))
        return simulate_one()

    while sample.n_accepted < count and sampler.spent < evaluations:
        ahead = range(made, made + min(BATCH, evaluations - sampler.spent))
        measure(list(_missing(proposal, ahead)))
        sampler.spent += len(ahead)
        for number in ahead:
            sample.append(proposal(number))
            made += 1
            if sample.n_accepted >= count:
                break
    sampler.nr_evaluations_ = made
    sample.ok = sample.n_accepted >= count
    return sample


def _missing(proposal: Callable[[int], Any], numbers: range) -> Any:
    """Yield what has to be run for proposals."""
    for number in numbers:
        try:
            proposal(number)
        except _NotRunError as error:
            yield error.wanted


def _sample(history: Any, dimension: int, spent: int) -> Sample | None:
    """Return the last generation that was completed, if there is one."""
    done = history.get_all_populations()
    done = done[done["t"] >= 0]
    if done.empty:
        return None
    frame, weights = history.get_distribution(m=0)
    points = frame[[f"x{k}" for k in range(dimension)]].to_numpy(dtype=np.float64)
    order = np.lexsort(points.T[::-1])
    weights = np.asarray(weights, dtype=np.float64)[order]
    temperature = float(done["epsilon"].iloc[-1])
    assert math.isfinite(temperature)
    return Sample(points[order], weights / weights.sum(), temperature, spent)
