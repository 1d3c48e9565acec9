"""Breakers: when trading halts, where prices are held, and what a venue refuses."""

from sim.models.breaker.limit_band import at_limit, band_limits
from sim.models.breaker.market_wide import level_reached, mean_fall, trigger_prices
from sim.models.breaker.open_interest_cap import refused_sides
from sim.models.breaker.withdrawal import spare_equity

__all__ = [
    "at_limit",
    "band_limits",
    "level_reached",
    "mean_fall",
    "refused_sides",
    "spare_equity",
    "trigger_prices",
]
