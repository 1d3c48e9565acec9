"""Margin that depends on the size of a position.

For a position of B = |q| c [base] whose notional N would need the margin M (by its tier),

    needed = max(M, KEPT M + k sqrt(B) N) + a B N

with a = size_rate [1/base] and k = size_root [1/sqrt(base)] of the clearer and market, 0 where it
has none. Both added rates stay as they are while the price moves, so margin stays convex and
piecewise linear in the price, and convex in the share of a position that is kept.

Where M rises with N at a rate of at most r, the rate of ``needed`` is at most
``max(r, KEPT r + k sqrt(B)) + a B``.
"""

from __future__ import annotations

import math

import numpy as np

from sim.core.arrays import FloatArray
from sim.kernels.compiling import compiled_part

KEPT = 0.8
"""Share of the plain rate on which the root term is laid (Drift: the liability weight less a fifth
of it; drift-labs/protocol-v2, programs/drift/src/math/margin.rs, seen September 2026)."""

NO_SIZES = np.empty((0, 0))
"""Terms of a world in which no margin depends on size."""


def sized_numpy(
    needed: FloatArray, nominal: FloatArray, size: FloatArray, rate: FloatArray, root: FloatArray
) -> FloatArray:
    """Return the margin (N,) of positions, any unit of money; the plain reference.

    Parameters
    ----------
    needed, nominal : (N,) float64 [quote]
        Margin without the size, and notional.
    size : (N,) float64 [base], >= 0
    rate, root : (N,) float64 [1/base], [1/sqrt(base)]
    """
    laid_on = KEPT * needed + root * np.sqrt(size) * nominal
    return np.where(root > 0.0, np.maximum(needed, laid_on), needed) + rate * size * nominal


def steepest_numpy(
    steepest: FloatArray, size: FloatArray, rate: FloatArray, root: FloatArray
) -> FloatArray:
    """Return the highest rate (N,) of notional, given the highest one without the size."""
    laid_on = KEPT * steepest + root * np.sqrt(size)
    return np.where(root > 0.0, np.maximum(steepest, laid_on), steepest) + rate * size


@compiled_part
def sized(needed: float, nominal: float, size: float, rate: float, root: float) -> float:
    """Return the margin of one position; the compiled twin of `sized_numpy`."""
    if root > 0.0:
        needed = max(needed, KEPT * needed + root * math.sqrt(size) * nominal)
    return needed + rate * size * nominal


@compiled_part
def steepest(rate_met: float, size: float, rate: float, root: float) -> float:
    """Return the highest rate of notional; the compiled twin of `steepest_numpy`."""
    if root > 0.0:
        rate_met = max(rate_met, KEPT * rate_met + root * math.sqrt(size))
    return rate_met + rate * size
