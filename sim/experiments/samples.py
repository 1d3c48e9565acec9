"""The samples of a sensitivity analysis, as points of the unit cube."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.core.errors import MissingExtraError

if TYPE_CHECKING:
    from sim.schema.experiment import Factor
    from sim.schema.experiment_sensitivity import Sensitivity


def salib(module: str) -> Any:
    """Return a module of SALib.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return import_module(f"SALib.{module}")
    except ImportError:
        raise MissingExtraError(
            "a sensitivity analysis needs SALib: pip install 'liqsim[experiments]'"
        ) from None


def problem(dimension: int) -> dict[str, Any]:
    """Return the unit cube as SALib describes it."""
    names = [f"x{number}" for number in range(dimension)]
    return {"num_vars": dimension, "names": names, "bounds": [[0.0, 1.0]] * dimension}


def points_of(settings: Sensitivity, dimension: int) -> FloatArray:
    """Return the samples of a method.

    Parameters
    ----------
    settings : Sensitivity
        Method and size.
    dimension : int
        F, the number of factors.

    Returns
    -------
    (C, F) float64 [1]
        One point of the unit cube per cell, in the order in which the estimators want them.

    Notes
    -----
    ``sobol``: blocks A, AB_1 .. AB_F, (BA_1 .. BA_F,) B of Saltelli's scheme over a scrambled
    Sobol sequence [1]_. ``morris``: trajectories that change one factor after the other by
    ``levels / (2 (levels - 1))`` [2]_. ``pawn``: a Latin hypercube.

    References
    ----------
    .. [1] A. Saltelli et al., Computer Physics Communications 181 (2010) 259-270.
    .. [2] M. D. Morris, Technometrics 33 (1991) 161-174.
    """
    generator = np.random.Generator(np.random.PCG64(settings.seed))
    cube = problem(dimension)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said by `sensitivity` in its own words
        if settings.kind == "sobol":
            found = salib("sample.sobol").sample(
                cube, settings.samples, calc_second_order=settings.second_order, seed=generator
            )
        elif settings.kind == "morris":
            found = salib("sample.morris").sample(
                cube, settings.samples, num_levels=settings.levels, seed=generator
            )
        else:
            found = salib("sample.latin").sample(cube, settings.samples, seed=generator)
    return np.clip(np.asarray(found, dtype=np.float64), 0.0, 1.0)


def sampled(settings: Sensitivity, factors: Sequence[Factor]) -> FloatArray:
    """Return the points at which the factors take their values, (C, F).

    Notes
    -----
    The levels of ``morris`` are k / (p - 1), both ends included, which a range is cut at. Those of
    a distribution or of listed values are the middles (k + 1/2) / p of equal parts instead, so
    that no value lies at the end of an unbounded tail and neighbouring values are one step apart.
    """
    points = points_of(settings, len(factors))
    if settings.kind == "morris":
        levels = settings.levels
        for k, factor in enumerate(factors):
            if factor.range is None:
                points[:, k] = (np.rint(points[:, k] * (levels - 1)) + 0.5) / levels
    return points
