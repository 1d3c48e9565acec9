"""European options on a forward or future (Black, 1976).

    call = e^(-r T) (F N(d1) - K N(d2)),    put = e^(-r T) (K N(-d2) - F N(-d1))
    d1 = (ln(F / K) + s^2 T / 2) / (s sqrt(T)),    d2 = d1 - s sqrt(T)

F [quote] forward price, K [quote] strike, s [1 / sqrt(year)] volatility, T [years] time to expiry,
r [1 / year] interest rate. With ``F = S e^((r - q) T)`` it is the formula of Black, Scholes and
Merton for a spot price S with yield q. At T = 0 or s = 0 the value is the discounted payoff.

Source: F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import ndtr

from sim.core.arrays import FloatArray


def black_value(
    side: Literal["call", "put"],
    forward: FloatArray | float,
    strike: FloatArray | float,
    years: FloatArray | float,
    volatility: FloatArray | float,
    rate: float = 0.0,
) -> FloatArray:
    """Return the value [quote] of one option per unit of the underlying.

    Parameters
    ----------
    side : {"call", "put"}
    forward, strike : float64 [quote], > 0
        Arrays are broadcast against each other.
    years, volatility : float64 [years], [1 / sqrt(year)], >= 0
    rate : float [1 / year]

    Raises
    ------
    ValueError
        A price is not above 0, or a time or volatility is negative.
    """
    f, k, t, s = (np.asarray(x, dtype=np.float64) for x in (forward, strike, years, volatility))
    if not ((f > 0.0).all() and (k > 0.0).all()):
        raise ValueError("forward and strike must be above 0")
    if not ((t >= 0.0).all() and (s >= 0.0).all()):
        raise ValueError("years and volatility must be 0 or more")
    spread = s * np.sqrt(t)
    with np.errstate(divide="ignore", invalid="ignore"):
        d1 = np.where(spread > 0.0, np.log(f / k) / spread + spread / 2.0, np.inf * (f - k))
    d1 = np.where(np.isnan(d1), 0.0, d1)
    d2 = d1 - spread
    sign = 1.0 if side == "call" else -1.0
    value = sign * (f * ndtr(sign * d1) - k * ndtr(sign * d2))
    return np.asarray(np.exp(-rate * t) * value)
