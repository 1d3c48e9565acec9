"""Differences between two settings that were run on the same draws, and how sure they are."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sim.core.arrays import FloatArray
from sim.experiments.statistics import LEVEL, Estimate, share_interval

SAMPLES = 9999
"""Bootstrap samples, and changes of sign where not all of them are gone through."""

LEAST_PAIRS = 8
"""Pairs without which the bootstrap says too little for an interval."""

MOST_NEEDED = 1_000_000
"""Replications beyond which a difference is said to be out of reach."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What one setting does to a figure, against another on the same draws.

    Attributes
    ----------
    mean : Estimate
        Mean of other less first, with its bootstrap interval; NaN ends with fewer than
        `LEAST_PAIRS` pairs.
    deviation : float
        Standard deviation of the differences; NaN for one pair.
    effect : float
        Cohen's d of the pairs, mean over deviation; infinite where all pairs differ alike, 0
        where none does.
    higher, lower : Estimate
        Share of pairs in which the other is higher, and lower, with exact intervals.
    p : float
        Probability of so large a mean difference if signs were luck; NaN for one pair.
    gain : float
        Variance of the difference of unpaired runs over that of pairs; NaN if there is none.
    """

    mean: Estimate
    deviation: float
    effect: float
    higher: Estimate
    lower: Estimate
    p: float
    gain: float


def paired_difference(
    first: ArrayLike,
    other: ArrayLike,
    level: float = LEVEL,
    seed: int = 0,
    flips: int = SAMPLES,
) -> Difference:
    """Return what is known of the difference of two settings.

    Parameters
    ----------
    first, other : (N,) float64
        A figure in each setting; the k-th of both are of the same draw.
    level : float
        Confidence in (0, 1).
    seed : int
        Of bootstrap and changes of sign.
    flips : int
        Changes of sign that are drawn where there are more.

    Raises
    ------
    ValueError
        If they are not of one length, empty, or not finite.

    Notes
    -----
    With ``x_k = other_k - first_k``: the interval of mean(x) is that of the bias-corrected and
    accelerated bootstrap (BCa) [1]_, at a confidence expanded for small N [4]_ (tails of
    ``Phi(-t sqrt(N / (N - 1)))``, t the quantile of Student's distribution);
    ``d = mean(x) / sd(x)`` [2]_; p is the share of the ``2**N``
    changes of sign (of `flips` drawn ones where there are more) whose mean is as far from 0 [3]_,
    so that it cannot be below ``2 / 2**N``; ``gain = (var(first) + var(other)) / var(x)`` says how
    many times as many runs it would take without common draws.

    References
    ----------
    .. [1] B. Efron, J. Am. Stat. Assoc. 82 (1987) 171-185.
    .. [2] J. Cohen, Statistical Power Analysis, 2nd ed., 1988, section 2.3.5.
    .. [3] E. J. G. Pitman, J. R. Stat. Soc. Suppl. 4 (1937) 119-130.
    .. [4] T. C. Hesterberg, The American Statistician 69 (2015) 371-386.
    """
    one, two = _pair(first, other)
    x = two - one
    count, mean = x.size, float(x.mean())
    deviation = float(x.std(ddof=1)) if count > 1 else math.nan
    if np.ptp(x) == 0.0:
        deviation = 0.0 if count > 1 else math.nan
        mean = float(x[0])
    low, high = _interval(x, level, seed)
    return Difference(
        mean=Estimate(mean, low, high, count),
        deviation=deviation,
        effect=_effect(mean, deviation),
        higher=share_interval(int((x > 0).sum()), count, level),
        lower=share_interval(int((x < 0).sum()), count, level),
        p=_sign_flips(x, seed, flips),
        gain=_gain(one, two, deviation),
    )


def _pair(first: ArrayLike, other: ArrayLike) -> tuple[FloatArray, FloatArray]:
    one, two = (np.asarray(values, dtype=np.float64) for values in (first, other))
    if one.shape != two.shape or one.ndim != 1 or not one.size:
        found = f"{one.shape} and {two.shape}"
        raise ValueError(f"found values of shapes {found}; allowed: two rows of one length")
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise ValueError("found values that are not finite; allowed: finite numbers")
    return one, two


def _interval(x: FloatArray, level: float, seed: int) -> tuple[float, float]:
    from scipy.stats import bootstrap

    if x.size < LEAST_PAIRS:
        return math.nan, math.nan
    if np.ptp(x) == 0.0:
        return float(x[0]), float(x[0])
    generator = np.random.Generator(np.random.PCG64(seed))
    wide = _expanded(level, x.size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a sample of few values: percentiles are taken instead
        found = bootstrap((x,), np.mean, n_resamples=SAMPLES, confidence_level=wide,
                          method="BCa", rng=generator)  # fmt: skip
    low, high = map(float, found.confidence_interval)
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    ends = np.quantile(found.bootstrap_distribution, [(1 - wide) / 2, (1 + wide) / 2])
    return float(ends[0]), float(ends[1])


def _expanded(level: float, count: int) -> float:
    """Return the confidence to ask of a bootstrap of few values to get the one wanted."""
    from scipy.stats import norm, t

    border = float(t.ppf((1 + level) / 2, count - 1)) * math.sqrt(count / (count - 1))
    return 1.0 - 2.0 * float(norm.sf(border))


def _effect(mean: float, deviation: float) -> float:
    if math.isnan(deviation):
        return math.nan
    if deviation == 0.0:
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / deviation


def _sign_flips(x: FloatArray, seed: int, flips: int) -> float:
    """Return the share of changes of sign whose sum is as far from 0 as that of `x`."""
    if x.size < 2:
        return math.nan
    if not x.any():
        return 1.0
    scaled = x / np.abs(x).max()
    border = abs(float(scaled.sum())) - 1e-12 * x.size
    if 2**x.size <= flips:
        sums = np.zeros(1)
        for value in scaled:
            sums = np.concatenate((sums - value, sums + value))
        return float((np.abs(sums) >= border).mean())
    generator = np.random.Generator(np.random.PCG64(seed))
    signs = 2.0 * generator.integers(0, 2, (flips, x.size), dtype=np.int8) - 1.0
    return (1.0 + float((np.abs(signs @ scaled) >= border).sum())) / (1.0 + flips)


def _gain(one: FloatArray, two: FloatArray, deviation: float) -> float:
    if not deviation > 0.0:
        return math.nan
    return float(one.var(ddof=1) + two.var(ddof=1)) / deviation**2


def pairs_to_tell(comparisons: int, level: float = LEVEL) -> int:
    """Return the least number of pairs with which any difference can be told.

    Notes
    -----
    The least N with ``comparisons x 2 / 2**N < 1 - level``: 6 for one comparison at 95 %.
    """
    return math.floor(math.log2(comparisons / (1 - level))) + 2


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values that allow for there being several of them.

    Parameters
    ----------
    p : sequence of float
        One per comparison; NaN is no comparison.

    Notes
    -----
    In ascending order ``max over j <= i of min(1, (m - j + 1) p_j)``; all verdicts together are
    wrong with at most the probability asked of one [1]_.

    References
    ----------
    .. [1] S. Holm, Scand. J. Statist. 6 (1979) 65-70.
    """
    found = [math.nan] * len(p)
    known = sorted((value, k) for k, value in enumerate(p) if not math.isnan(value))
    worst = 0.0
    for rank, (value, k) in enumerate(known):
        worst = max(worst, min(1.0, (len(known) - rank) * value))
        found[k] = worst
    return found


def replications_needed(effect: float, level: float = LEVEL, power: float = 0.8) -> int | None:
    """Return how many pairs would tell a difference of this size, or None if hardly any number.

    Parameters
    ----------
    effect : float
        Cohen's d of the pairs.
    level : float
        Confidence of the verdict.
    power : float
        Chance of telling it.

    Notes
    -----
    The least N for which ``|T| > t(1 - a/2, N - 1)`` with probability `power`, T noncentral t of
    N - 1 degrees of freedom and ``d sqrt(N)`` [1]_: 34 for d = 0.5 at 95 % and 80 %. The effect is
    itself an estimate, so the number is rough.

    References
    ----------
    .. [1] J. Cohen, Statistical Power Analysis, 2nd ed., 1988, section 2.4.
    """
    size = abs(effect)
    if not size > 0.0:
        return None
    low, high = 2, 4
    while _power(size, high, level) < power:
        low, high = high, 2 * high
        if high > MOST_NEEDED:
            return None
    while low < high:
        middle = (low + high) // 2
        if _power(size, middle, level) >= power:
            high = middle
        else:
            low = middle + 1
    return high


def _power(effect: float, count: int, level: float) -> float:
    from scipy.stats import nct, norm, t

    shift = effect * math.sqrt(count)
    border = float(t.ppf((1 + level) / 2, count - 1))
    if shift > 30.0 + border:
        return 1.0
    if count > 2000:
        return float(norm.sf(border - shift) + norm.cdf(-border - shift))
    return float(nct.sf(border, count - 1, shift) + nct.cdf(-border, count - 1, shift))
