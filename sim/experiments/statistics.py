"""Figures of many runs with their intervals; a tail that too few runs reach is not shown."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sim.core.arrays import FloatArray
from sim.core.grammar import Statistic
from sim.core.lexer import ExpressionError

LEVEL = 0.95
"""Confidence of an interval where nobody says otherwise."""


class TooFewRunsError(ExpressionError):
    """A figure cannot be told from so few runs."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval.

    Attributes
    ----------
    value, low, high : float
        Estimate and the ends of its interval; NaN where there is no interval.
    runs : int
        Runs behind it.
    """

    value: float
    low: float
    high: float
    runs: int


def mean_interval(values: ArrayLike, level: float = LEVEL) -> Estimate:
    """Return the mean with Student's interval.

    Parameters
    ----------
    values : (N,) float64
        One per run.
    level : float
        Confidence in (0, 1).

    Raises
    ------
    TooFewRunsError
        Without any value.

    Notes
    -----
    ``mean +- t(1 - a/2, N - 1) s / sqrt(N)`` with a = 1 - level; no interval from one run.
    """
    from scipy.stats import t as student

    sample = _sample(values)
    mean = float(sample.mean())
    if sample.size < 2:
        return Estimate(mean, math.nan, math.nan, sample.size)
    spread = float(sample.std(ddof=1)) / math.sqrt(sample.size)
    half = float(student.ppf(0.5 + level / 2, sample.size - 1)) * spread
    return Estimate(mean, mean - half, mean + half, sample.size)


def share_interval(successes: int, runs: int, level: float = LEVEL) -> Estimate:
    """Return a share with the exact interval of Clopper and Pearson.

    Raises
    ------
    TooFewRunsError
        Without any run.

    Notes
    -----
    ``low = Beta^-1(a/2; k, N - k + 1)``, ``high = Beta^-1(1 - a/2; k + 1, N - k)`` [1]_.

    References
    ----------
    .. [1] C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404-413.
    """
    from scipy.stats import beta

    if runs < 1:
        raise TooFewRunsError("no runs")
    tail = (1.0 - level) / 2
    low = float(beta.ppf(tail, successes, runs - successes + 1)) if successes else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, runs - successes)) if successes < runs else 1.0
    return Estimate(successes / runs, low, high, runs)


def runs_needed(probability: float, level: float = LEVEL) -> int:
    """Return how many runs it takes for a quantile to have an interval with two ends.

    Notes
    -----
    The interval ends at order statistics, so the lowest value must lie below the quantile, and
    the highest above it, with probability ``1 - a/2`` each:
    ``N >= ln(a/2) / ln(max(p, 1 - p))``; 368 runs for the 99 % quantile at 95 % confidence.
    """
    if not 0 < probability < 1:
        raise ValueError(f"a probability in (0, 1) is needed, found {probability}")
    return math.ceil(math.log((1 - level) / 2) / math.log(max(probability, 1 - probability)))


def quantile_interval(values: ArrayLike, probability: float, level: float = LEVEL) -> Estimate:
    """Return a quantile with its distribution-free interval.

    Parameters
    ----------
    values : (N,) float64
        One per run.
    probability : float
        In (0, 1); 0.99 asks for what one run of a hundred exceeds.
    level : float
        Confidence.

    Raises
    ------
    TooFewRunsError
        If there are fewer runs than `runs_needed` says.

    Notes
    -----
    The estimate is the order statistic of rank ``ceil(N p)``, a value that a run had. With
    B ~ Binomial(N, p) the interval is from the order statistic of rank l to that of rank u,
    l the largest with ``P(B < l) <= a/2`` and u the smallest with ``P(B >= u) <= a/2`` [1]_.

    References
    ----------
    .. [1] H. A. David, H. N. Nagaraja, Order Statistics, 3rd ed., Wiley 2003, section 7.1.
    """
    from scipy.stats import binom

    sample = np.sort(_sample(values))
    needed = runs_needed(probability, level)
    if sample.size < needed:
        raise TooFewRunsError(
            f"the {probability:.4g} quantile needs {needed:,} runs, found {sample.size:,}"
        )
    tail = (1 - level) / 2
    ranks = np.arange(1, sample.size + 1)
    low = int(ranks[binom.cdf(ranks - 1, sample.size, probability) <= tail].max(initial=1))
    high = int(
        ranks[binom.sf(ranks - 1, sample.size, probability) <= tail].min(initial=sample.size)
    )
    rank = max(1, math.ceil(sample.size * probability - 1e-9))
    return Estimate(
        float(sample[rank - 1]), float(sample[low - 1]), float(sample[high - 1]), sample.size
    )


def expected_shortfall(values: ArrayLike, probability: float, level: float = LEVEL) -> Estimate:
    """Return the mean of the worst ``1 - probability`` of the runs with Student's interval.

    Parameters
    ----------
    values : (N,) float64
        One per run; large is bad.
    probability : float
        In (0, 1); 0.99 averages over the worst hundredth.
    level : float
        Confidence.

    Raises
    ------
    TooFewRunsError
        If there are fewer runs than its quantile needs.

    Notes
    -----
    ``ES = (sum of the k largest + (m - k) x the next) / m``, m = N (1 - p), k = floor(m) [1]_.
    With q the next value and e = max(x - q, 0), ``ES - q`` is the mean of e over 1 - p, so that
    its standard error is ``s(e) / ((1 - p) sqrt(N))`` [2]_. Few values make up s(e): it has the
    ``2 m / 5`` degrees of freedom (1 at least) that ``2 E[s2]^2 / var s2`` is for a tail that falls
    off exponentially. Intervals at 95 % cover 91 to 97 % of the time for normal, exponential,
    lognormal (sigma 1) and Student's (4 degrees) tails with m from 4 to 50.

    References
    ----------
    .. [1] C. Acerbi, D. Tasche, Journal of Banking & Finance 26 (2002) 1487-1503, eq. (11).
    .. [2] B. J. Manistre, G. H. Hancock, North American Actuarial Journal 9 (2005) 129-156.
    """
    from scipy.stats import t as student

    sample = np.sort(_sample(values))[::-1]
    needed = runs_needed(probability, level)
    if sample.size < needed:
        raise TooFewRunsError(
            f"the expected shortfall at {probability:.4g} needs {needed:,} runs, "
            f"found {sample.size:,}"
        )
    mass = sample.size * (1 - probability)
    threshold = float(sample[min(math.floor(mass + 1e-9), sample.size - 1)])
    beyond = np.maximum(sample - threshold, 0.0)
    value = threshold + float(beyond.sum()) / mass
    if mass <= 1.0 + 1e-9:  # one run says nothing of its own luck
        return Estimate(value, math.nan, math.nan, sample.size)
    spread = float(beyond.std(ddof=1)) * math.sqrt(sample.size) / mass
    half = float(student.ppf(0.5 + level / 2, max(0.4 * mass, 1.0))) * spread
    return Estimate(value, value - half, value + half, sample.size)


def share_of(values: ArrayLike, level: float = LEVEL) -> Estimate:
    """Return the share of runs in which a condition holds, as `share_interval`.

    Parameters
    ----------
    values : (N,) float64
        1 where it holds, 0 where not.
    level : float
        Confidence.

    Raises
    ------
    ExpressionError
        If a value is neither 0 nor 1, so that these are values of no condition.
    """
    sample = _sample(values)
    if not np.isin(sample, (0.0, 1.0)).all():
        raise ExpressionError("a share is taken of a condition, such as share(shortfall > 0)")
    return share_interval(int(sample.sum()), sample.size, level)


Estimator = Callable[[ArrayLike, float], Estimate]
"""From the values of all runs and a confidence to a statistic with its interval."""

INTERVALS = "mean, median, share, p95 (any quantile), es99 (any expected shortfall)"
"""Statistics that have an interval, as messages name them."""

_TAIL = re.compile(r"(p|es)(\d{1,2}(?:_\d+)?)")


def estimator(name: str) -> tuple[Estimator, Callable[[float], int]] | None:
    """Return the statistic with an interval that a name means and the fewest runs it takes.

    ``mean``, ``median``, ``share`` (of runs in which a condition holds), ``p99`` (a quantile),
    ``es99`` (expected shortfall); ``p99_5`` is the 99.5 % quantile. None for other names. The
    fewest runs are a function of the confidence.
    """
    if name in ("mean", "share"):
        return mean_interval if name == "mean" else share_of, lambda level: 1
    match = _TAIL.fullmatch("p50" if name == "median" else name)
    if match is None or float(match[2].replace("_", ".")) == 0:
        return None
    probability = float(match[2].replace("_", ".")) / 100
    tail = quantile_interval if match[1] == "p" else expected_shortfall
    return (
        lambda values, level: tail(values, probability, level),
        lambda level: runs_needed(probability, level),
    )


STATISTICS = f"{INTERVALS}, lowest, highest, sd"
"""Statistics of many runs, as messages name them."""


def statistic(name: str) -> Statistic | None:
    """Return the statistic of many runs that a name means, or None.

    Those of `estimator`, ``lowest``, ``highest`` and ``sd``.
    """
    plain: dict[str, Callable[[FloatArray], float]] = {
        "lowest": lambda values: float(np.min(values)),
        "highest": lambda values: float(np.max(values)),
        "sd": _deviation,
    }
    if name in plain:
        return lambda values: plain[name](_sample(values))
    found = estimator(name)
    return None if found is None else lambda values: found[0](values, LEVEL).value


def _deviation(values: FloatArray) -> float:
    if values.size < 2:
        raise TooFewRunsError("a standard deviation needs 2 runs, found 1")
    return float(np.std(values, ddof=1))


def _sample(values: ArrayLike) -> FloatArray:
    """Return values as an array, refused where they are none or not finite."""
    sample = np.asarray(values, dtype=np.float64).ravel()
    if sample.size == 0:
        raise TooFewRunsError("no runs")
    if not np.isfinite(sample).all():
        raise ValueError(f"{int((~np.isfinite(sample)).sum())} of {sample.size} values not finite")
    return sample
