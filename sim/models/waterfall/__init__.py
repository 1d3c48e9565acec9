"""Who bears the loss that an account cannot: fund, backstop, deleveraged winners, survivors."""

from sim.models.waterfall.adl import match_queues, profit_leverage_score
from sim.models.waterfall.insurance_fund import cover_in_order
from sim.models.waterfall.socialise import socialise_weights, water_fill

__all__ = [
    "cover_in_order",
    "match_queues",
    "profit_leverage_score",
    "socialise_weights",
    "water_fill",
]
