"""Who bears a loss that an account cannot: funds, members, backstops, winners, survivors."""

from sim.models.waterfall.adl import SHARING, match_queues, take_in_order, take_shares
from sim.models.waterfall.ccp import (
    assessment_room,
    contributions,
    cover,
    draw_contributions,
    gains_haircut,
    pay_in_order,
)
from sim.models.waterfall.contracts import loss_shares
from sim.models.waterfall.insurance_fund import cover_in_order, largest_first
from sim.models.waterfall.peak import FundPeak
from sim.models.waterfall.scores import SCORES, Opposite, profit_leverage_score, random_start
from sim.models.waterfall.socialise import socialise_weights, water_fill

__all__ = [
    "SCORES",
    "SHARING",
    "FundPeak",
    "Opposite",
    "assessment_room",
    "contributions",
    "cover",
    "cover_in_order",
    "draw_contributions",
    "gains_haircut",
    "largest_first",
    "loss_shares",
    "match_queues",
    "pay_in_order",
    "profit_leverage_score",
    "random_start",
    "socialise_weights",
    "take_in_order",
    "take_shares",
    "water_fill",
]
