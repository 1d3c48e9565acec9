"""Quantile functions of the distributions a scenario may write.

Everything random about a population is drawn by inverting a distribution function at a uniform
number, so that two scenarios that differ in one distribution still share every uniform
(common random numbers). Bounds condition the distribution: with F the untruncated distribution
function, a draw on [min, max] is

    x(u) = F^-1( F(min) + u (F(max) - F(min)) ),    0 <= u < 1

and never a clipped value, which would put mass on the bounds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from sim.core.arrays import FloatArray
from sim.core.errors import RunError

if TYPE_CHECKING:
    from sim.schema.distributions import Distribution


def quantile(distribution: Distribution, uniforms: FloatArray) -> FloatArray:
    """Return the quantiles of a distribution at given probabilities.

    Parameters
    ----------
    distribution : Distribution
        One of ``constant``, ``uniform``, ``lognormal``, ``pareto``, ``empirical``.
    uniforms : (N,) float64 [1]
        Probabilities in [0, 1).

    Returns
    -------
    (N,) float64
        Non-decreasing in the probability, in the unit of the distribution.

    Raises
    ------
    RunError
        If the bounds of a lognormal hold no mass that float64 can tell from zero.

    Notes
    -----
    ``lognormal``: ``ln x = ln median + sigma z`` with z standard normal. ``pareto``:
    ``P(X > x) = (min / x) ** alpha`` for x >= min. ``empirical``: linear interpolation of the
    quantile function between the given points, flat below the first and above the last.
    """
    if distribution.dist == "constant":
        return np.full(uniforms.shape, float(distribution.value))
    if distribution.dist == "uniform":
        return np.asarray(distribution.min + uniforms * (distribution.max - distribution.min))
    if distribution.dist == "lognormal":
        return _lognormal(
            uniforms, distribution.median, distribution.sigma, distribution.min, distribution.max
        )
    if distribution.dist == "pareto":
        return _pareto(uniforms, distribution.alpha, distribution.min, distribution.max)
    points = sorted(distribution.quantiles.items())
    return np.interp(uniforms, [p for p, _ in points], [value for _, value in points])


def _lognormal(
    uniforms: FloatArray, median: float, sigma: float, low: float | None, high: float | None
) -> FloatArray:
    """Return truncated lognormal quantiles; the normal tail is taken on its accurate side."""
    bottom = 0.0 if low is None else float(low)
    top = math.inf if high is None else high
    if bottom == top:
        return np.full(uniforms.shape, bottom)
    if sigma == 0.0:
        if not bottom <= median <= top:
            raise RunError(
                f"a lognormal with sigma 0 is the constant {median}, "
                f"which lies outside its bounds [{bottom}, {top}]"
            )
        return np.full(uniforms.shape, float(median))
    z_low = math.log(bottom / median) / sigma if bottom > 0.0 else -math.inf
    z_high = math.log(top / median) / sigma if top < math.inf else math.inf
    mirrored = z_low > 0.0  # keep the window in the left tail, where ndtr is accurate
    a, b = (-z_high, -z_low) if mirrored else (z_low, z_high)
    mass_a, mass_b = float(ndtr(a)), float(ndtr(b))
    if not mass_b > mass_a:
        raise RunError(
            f"a lognormal with median {median} and sigma {sigma} has no mass within its bounds "
            f"[{bottom}, {top}]; widen them"
        )
    share = 1.0 - uniforms if mirrored else uniforms
    z = ndtri(mass_a + share * (mass_b - mass_a))
    if mirrored:
        z = -z
    # The clip undoes rounding at the bounds only; it moves no mass.
    return np.clip(median * np.exp(sigma * z), bottom, top)


def _pareto(uniforms: FloatArray, alpha: float, low: float, high: float | None) -> FloatArray:
    """Return truncated Pareto quantiles ``min (1 - u F(max)) ** (-1 / alpha)``."""
    if high is None:
        return np.asarray(low * np.power(1.0 - uniforms, -1.0 / alpha))
    mass = -math.expm1(alpha * math.log(low / high))
    return np.clip(low * np.power(1.0 - uniforms * mass, -1.0 / alpha), low, high)
