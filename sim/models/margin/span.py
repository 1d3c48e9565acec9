"""SPAN: the worst of sixteen scenarios of price and volatility.

    scan risk = max over s of  -cover_s (V(F + m_s R, v + u_s U, T - decay) - V(F, v, T))

with R [quote] the price scan range, U [1 / sqrt(year)] the volatility scan range and, numbered
from 1,

    1-2    m = 0,      u = +1, -1          3-4    m = +1/3, u = +1, -1
    5-6    m = -1/3,   u = +1, -1          7-8    m = +2/3, u = +1, -1
    9-10   m = -2/3,   u = +1, -1          11-12  m = +1,   u = +1, -1
    13-14  m = -1,     u = +1, -1          15, 16 m = +k, -k at unchanged volatility

of which the last two count by the share `cover`. CME advisory Chadv08-303 has k = 3 at 33 %,
the NSE table (lpude.in, DCOM510, table 12.1) k = 2 at 35 %. The charges between months and
commodities and the short option minimum are left out. Options that are paid for when bought
(premium style) leave their value with the account: the requirement is then ``scan risk - net
option value``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.pricing import Legs

DAY = 1.0 / 365.0
"""A day [years], the time for which scenarios look ahead."""

MOVES = np.repeat([0.0, 1 / 3, -1 / 3, 2 / 3, -2 / 3, 1.0, -1.0], 2)
"""Moves of scenarios 1 to 14 as shares of the price scan range."""


class SpanRisk(NamedTuple):
    """Result of `span_risk`.

    Attributes
    ----------
    losses : (16,) float64 [quote]
        Of each scenario, after its cover; negative is a gain.
    scan_risk : float [quote]
        Largest loss, at least 0.
    scenario : int
        Its number, from 1.
    net_option_value : float [quote]
        Value of all options now, short ones negative.
    """

    losses: FloatArray
    scan_risk: float
    scenario: int
    net_option_value: float


def span_risk(
    legs: Legs,
    price: float,
    price_range: float,
    volatility_range: float,
    extreme_multiple: float,
    extreme_cover: float,
    decay: float = DAY,
) -> SpanRisk:
    """Return the sixteen losses of a portfolio and the worst of them.

    Parameters
    ----------
    legs : Legs
    price : float [quote]
        Present price of the future.
    price_range : float [quote]
    volatility_range : float [1 / sqrt(year)], absolute
    extreme_multiple, extreme_cover : float
    decay : float [years]
    """
    moves = np.append(MOVES, [extreme_multiple, -extreme_multiple])
    signs = np.append(np.tile([1.0, -1.0], 7), [0.0, 0.0])
    cover = np.append(np.ones(14), [extreme_cover, extreme_cover])
    volatility = np.maximum(legs.volatility + signs[:, None] * volatility_range, 0.0)
    then = legs.values(price + moves * price_range, volatility, decay).sum(axis=1)
    now = legs.values(np.array([price]))[0]
    losses = -cover * (then - now.sum())
    worst = int(np.argmax(losses))
    options = np.array([kind != "future" for kind in legs.kind])
    return SpanRisk(losses, max(float(losses[worst]), 0.0), worst + 1, float(now[options].sum()))
