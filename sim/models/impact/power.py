"""Permanent and temporary impact with power laws (Almgren, Thum, Hauptmann and Li 2005).

::

    p' = p + A gamma sigma (Theta / V)**delta  q / (V m)
    average price = (p + p') / 2 + sgn(q) eta sigma |q / (V m T)|**beta p

Symbols: ``p`` price and ``A`` anchor [quote/base], ``q`` signed order [contracts], ``gamma`` and
``eta`` coefficients of permanent and temporary impact [1], ``sigma`` daily volatility
[1/sqrt(day)], ``V`` daily volume [contracts/day], ``Theta`` contracts outstanding [contracts],
``delta`` exponent of the inverse turnover [1] (1/4), ``beta`` exponent of the temporary impact
[1] (3/5), ``T`` time over which the order is worked [day], ``m`` liquidity multiplier [1].

With ``p = A`` the relative move is the paper's ``I = gamma sigma (X / V) (Theta / V)**(1/4)`` and
the relative cost its ``J = I / 2 + sgn(X) eta sigma |X / (V T)|**(3/5)``. The temporary part
moves nobody else's price. It depends on the rate ``q / T``, and every call is given the whole
time ``T``: the price after an order is invariant to splitting, the temporary cost is not.

"Permanent" holds as long as no `resilience_half_life` is set; with one, the share
`permanent_share` of the move stays, as in every model.

References
----------
.. [1] Almgren, R., Thum, C., Hauptmann, E. and Li, H. (2005), "Direct estimation of equity market
   impact", Risk 18(7), 58-62: gamma = 0.314, eta = 0.142, the formulas of I and J and the
   examples of IBM and DRI.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, Self

from sim.models.impact.base import (
    IMPACTS,
    SECONDS_PER_DAY,
    Fill,
    ImpactConfig,
    ImpactModel,
    daily_volume,
    require_positive,
)


class PowerConfig(ImpactConfig, Protocol):
    """Attributes of a power impact configuration."""

    @property
    def gamma(self) -> float:
        """Coefficient of permanent impact [1]."""

    @property
    def eta(self) -> float:
        """Coefficient of temporary impact [1]."""

    @property
    def sigma(self) -> float | None:
        """Daily volatility [1/sqrt(day)]; None: that of the base asset."""

    @property
    def adv(self) -> float:
        """Average daily volume [quote/day]."""

    @property
    def outstanding(self) -> float:
        """Contracts outstanding Theta [contracts]."""

    @property
    def beta(self) -> float:
        """Exponent of the temporary impact [1]."""

    @property
    def outstanding_exponent(self) -> float:
        """Exponent of the inverse turnover [1]."""

    @property
    def duration(self) -> float:
        """Time over which an order is worked [s]."""


@IMPACTS.register("power")
@dataclass(frozen=True, kw_only=True)
class PowerImpact(ImpactModel):
    """Linear permanent impact plus a temporary cost that grows as a power of the order's rate.

    Parameters
    ----------
    sigma : float
        Daily volatility [1/sqrt(day)], > 0.
    volume : float
        Daily volume V [contracts/day], > 0.
    outstanding : float
        Theta [contracts], > 0.
    gamma, eta : float
        Coefficients of permanent and temporary impact [1], >= 0.
    beta, outstanding_exponent : float
        Exponents of the temporary impact (> 0) and of the inverse turnover [1].
    duration : float
        Time over which an order is worked [s], > 0.
    """

    sigma: float
    volume: float
    outstanding: float
    gamma: float = 0.314
    eta: float = 0.142
    beta: float = 0.6
    outstanding_exponent: float = 0.25
    duration: float = 3600.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sigma", "volume", "outstanding", "beta", "duration"):
            require_positive(name, getattr(self, name))
        for name, value in (("gamma", self.gamma), ("eta", self.eta)):
            if not 0.0 <= value < math.inf:
                raise ValueError(f"{name} must be >= 0 and finite, found {value}")
        if not math.isfinite(self.outstanding_exponent):
            raise ValueError(f"outstanding_exponent is not finite: {self.outstanding_exponent}")

    @classmethod
    def from_config(
        cls,
        config: PowerConfig,
        *,
        initial_price: float,
        daily_volatility: float,
        multiplier: float,
    ) -> Self:
        """Build the model from a configuration; parameters as in `build_impact`."""
        return cls(
            sigma=daily_volatility if config.sigma is None else config.sigma,
            volume=daily_volume(config.adv, initial_price, multiplier),
            outstanding=config.outstanding,
            gamma=config.gamma,
            eta=config.eta,
            beta=config.beta,
            outstanding_exponent=config.outstanding_exponent,
            duration=config.duration,
            resilience_half_life=config.resilience_half_life,
            permanent_share=config.permanent_share,
        )

    def execute(
        self,
        price: float,
        anchor: float,
        quantity: float,
        liquidity: float = 1.0,
        floor: float = 0.0,
    ) -> Fill:
        """Walk an order along the permanent path and add the temporary cost to its average.

        Parameters and errors as in `ImpactModel.execute`. The average price of a sell is clipped
        at the floor (at the price, where that is lower already), and then flagged as floored.
        """
        fill = super().execute(price, anchor, quantity, liquidity, floor)
        if quantity == 0.0:
            return fill
        average = fill.average_price + self._temporary(price, quantity, liquidity)
        bottom = min(floor, price)
        if quantity < 0.0 and average <= bottom:
            return Fill(fill.price_after, bottom, True)
        return Fill(fill.price_after, average, fill.floored)

    def _temporary(self, price: float, quantity: float, liquidity: float) -> float:
        """Return the signed temporary move of the average price [quote/base]."""
        rate = abs(quantity) / (self.volume * liquidity * self.duration / SECONDS_PER_DAY)
        return math.copysign(self.eta * self.sigma * math.pow(rate, self.beta) * price, quantity)

    def _walk(
        self, price: float, anchor: float, quantity: float, liquidity: float
    ) -> tuple[float, float]:
        move = self._slope(price, anchor, liquidity) * quantity
        return price + move, price + 0.5 * move

    def _reach(self, price: float, anchor: float, target: float, liquidity: float) -> float:
        slope = self._slope(price, anchor, liquidity)
        if slope == 0.0:
            return math.copysign(math.inf, target - price)
        return (target - price) / slope

    def _slope(self, price: float, anchor: float, liquidity: float) -> float:
        turnover = math.pow(self.outstanding / self.volume, self.outstanding_exponent)
        return anchor * self.gamma * self.sigma * turnover / (self.volume * liquidity)
