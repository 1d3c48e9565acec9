"""Funding rate and payments of a perpetual.

::

    p_i = (last - index) / index                                          sample i of the premium
    P   = sum_i w_i p_i / sum_i w_i ,    w_i = 1 (mean)  or  w_i = i (rising)
    F   = P + clip(I - P, -b, b)                                          per period
    R   = clip(F T / T_F, -cap, cap)                                      per interval
    payment = q c x R                                                     longs pay where R > 0

Symbols: ``last``, ``index`` [quote/base], ``P`` premium [1], ``I`` interest per period [1], ``b``
clamp [1], ``F`` rate per period [1], ``T_F`` period [s], ``T`` interval between payments [s],
``R`` rate per interval [1], ``q`` position [contracts, long > 0], ``c`` multiplier
[base/contract], ``x`` reference price, the mark or the index [quote/base], ``payment`` [quote],
received where it is negative. As positions of a market sum to zero, so do payments.

Where the premium is within the clamp of the interest, the rate is the interest. A premium of
0.12 % gives 0.07 % per 8 h, and 0.035 % where it is paid every 4 h. At a premium of 1 %, a long of
10 units at 10,000 pays 118.75 each hour.

References
----------
.. [1] BlockBeats, 16 Sep 2025: Binance, interest 0.01 % and clamp 0.05 % per 8 h, divided by 8 / N
   where payments are N hours apart; cap of BTC 0.3 % (0.75 of the first maintenance rate, from
   memory, 2024).
.. [2] Bybit help, "Funding rate: predicted rate": samples of the premium with linearly rising
   weights.
.. [3] Hyperliquid documentation, "Funding" (2026): an eighth of the 8 h rate each hour, on the
   oracle price, at most 4 % per hour.
"""

from __future__ import annotations

import math

import numpy as np

from sim.core.arrays import FloatArray


def premium(last: FloatArray, index: FloatArray) -> FloatArray:
    """Return one sample of the premium (M,) [1] from prices (M,) [quote/base], > 0."""
    return np.asarray((last - index) / index)


def funding_rate(
    premium: FloatArray,
    *,
    interest: float,
    clamp: float,
    intervals_per_period: float,
    cap: float = math.inf,
) -> FloatArray:
    """Return the rate of an interval.

    Parameters
    ----------
    premium : (M,) float64 [1]
        Mean premium P of the interval.
    interest : float [1]
        Interest I per period.
    clamp : float [1]
        Largest distance b between rate and premium, >= 0.
    intervals_per_period : float [1]
        ``T_F / T``, > 0.
    cap : float [1]
        Largest rate of an interval, in size.

    Returns
    -------
    (M,) float64 [1]
        R; longs pay shorts where it is positive.
    """
    rate = premium + np.clip(interest - premium, -clamp, clamp)
    return np.asarray(np.clip(rate / intervals_per_period, -cap, cap), dtype=np.float64)


def funding_payments(
    quantity: FloatArray, multiplier: float, price: float, rate: float
) -> FloatArray:
    """Return what each position (N,) of one market pays [quote]; it receives where negative.

    Parameters
    ----------
    quantity : (N,) float64 [contracts]
        Long > 0.
    multiplier : float [base/contract]
    price : float [quote/base]
        Reference price.
    rate : float [1]
        R of the interval.
    """
    return np.asarray(quantity * (multiplier * price * rate), dtype=np.float64)
