"""Sensitivity indices from values at the samples of a method, on plain arrays."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.experiments.samples import points_of, problem, salib

if TYPE_CHECKING:
    from sim.schema.experiment_sensitivity import (
        MorrisEffects,
        PawnIndices,
        Sensitivity,
        SobolIndices,
    )

INDICES = {
    "sobol": ("S1", "ST"),
    "morris": ("mu", "mu_star", "sigma"),
    "pawn": ("median", "maximum", "cv"),
}
"""Indices of each method; a table has each with its ends ``_low`` and ``_high``."""


@dataclass(frozen=True, slots=True)
class Indices:
    """Indices of one metric.

    Attributes
    ----------
    rows : list of dict
        One per factor: ``factor``, each index with ``_low`` and ``_high``; for PAWN also ``floor``.
    pairs : list of dict
        One per two factors: ``factor``, ``other``, ``S2``, ``S2_low``, ``S2_high``.
    """

    rows: list[dict[str, Any]]
    pairs: list[dict[str, Any]] = field(default_factory=list)


def indices_of(
    settings: Sensitivity, factors: Sequence[str], sizes: Sequence[int], values: FloatArray
) -> Indices:
    """Return the indices of a metric.

    Parameters
    ----------
    settings : Sensitivity
        Method, as the samples were made.
    factors : sequence of str
        F names.
    sizes : sequence of int
        Number of values that a factor can take; 0 where any number.
    values : (C,) float64
        Value of the metric in each cell, all finite, not all the same.

    Raises
    ------
    ValueError
        If there is not one finite value per cell.

    Notes
    -----
    ``sobol``: ``S1 = V[E[Y | X]] / V[Y]`` and ``ST = 1 - V[E[Y | all but X]] / V[Y]`` with the
    estimators of Saltelli et al. [1]_ (first order) and Jansen (total); ``S2`` is the share of
    two factors beyond their own. ``morris``: mean, mean size and standard deviation of the
    change of Y over that of the factor, in units of the metric per whole range [2]_. ``pawn``:
    Kolmogorov-Smirnov distance between Y in a slice and all Y, over the slices [3]_; ``floor`` is
    what a factor without effect stays below with the stated confidence. Intervals are the value
    +- z times the standard deviation of bootstrap resamples.

    References
    ----------
    .. [1] A. Saltelli et al., Computer Physics Communications 181 (2010) 259-270.
    .. [2] F. Campolongo, J. Cariboni, A. Saltelli, Environmental Modelling & Software 22 (2007)
       1509-1518.
    .. [3] F. Pianosi, T. Wagener, Environmental Modelling & Software 108 (2018) 197-207.
    """
    points = points_of(settings, len(factors))
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (len(points),) or not np.isfinite(values).all():
        raise ValueError(
            f"{len(points)} finite values are needed, one per cell; found shape {values.shape} "
            f"with {int((~np.isfinite(values)).sum())} not finite"
        )
    # SALib divides by spreads that may be 0 in a resample; such a resample counts for nothing.
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if settings.kind == "sobol":
            return _sobol(settings, factors, values)
        if settings.kind == "morris":
            return _morris(settings, factors, points, values)
        return _pawn(settings, factors, sizes, points, values)


def _generator(settings: Sensitivity) -> np.random.Generator:
    """Return the random numbers of the intervals, other ones than those of the samples."""
    return np.random.Generator(np.random.PCG64([settings.seed, 1]))


def _z(settings: Sensitivity) -> float:
    from scipy.stats import norm

    return float(norm.ppf(0.5 + settings.level / 2))


def _ends(name: str, value: float, half: float) -> dict[str, float]:
    return {name: value, f"{name}_low": value - half, f"{name}_high": value + half}


def _spread(resampled: FloatArray) -> FloatArray:
    """Return the standard deviation over resamples, (resamples, F) to (F,)."""
    finite = np.where(np.isfinite(resampled), resampled, np.nan)
    return np.asarray(np.nanstd(finite, axis=0, ddof=1), dtype=np.float64)


def _sobol(settings: SobolIndices, factors: Sequence[str], values: FloatArray) -> Indices:
    found = salib("analyze.sobol").analyze(
        problem(len(factors)),
        values,
        calc_second_order=settings.second_order,
        num_resamples=settings.resamples,
        conf_level=settings.level,
        keep_resamples=True,
        seed=_generator(settings),
    )
    rows: list[dict[str, Any]] = [{"factor": name} for name in factors]
    for index in INDICES["sobol"]:
        half = _z(settings) * _spread(found[f"{index}_conf_all"])
        for k in range(len(factors)):
            rows[k].update(_ends(index, float(found[index][k]), float(half[k])))
    pairs: list[dict[str, Any]] = []
    if settings.second_order:
        for j, name in enumerate(factors):
            for k in range(j + 1, len(factors)):
                ends = _ends("S2", float(found["S2"][j, k]), float(found["S2_conf"][j, k]))
                pairs.append({"factor": name, "other": factors[k], **ends})
    return Indices(rows, pairs)


def _morris(
    settings: MorrisEffects, factors: Sequence[str], points: FloatArray, values: FloatArray
) -> Indices:
    names = INDICES["morris"]
    effects = elementary_effects(points, values)
    draws = _generator(settings).integers(len(effects), size=(settings.resamples, len(effects)))
    best = _moments(effects)
    half = _z(settings) * _spread(np.array([_moments(effects[draw]) for draw in draws]))
    return Indices(
        [
            {"factor": factor}
            | {
                key: number
                for i, name in enumerate(names)
                for key, number in _ends(name, float(best[i, k]), float(half[i, k])).items()
            }
            for k, factor in enumerate(factors)
        ]
    )


def _moments(effects: FloatArray) -> FloatArray:
    """Return mean, mean size and standard deviation of effects, (T, F) to (3, F)."""
    return np.array([effects.mean(0), np.abs(effects).mean(0), effects.std(0, ddof=1)])


def elementary_effects(points: FloatArray, values: FloatArray) -> FloatArray:
    """Return the change of the values over that of each factor, (T, F), along trajectories.

    Parameters
    ----------
    points : (T (F + 1), F) float64 [1]
        T trajectories, in each of which every factor changes once, by itself.
    values : (T (F + 1),) float64
        Value of the metric at each point.
    """
    dimension = points.shape[1]
    steps = np.diff(points.reshape(-1, dimension + 1, dimension), axis=1)
    changes = np.diff(values.reshape(-1, dimension + 1), axis=1)
    changed = np.abs(steps).argmax(axis=2)
    size = np.take_along_axis(steps, changed[:, :, None], axis=2)[:, :, 0]
    found = np.empty_like(changes)
    np.put_along_axis(found, changed, changes / size, axis=1)
    return found


def _pawn(
    settings: PawnIndices,
    factors: Sequence[str],
    sizes: Sequence[int],
    points: FloatArray,
    values: FloatArray,
) -> Indices:
    generator = _generator(settings)
    rows: list[dict[str, Any]] = []
    for k, factor in enumerate(factors):
        slices = min(settings.slices, sizes[k] or settings.slices)
        parts = np.minimum((points[:, k] * slices).astype(np.int64), slices - 1)
        best = pawn_indices(parts, values, slices)
        draws = generator.integers(len(values), size=(settings.resamples, len(values)))
        resampled = [pawn_indices(parts[draw], values[draw], slices) for draw in draws]
        half = _z(settings) * _spread(np.array(resampled))
        row: dict[str, Any] = {"factor": factor}
        for i, name in enumerate(INDICES["pawn"]):
            row |= _ends(name, float(best[i]), float(half[i]))
        shuffled = [
            pawn_indices(generator.permutation(parts), values, slices)[0]
            for _ in range(settings.resamples)
        ]
        rows.append(row | {"floor": float(np.quantile(shuffled, settings.level))})
    return Indices(rows)


def pawn_indices(parts: IntArray, values: FloatArray, slices: int) -> FloatArray:
    """Return median, maximum and coefficient of variation of the distances of the slices, (3,).

    Parameters
    ----------
    parts : (C,) int64
        Slice of each cell, from 0.
    values : (C,) float64
        Value of the metric in each cell.
    slices : int
        Number of slices; empty ones count for nothing.
    """
    _, rank = np.unique(values, return_inverse=True)
    distinct = int(rank.max()) + 1
    counts = np.bincount(parts * distinct + rank, minlength=slices * distinct)
    below = np.cumsum(counts.reshape(slices, distinct), axis=1, dtype=np.float64)
    sizes = below[:, -1]
    filled = sizes > 0
    overall = below.sum(axis=0) / len(values)
    distances = np.abs(below[filled] / sizes[filled, None] - overall).max(axis=1)
    mean = float(distances.mean())
    variation = float(distances.std()) / mean if mean > 0 else np.nan
    return np.array([float(np.median(distances)), float(distances.max()), variation])
