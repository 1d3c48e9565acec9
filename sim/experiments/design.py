"""From factors and a design to cells: which value each factor has in each cell."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.schema.experiment_compare import VARIANT

if TYPE_CHECKING:
    from sim.schema.experiment import Experiment, Factor


@dataclass(frozen=True, slots=True)
class Cell:
    """One setting of all factors.

    Attributes
    ----------
    number : int
        Position in the design, from 0.
    values : dict
        Value by column of the table of runs.
    overrides : dict
        Value by path in the scenario.
    """

    number: int
    values: dict[str, Any]
    overrides: dict[str, Any]


def cells_of(experiment: Experiment) -> list[Cell]:
    """Return the cells of an experiment, in order.

    Notes
    -----
    ``grid``: the last factor changes fastest. ``latin_hypercube`` and ``sobol`` draw points u in
    the unit cube [1]_ and put each coordinate through the factor's quantile function: equal
    steps of a range (of its logarithm on a log scale), the inverse distribution function, or
    values of equal weight. ``paired``: the k-th values of all factors. ``list``: as written.
    A sensitivity analysis makes its cells by its method, `sim.experiments.samples`.
    Variants to compare take each of these cells in turn, the variant changing fastest.

    References
    ----------
    .. [1] SciPy reference, ``scipy.stats.qmc``.
    """
    points = _cells_of(experiment)
    if experiment.compare is None:
        return points
    changes = list(zip(experiment.compare.names, experiment.compare.changes(), strict=True))
    return [
        Cell(
            point.number * len(changes) + k,
            {**point.values, VARIANT: name},
            {**point.overrides, **change},
        )
        for point in points
        for k, (name, change) in enumerate(changes)
    ]


def _cells_of(experiment: Experiment) -> list[Cell]:
    """Return the cells of a design, whatever is compared in each."""
    design, factors = experiment.design, experiment.factors
    if design.kind == "list":
        return [Cell(number, dict(cell), dict(cell)) for number, cell in enumerate(design.cells)]
    rows: Iterable[Sequence[Any]]
    if experiment.sensitivity is not None:
        from sim.experiments.samples import sampled

        rows = at_points(factors, sampled(experiment.sensitivity, factors))
    elif design.kind == "grid":
        rows = itertools.product(*(levels_of(factor) for factor in factors))
    elif design.kind == "paired":
        rows = zip(*(factor.values or () for factor in factors), strict=True) if factors else [()]
    else:
        rows = at_points(factors, _points(experiment, len(factors)))
    return [cell_of(number, factors, row) for number, row in enumerate(rows)]


def cell_of(number: int, factors: Sequence[Factor], values: Sequence[Any]) -> Cell:
    """Return the cell in which the factors have the given values."""
    named = {factor.column: value for factor, value in zip(factors, values, strict=True)}
    overrides = {path: named[factor.column] for factor in factors for path in factor.path}
    return Cell(number, named, overrides)


def levels_of(factor: Factor) -> list[Any]:
    """Return the values of a factor in a grid.

    A range is cut at equal distances, both ends included; a distribution at the middles of
    parts of equal probability.
    """
    if factor.values is not None:
        return list(factor.values)
    levels = factor.levels or 2
    if factor.range is not None:
        shares = np.linspace(0.0, 1.0, levels)
    else:
        shares = (np.arange(levels) + 0.5) / levels
    return list(dict.fromkeys(values_at(factor, shares)))


def at_points(factors: Sequence[Factor], points: FloatArray) -> list[list[Any]]:
    """Return the values of the factors at points of the unit cube.

    Parameters
    ----------
    factors : sequence of Factor
        F of them.
    points : (N, F) float64 [1]
        In [0, 1).
    """
    columns = [values_at(factor, points[:, k]) for k, factor in enumerate(factors)]
    return [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in points]


def values_at(factor: Factor, shares: FloatArray) -> list[Any]:
    """Return a factor's values at probabilities in [0, 1].

    The whole numbers of a linear range have equal shares, its ends too; other values are rounded.
    """
    if factor.values is not None:
        last = len(factor.values) - 1
        return [factor.values[min(int(share * (last + 1)), last)] for share in shares]
    if factor.distribution is not None:
        from sim.engine.distributions import quantile

        found = quantile(factor.distribution, np.minimum(shares, np.nextafter(1.0, 0.0)))
    else:
        assert factor.range is not None
        low, high = factor.range
        log = factor.scale == "log"
        half = 0.5 if factor.whole and not log else 0.0
        found = np.clip(_in_range(low - half, high + half, shares, log=log), low, high)
    if factor.whole:
        return [round(float(value)) for value in found]
    return [float(value) for value in found]


def _in_range(low: float, high: float, shares: FloatArray, *, log: bool) -> FloatArray:
    """Return values between two bounds, both of which are met exactly."""
    if log:
        sign = math.copysign(1.0, low)
        found = low * np.exp(shares * math.log(high / low))
        found = sign * np.abs(found)
    else:
        found = low + shares * (high - low)
    found = np.where(shares == 1.0, high, found)
    return np.clip(found, low, high)


def _points(experiment: Experiment, dimension: int) -> FloatArray:
    """Return the points of a Latin hypercube or a Sobol sequence, (cells, dimension)."""
    from scipy.stats import qmc

    design = experiment.design
    assert design.kind in ("latin_hypercube", "sobol")
    if dimension == 0:
        return np.zeros((design.cells, 0))
    generator = np.random.Generator(np.random.PCG64(design.seed))
    if design.kind == "latin_hypercube":
        return np.asarray(qmc.LatinHypercube(d=dimension, rng=generator).random(design.cells))
    sequence = qmc.Sobol(d=dimension, scramble=True, rng=generator)
    power = math.ceil(math.log2(design.cells)) if design.cells > 1 else 0
    return np.asarray(sequence.random_base2(power))[: design.cells]
