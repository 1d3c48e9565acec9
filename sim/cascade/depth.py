"""A state whose books are thinner or deeper than they are."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from sim.cascade.direction import require_known
from sim.cascade.static_cascade import StaticCascade

BAND = 0.01
"""Fall at which the depth of a market is stated [1]."""


def with_depth(
    cascade: StaticCascade, markets: pd.DataFrame, factor: float | Mapping[str, float]
) -> pd.DataFrame:
    """Return the table of markets with depths multiplied.

    Parameters
    ----------
    cascade : StaticCascade
    markets : pandas.DataFrame
        Table of that name of its state.
    factor : float or mapping of float
        Of all markets, or of some by name ``venue/symbol`` [1], > 0.

    Raises
    ------
    ValueError
        A market is unknown, or a factor not a positive finite number.
    """
    prices, impact = cascade.prices, cascade.books.impact
    factors = factor if isinstance(factor, Mapping) else dict.fromkeys(prices.markets, factor)
    for name, value in factors.items():
        require_known(name, prices.markets)
        if not 0.0 < value < math.inf:
            raise ValueError(
                f"the depth factor of {name!r} is {value}; it must be positive, finite"
            )
    table = markets.copy()
    scale = np.array([factors.get(name, 1.0) for name in prices.markets])
    table["liquidity"] = table["liquidity"] * scale
    for m in np.flatnonzero(prices.tradable).tolist():
        last, anchor = prices.last.item(m), prices.anchor.item(m)
        size, liquidity = prices.multiplier.item(m), float(table["liquidity"].iloc[m])
        slope = impact[m].slope(last, anchor, liquidity)
        table.loc[m, "impact_slope"] = slope / (last * last * size)
        table.loc[m, "depth"] = impact[m].notional_to_move(
            last, band=BAND, multiplier=size, liquidity=liquidity
        )
    return table
