"""Margin that follows volatility, what damps it, and how procyclical it is.

A central counterparty's margin per notional, from the volatility s of the log price over one
sample of length T_s (decay l, return r over the sample, z the normal quantile, T_p the period of
risk, the time it takes to close a position):

    s_t^2 = l s_{t-1}^2 + (1 - l) r_t^2              exponentially weighted
    M     = z s sqrt(T_p / T_s)                      [1]

The three measures of Commission Delegated Regulation (EU) No 153/2013, Article 28, against margin
that rises when markets fall (read 2026):

    (a) a buffer b of at least 25 %, used up in stress   max(M, min((1 + b) M, (1 + b) M_calm))
    (b) stressed observations with a weight w >= 25 %    (1 - w) M + w z s_stressed sqrt(T_p / T_s)
    (c) a floor on volatility                            max(s, s_long_run)

Their measures of Murphy, Vasios and Vause (2014, Bank of England Financial Stability Paper 29), of
the margin of a constant portfolio: the largest over the smallest (peak to trough), and the
largest ratio of the margin n days later to that of a day.

How much a rise of margin feeds on itself (Brunnermeier and Pedersen 2009): with a binding
constraint ``m(p) x(p) = b + p x_0 + e`` and ``x = Z - k (v - p)``,

    dp/de = 1 / (k m + m' x - x_0)

x_0 > 0 being the loss spiral and m' < 0, margins that rise as the price falls, the margin spiral.
The heavier the tail of returns, the larger the buffer that is needed (Glasserman and Wu 2018,
"Persistence and Procyclicality in Margin Requirements"). Under GARCH(1, 1) its index is the k > 0
that solves ``E[(a Z^2 + b)^(k/2)] = 1``, Z standard normal.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from sim.core.arrays import FloatArray

NODES = 200
"""Points of the Gauss-Hermite rule for an expectation over a standard normal."""

SECONDS_PER_YEAR = 365.0 * 86_400.0


def normal_quantile(quantile: float) -> float:
    """Return z [1] with ``P(Z <= z) = quantile`` for a standard normal Z."""
    return NormalDist().inv_cdf(quantile)


def ewma_variance(
    variance: FloatArray, log_return: FloatArray, decay: float, samples: float = 1.0
) -> FloatArray:
    """Return the variance [1] of the log price over one sample, after one more return.

    Parameters
    ----------
    variance : (M,) float64 [1]
        Before it.
    log_return : (M,) float64 [1]
    decay : float [1]
    samples : float
        Samples that the return spans; it counts as so many equal ones of variance
        ``log_return**2 / samples``.
    """
    kept = decay**samples
    return np.asarray(kept * variance + (1.0 - kept) * log_return**2 / samples)


def ewma_volatility(log_returns: FloatArray, decay: float, start: float) -> FloatArray:
    """Return the volatility (T,) [1] after each of T returns, from `start` before the first."""
    variance, found = np.array([start**2]), np.empty(len(log_returns))
    for t in range(len(log_returns)):
        variance = ewma_variance(variance, log_returns[t : t + 1], decay)
        found[t] = math.sqrt(variance[0])
    return found


def margin_rate(
    volatility: FloatArray, quantile: float, period_of_risk: float, sample: float
) -> FloatArray:
    """Return margin per notional [1].

    Parameters
    ----------
    volatility : (M,) float64 [1]
        Of the log price over one sample.
    quantile : float
        Share of the moves over the period of risk that the margin covers.
    period_of_risk, sample : float [s]
    """
    factor = normal_quantile(quantile) * math.sqrt(period_of_risk / sample)
    return np.asarray(factor * volatility)


def with_buffer(margin: FloatArray, calm: FloatArray | float, buffer: float) -> FloatArray:
    """Return margin with a buffer that is used up as it rises above the calm one; measure (a)."""
    raised = 1.0 + buffer
    return np.maximum(margin, np.minimum(raised * margin, raised * np.asarray(calm)))


def with_stress(margin: FloatArray, stressed: FloatArray | float, weight: float) -> FloatArray:
    """Return margin of which `weight` is that of stressed observations; measure (b)."""
    return np.asarray((1.0 - weight) * margin + weight * np.asarray(stressed))


def with_floor(volatility: FloatArray, long_run: FloatArray | float) -> FloatArray:
    """Return volatility that is not below the long-run one; measure (c)."""
    return np.maximum(volatility, long_run)


def peak_to_trough(margin: FloatArray) -> float:
    """Return the largest over the smallest margin (T,) of a constant portfolio [1]."""
    return float(margin.max() / margin.min())


def largest_rise(margin: FloatArray, days: int) -> float:
    """Return the largest ratio [1] of margin (T,) to that `days` entries before."""
    return float((margin[days:] / margin[:-days]).max())


def spiral_multiplier(
    slope: float, margin: float, position: float, margin_slope: float, held: float
) -> float:
    """Return how far the price falls per unit of money that is lost [1/quantity].

    Parameters
    ----------
    slope : float
        k, contracts demanded per unit by which the price falls below its value.
    margin : float
        m, margin per contract.
    position : float
        x, contracts held by those whose constraint binds.
    margin_slope : float
        m', margin per unit of price.
    held : float
        x_0, contracts held before.
    """
    return 1.0 / (slope * margin + margin_slope * position - held)


def garch_tail_index(alpha: float, beta: float) -> float:
    """Return the tail index k [1] of a GARCH(1, 1) with normal innovations, by bisection.

    Parameters
    ----------
    alpha, beta : float
        Weights of the last squared return and of the last variance, each above 0, with
        ``alpha + beta < 1``.
    """
    node, weight = np.polynomial.hermite_e.hermegauss(NODES)
    weight = weight / weight.sum()
    growth = np.log(alpha * node**2 + beta)

    def excess(k: float) -> float:
        return float(weight @ np.exp(0.5 * k * growth)) - 1.0

    # The expectation is convex in k, 1 at 0 and below 1 at 2, so the root lies beyond 2.
    low, high = 2.0, 4.0
    while excess(high) < 0.0:
        low, high = high, 2.0 * high
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) < 0.0 else (low, middle)
    return 0.5 * (low + high)
