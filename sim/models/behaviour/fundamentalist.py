"""Fundamentalist: buys what trades below its value, in proportion to the discount.

    wanted notional = min(aggressiveness * max(V / p - 1, 0), max_leverage) * E / n

per market, with value V, last price p [quote/base], equity E [numeraire] and n markets open to
the account (demand of the value investors in Thurner, Farmer and Geanakoplos 2012,
"Leverage causes fat tails and clustered volatility", Quantitative Finance 12). It never goes
short; as the price recovers it sells.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.models.behaviour.base import CohortView, Orders, behaviours


@behaviours.register("fundamentalist")
class Fundamentalist:
    """Buys dips up to a leverage limit."""

    needs_equity = True
    idle = False
    rests = False

    def __init__(self, config: Any, view: CohortView) -> None:
        self.aggressiveness = float(config.aggressiveness)
        self.max_leverage = float(config.max_leverage)
        self.exogenous = config.value == "exogenous"

    def decide(self, view: CohortView) -> Orders:
        """Return the orders that bring each position to its wanted size."""
        value = view.exogenous_price if self.exogenous else view.initial_price
        discount = np.maximum(value / view.last_price - 1.0, 0.0)
        intensity = np.minimum(self.aggressiveness * discount, self.max_leverage)
        slots_held = np.bincount(view.owner, minlength=len(view.equity))
        budget = np.maximum(view.equity, 0.0) / np.maximum(slots_held, 1)
        unit = view.contract_value * view.last_price
        wanted = budget[view.owner] * (intensity / unit)[view.market]
        change = wanted - view.quantity
        material = np.abs(change) > 1e-12 * np.maximum(wanted, np.abs(view.quantity))
        slots = np.flatnonzero(material)
        return Orders(slots, change[slots])
