"""No outside liquidity: the price is only ever exogenous, and nobody can trade.

::

    p' = p ;  no order is filled

Symbols: ``p`` price [quote/base]. The engine never sends an order to such a market; positions
in it stay open unless their account is bankrupt and its clearer deleverages it. Use: assets held
to maturity (loans, locked tokens) whose value still counts in margin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from sim.models.impact.base import IMPACTS, ImpactConfig, ImpactModel


@IMPACTS.register("illiquid")
@dataclass(frozen=True, kw_only=True)
class IlliquidImpact(ImpactModel):
    """A market without a book."""

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
        raise ValueError("an illiquid market fills no orders")

    def _reach(self, price: float, anchor: float, target: float, liquidity: float) -> float:
        return math.nan

    def _slope(self, price: float, anchor: float, liquidity: float) -> float:
        return math.inf
