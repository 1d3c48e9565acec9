"""Margin rates of a clearer that sets them from volatility.

From the exponentially weighted volatility s of each market, in the order of the measures of
`sim.models.margin.procyclicality`: floor on volatility, margin, stressed observations, buffer

    M    = (1 - w) z max(s, s_floor) sqrt(T_p / T_s) + w z s_stressed sqrt(T_p / T_s)
    rate = min(max(M, min((1 + b) M, (1 + b) M_calm)), 1)

with M_calm the M of the volatility that the model starts with. The maintenance rate of a position
is `rate`, its initial rate ``min(initial_multiple rate, 1)``: nobody asks more than the notional.
Volatilities of a scenario are annualised on 365 days; s is over one sample.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.margin.procyclicality import (
    SECONDS_PER_YEAR,
    margin_rate,
    with_buffer,
    with_floor,
    with_stress,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.schema import Market, Scenario

HIGHEST_RATE = 1.0
"""Margin per notional beyond which nothing more is asked."""


class RiskModelRates:
    """The rates that a risk model asks of some markets (M), and the volatility it starts with.

    Parameters
    ----------
    model : RiskModel
        From `sim.schema`.
    scenario : Scenario
        Its assets have volatilities of their own.
    markets : sequence of Market

    Attributes
    ----------
    start : (M,) float64 [1]
        Volatility of the log price over one sample.
    """

    def __init__(self, model: Any, scenario: Scenario, markets: Sequence[Market]) -> None:
        self.model = model
        bases = [market.base for market in markets]
        annual = [model.start_volatility_of(base, scenario.assets[base]) for base in bases]
        self._sample = math.sqrt(model.sample / SECONDS_PER_YEAR)
        self.start = np.array(annual) * self._sample
        self._floor = np.array([model.floor_volatility_of(base) for base in bases]) * self._sample
        stressed = np.array([model.stressed_volatility_of(base) for base in bases])
        self._stressed = self._margin(stressed * self._sample)
        self._calm = self._unbuffered(self.start)

    def _margin(self, volatility: FloatArray) -> FloatArray:
        model = self.model
        return margin_rate(volatility, model.quantile, model.period_of_risk, model.sample)

    def _unbuffered(self, volatility: FloatArray) -> FloatArray:
        margin = self._margin(with_floor(volatility, self._floor))
        return with_stress(margin, self._stressed, self.model.stressed_weight)

    def maintenance(self, volatility: FloatArray) -> FloatArray:
        """Return the maintenance rate (M,) [1] at volatilities (M,) [1] over one sample."""
        margin = self._unbuffered(volatility)
        return np.minimum(with_buffer(margin, self._calm, self.model.buffer), HIGHEST_RATE)

    def initial(self, maintenance: FloatArray) -> FloatArray:
        """Return the initial rate (M,) [1] that goes with maintenance rates (M,) [1]."""
        return np.asarray(np.minimum(self.model.initial_multiple * maintenance, HIGHEST_RATE))

    def annual(self, volatility: FloatArray) -> FloatArray:
        """Return volatilities over one sample as annualised ones."""
        return np.asarray(volatility / self._sample)
