"""Funding of perpetuals: what longs pay shorts by the clock, and what follows from it."""

from __future__ import annotations

from sim.models.funding.perpetual import (
    fair_price_inverse,
    fair_price_linear,
    liquidation_price_inverse,
    liquidation_price_linear,
)
from sim.models.funding.rate import funding_payments, funding_rate, premium

__all__ = [
    "fair_price_inverse",
    "fair_price_linear",
    "funding_payments",
    "funding_rate",
    "liquidation_price_inverse",
    "liquidation_price_linear",
    "premium",
]
