"""How much of its positions a liquidatable account has to sell, when, and at what price."""

from sim.models.liquidation import full, partial, per_block, tier_steps, to_target
from sim.models.liquidation.base import Distressed, SaleRule, Sizes, sale_rules

__all__ = [
    "Distressed",
    "SaleRule",
    "Sizes",
    "full",
    "partial",
    "per_block",
    "sale_rules",
    "tier_steps",
    "to_target",
]
