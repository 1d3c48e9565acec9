"""How much of its positions a liquidatable account has to sell, and when."""

from sim.models.liquidation import full, partial, to_target
from sim.models.liquidation.base import Distressed, SaleRule, sale_rules

__all__ = ["Distressed", "SaleRule", "full", "partial", "sale_rules", "to_target"]
