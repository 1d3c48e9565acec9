"""The mix of several factors, nearest to a base, in which a condition holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sim.core.arrays import FloatArray
from sim.experiments.asking import evolve
from sim.experiments.ways import Axis

Share = Callable[[Sequence[FloatArray]], list[float]]
"""Returns, for distances of mixes, the share of replications in which the condition holds."""


@dataclass(frozen=True, slots=True)
class Mix:
    """The best mix that was tried.

    Attributes
    ----------
    end : (F,) float64
        Its distance from the base along each axis.
    share : float
        Share of replications in which the condition holds there.
    found : bool
        Whether that is enough.
    tried : int
        Mixes tried.
    """

    end: FloatArray
    share: float
    found: bool
    tried: int


def nearest_mix(
    axes: Sequence[Axis], share: Share, probability: float, *, trials: int, seed: int
) -> Mix:
    """Search the mix with the least distance from the base in which a condition holds.

    Parameters
    ----------
    axes : sequence of Axis
        F of them.
    share : callable
        Runs a batch of mixes.
    probability : float
        Share p of replications in which it has to hold.
    trials : int
        Mixes to try.
    seed : int
        Of the search.

    Notes
    -----
    A quarter of the trials are the corners of the box, as far as they fit in, and points of a
    scrambled Sobol sequence. CMA-ES [1]_ goes on from the best of them and minimises

        d              where the condition holds in a share q >= p of the replications
        2 D - d + D (p - q)   elsewhere,   D the greatest distance in the box,

    which leads to the border from both of its sides. The distance d is the root of the sum of
    squares over the axes: for distributions the index of Hasofer and Lind [2]_.

    References
    ----------
    .. [1] N. Hansen, A. Ostermeier, Evolutionary Computation 9 (2001) 159-195.
    .. [2] A. M. Hasofer, N. C. Lind, J. Eng. Mech. Div. ASCE 100 (1974) 111-121.
    """
    low = np.array([axis.ends()[0] for axis in axes])
    high = np.array([axis.ends()[1] for axis in axes])
    farthest = float(np.linalg.norm(np.maximum(np.abs(low), np.abs(high))))
    tried: list[tuple[float, FloatArray, float]] = []

    def costs(points: Sequence[FloatArray]) -> list[float]:
        ends = [low + point * (high - low) for point in points]
        found = []
        for end, q in zip(ends, share(ends), strict=True):
            distance = float(np.linalg.norm(end))
            cost = distance
            if q < probability - 1e-9:
                cost = 2 * farthest - distance + farthest * (probability - q)
            tried.append((cost, end, q))
            found.append(cost)
        return found

    start = _start(len(axes), max(8, trials // 4), seed)
    best = start[int(np.argmin(costs(start)))]
    evolve(costs, best, trials - len(start), seed, step=0.2)
    _, end, q = min(tried, key=lambda entry: entry[0])
    return Mix(end, q, q >= probability - 1e-9, len(tried))


def _start(dimension: int, count: int, seed: int) -> list[FloatArray]:
    """Return points of the unit cube: its corners if they take half of them at most, and others."""
    from scipy.stats import qmc

    corners: list[FloatArray] = []
    if 2**dimension <= count // 2:
        grid = np.array(np.meshgrid(*[[0.0, 1.0]] * dimension, indexing="ij"))
        corners = list(grid.reshape(dimension, -1).T)
    sequence = qmc.Sobol(d=dimension, rng=np.random.Generator(np.random.PCG64(seed)))
    points = sequence.random_base2(math.ceil(math.log2(count)))
    return corners + list(points[: count - len(corners)])
