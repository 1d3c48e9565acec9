"""Market impact: how an order moves the price of one market, and what it pays.

A market's price state is the pair (price `p`, anchor `A`). The anchor is where the price would
be had nobody traded within memory; ``p - A`` is the displacement. An exogenous return
multiplies both. Every variant walks along a curve through the state, so that splitting an order
never changes where it ends.
"""

from __future__ import annotations

from typing import Any

from sim.models.impact.base import IMPACTS, Fill, ImpactModel
from sim.models.impact.exponential import ExponentialImpact
from sim.models.impact.illiquid import IlliquidImpact
from sim.models.impact.linear import LinearImpact
from sim.models.impact.none import NoImpact
from sim.models.impact.power import PowerImpact
from sim.models.impact.square_root import SquareRootImpact

__all__ = [
    "IMPACTS",
    "ExponentialImpact",
    "Fill",
    "IlliquidImpact",
    "ImpactModel",
    "LinearImpact",
    "NoImpact",
    "PowerImpact",
    "SquareRootImpact",
    "build_impact",
]


def build_impact(
    config: Any, *, initial_price: float, daily_volatility: float, multiplier: float
) -> ImpactModel:
    """Build the impact model of one market from its configuration.

    Parameters
    ----------
    config : object
        Impact section of a market; its `kind` names the variant.
    initial_price : float
        Price of the market at the start [quote/base], > 0.
    daily_volatility : float
        Volatility of the base asset [1/sqrt(day)], annualised volatility / sqrt(365); used
        where the configuration gives no `sigma`.
    multiplier : float
        Units of base per contract, > 0.

    Raises
    ------
    KeyError
        If `config.kind` is not registered.
    ValueError
        If a parameter is out of its range (message names it).
    """
    return IMPACTS[config.kind].from_config(
        config,
        initial_price=initial_price,
        daily_volatility=daily_volatility,
        multiplier=multiplier,
    )
