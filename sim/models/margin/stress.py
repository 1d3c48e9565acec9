"""Margin multiplied while markets are volatile.

The stress index of a market is the realised volatility of its index price over a window W, with
returns r_i over spans d_i that end within it, and the asset's own volatility s_0 for what of the
window the samples do not cover yet:

    s = sqrt((sum_i r_i^2 + s_0^2 rest / year) / ((sum_i d_i + rest) / year)),
    rest = max(W - sum_i d_i, 0)

Rate, deduction and initial rate of every tier are multiplied by the multiplier m of the last step
whose volatility s has reached, 1 below the first. A rate r >= 0 becomes min(m r, max(r, 1)): no
part of a position is asked for more than it is worth. Where that cuts a rate, the deductions
follow from the rates, so that margin stays continuous across tiers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.margin.procyclicality import SECONDS_PER_YEAR


def realised_volatility(
    squares: FloatArray, covered: float, window: float, own: FloatArray
) -> FloatArray:
    """Return the annualised realised volatility (M,) [1/sqrt(year)].

    Parameters
    ----------
    squares : (M,) float64 [1]
        Sum of the squared log returns that end within the window.
    covered, window : float [s]
        Time over which those returns went; length of the window.
    own : (M,) float64 [1/sqrt(year)]
        Volatility that counts for what is not covered.
    """
    rest = max(window - covered, 0.0)
    years = (covered + rest) / SECONDS_PER_YEAR
    return np.sqrt((squares + own**2 * (rest / SECONDS_PER_YEAR)) / years)


def stress_multiplier(
    volatility: FloatArray, steps: Sequence[float], multipliers: Sequence[float]
) -> FloatArray:
    """Return the multiplier (M,) [1] at volatilities (M,), `steps` ascending."""
    place = np.searchsorted(np.asarray(steps, dtype=np.float64), volatility, side="right")
    return np.array([1.0, *multipliers], dtype=np.float64)[place]


def multiplied_tiers(
    floor: FloatArray, rate: FloatArray, deduction: FloatArray, multiplier: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return rates (M, T) [1] and deductions (M, T) [quote] of tiers in stress.

    Parameters
    ----------
    floor : (M, T) float64 [quote]
        ``inf`` for unused tiers, which repeat the last used one.
    rate, deduction : (M, T) float64 [1], [quote]
        Without the multiplier; NaN where there is no rule.
    multiplier : (M,) float64 [1], >= 1
    """
    factor = multiplier[:, None]
    highest = np.maximum(rate, 1.0)
    asked = rate * factor
    cut = (asked > highest).any(axis=1, keepdims=True)
    stressed, deducted = np.minimum(asked, highest), deduction * factor
    if cut.any():
        steps = np.where(np.isfinite(floor[:, 1:]), floor[:, 1:], 0.0) * np.diff(stressed)
        summed = np.cumsum(np.concatenate([deducted[:, :1], steps], axis=1), axis=1)
        deducted = np.where(cut, summed, deducted)
    return stressed, deducted
