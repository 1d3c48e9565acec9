"""The point of a box at which a loss is least, tried in batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.experiments.asking import Losses, estimate_densities, evolve

FINEST = 1e-6
"""Width at which a search by single points ends."""

FIRST_STEP = 0.05
"""Size of the first simplex around the best point."""


def least(losses: Losses, dimension: int, *, optimiser: str, trials: int, seed: int) -> None:
    """Try points of the unit cube, ever nearer to the least loss.

    Parameters
    ----------
    losses : callable
        Runs a batch and remembers what it found.
    dimension : int
        Axes of the cube.
    optimiser : str
        ``cmaes`` or ``tpe``.
    trials : int
        Points to try.
    seed : int
        Of the search.

    Notes
    -----
    A quarter of the trials are points of a scrambled Sobol sequence. Then CMA-ES [1]_ goes on from
    the best of them, and for the last half of what is left the simplex of Nelder and Mead [4]_; or
    the tree-structured Parzen estimator [2]_ goes on from all. Along a single axis, which CMA-ES
    does not take, Brent's bounded method [3]_ goes on between the neighbours of the best point.
    The same losses lead to the same points.

    References
    ----------
    .. [1] N. Hansen, A. Ostermeier, Evolutionary Computation 9 (2001) 159-195.
    .. [2] J. Bergstra et al., Advances in Neural Information Processing Systems 24 (2011).
    .. [3] R. P. Brent, Algorithms for Minimization without Derivatives, 1973, chapter 5.
    .. [4] J. A. Nelder, R. Mead, The Computer Journal 7 (1965) 308-313.
    """
    from scipy.stats import qmc

    count = max(8, trials // 4)
    sequence = qmc.Sobol(d=dimension, rng=np.random.Generator(np.random.PCG64(seed)))
    start = list(sequence.random_base2(math.ceil(math.log2(count)))[:count])
    found = losses(start)
    if optimiser == "tpe":
        estimate_densities(losses, zip(start, found, strict=True), trials - count, seed)
    elif dimension == 1:
        _along_one(losses, start, found, trials - count)
    else:
        last = (trials - count) // 2
        tried = _Remembering(losses, start, found)
        evolve(tried, tried.best, trials - count - last, seed, step=0.1)
        _polish(tried, last)


class _Remembering:
    """Losses that remember the best point."""

    def __init__(self, losses: Losses, start: Sequence[FloatArray], found: Sequence[float]) -> None:
        self._losses = losses
        self.best, self.least = start[int(np.argmin(found))], min(found)

    def __call__(self, points: Sequence[FloatArray]) -> list[float]:
        found = self._losses(points)
        first = int(np.argmin(found))
        if found[first] < self.least:
            self.best, self.least = points[first], found[first]
        return found


def _polish(losses: _Remembering, trials: int) -> None:
    """Go on around the best point by the simplex of Nelder and Mead."""
    from scipy.optimize import minimize

    if trials < 1:
        return
    best = losses.best
    steps = np.where(best < 0.5, FIRST_STEP, -FIRST_STEP)
    options: Any = {
        "maxfev": trials,
        "initial_simplex": np.vstack([best, best + np.diag(steps)]),
        "xatol": FINEST,
        "fatol": FINEST,
    }
    box: Any = [(0.0, 1.0)] * best.size

    def loss(x: FloatArray) -> float:
        return losses([np.clip(x, 0.0, 1.0)])[0]

    minimize(loss, best, method="Nelder-Mead", bounds=box, options=options)


def _along_one(
    losses: Losses, start: Sequence[FloatArray], found: Sequence[float], trials: int
) -> None:
    """Go on between the neighbours of the best point."""
    from scipy.optimize import minimize_scalar

    if trials < 1:
        return
    places = sorted((float(point[0]), loss) for point, loss in zip(start, found, strict=True))
    best = min(range(len(places)), key=lambda k: places[k][1])
    low = places[best - 1][0] if best > 0 else 0.0
    high = places[best + 1][0] if best + 1 < len(places) else 1.0
    minimize_scalar(
        lambda x: losses([np.array([float(x)])])[0],
        bounds=(low, high),
        method="bounded",
        options={"maxiter": trials, "xatol": FINEST},
    )
