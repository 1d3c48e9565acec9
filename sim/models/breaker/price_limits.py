"""Limits of the price of an order around an index, as OKX publishes them.

    highest buy  = min(max(I, I (1 + y) + b), I (1 + z))
    lowest sell  = max(min(I, I (1 - y) + b), I (1 - z))

with I [quote/base] the index, b [quote/base] the average premium of the market over it, and the
shares y and z of the contract (OKX help 6974388462605; z bounds what a premium can widen).
Forced orders of a run take `liquidation.price_band` instead; this is a formula beside the engine.
"""

from __future__ import annotations

from typing import NamedTuple


class PriceLimits(NamedTuple):
    """Highest price of a buy and lowest of a sell [quote/base]."""

    buy: float
    sell: float


def price_limits(index: float, premium: float, y: float, z: float) -> PriceLimits:
    """Return the limits at an index price with an average premium [quote/base]."""
    buy = min(max(index, index * (1.0 + y) + premium), index * (1.0 + z))
    sell = max(min(index, index * (1.0 - y) + premium), index * (1.0 - z))
    return PriceLimits(buy, sell)
