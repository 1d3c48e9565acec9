"""No impact: a price taker's market.

::

    p' = p ;  average price = p

Symbols: ``p`` price [quote/base]. Depth is infinite and no order reaches another price.
Use: markets whose price is only ever exogenous.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from sim.models.impact.base import IMPACTS, ImpactConfig, ImpactModel


@IMPACTS.register("none")
@dataclass(frozen=True, kw_only=True)
class NoImpact(ImpactModel):
    """Orders of any size fill at the last price and leave it where it is."""

    @classmethod
    def from_config(
        cls,
        config: ImpactConfig,
        *,
        initial_price: float,
        daily_volatility: float,
        multiplier: float,
    ) -> Self:
        """Build the model from a configuration; parameters as in `build_impact`."""
        return cls(
            resilience_half_life=config.resilience_half_life,
            permanent_share=config.permanent_share,
        )

    def _walk(
        self, price: float, anchor: float, quantity: float, liquidity: float
    ) -> tuple[float, float]:
        return price, price

    def _reach(self, price: float, anchor: float, target: float, liquidity: float) -> float:
        return math.copysign(math.inf, target - price)

    def _slope(self, price: float, anchor: float, liquidity: float) -> float:
        return 0.0
