"""Square-root impact: the law of metaorders, walked along their whole trajectory.

::

    p  = A (1 + sgn(x) c sqrt(|x|)) ,   c = Y sigma / sqrt(V m) ,   x -> x + q
    average price = A (1 + (2/3) c (|x'|**1.5 - |x|**1.5) / q)

Symbols: ``p`` price and ``A`` anchor [quote/base], ``q`` signed order [contracts], ``x`` net flow
remembered [contracts], recovered from the state as
``x = sgn(p - A) ((p / A - 1) / c)**2``, ``Y`` prefactor of order one [1], ``sigma`` daily
volatility [1], ``V`` daily volume [contracts/day] = adv / (p0 * multiplier), ``m`` liquidity
multiplier [1] (of volume).

From rest (p = A) this is ``I = Y sigma sqrt(|q| / V)``, and the mean cost is ``2/3 I``. Orders of
the same sign in a row continue one metaorder, so that splitting costs and saves nothing.

The slope at rest is infinite, hence a return to rest is only as exact as the state: a rounding of
the price by the relative ``e`` leaves the displacement uncertain by about ``sqrt(2 u e)``, with
``u`` the relative displacement that was unwound.

References
----------
.. [1] Toth, B. et al. (2011), "Anomalous price impact and the critical nature of liquidity in
   financial markets", Physical Review X 1, 021006, equation 1.
.. [2] Donier, J. and Bonart, J. (2015), "A million metaorder analysis of market impact on the
   Bitcoin", Market Microstructure and Liquidity 1(2), arXiv:1412.4503 (the law holds along the
   trajectory of a metaorder).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.impact.base import (
    IMPACTS,
    ImpactConfig,
    ImpactModel,
    daily_volume,
    require_positive,
)


class SquareRootConfig(ImpactConfig, Protocol):
    """Attributes of a square-root impact configuration."""

    @property
    def y(self) -> float:
        """Prefactor of order one [1]."""

    @property
    def sigma(self) -> float | None:
        """Daily volatility [1/sqrt(day)]; None: that of the base asset."""

    @property
    def adv(self) -> float:
        """Average daily volume [quote/day]."""


@IMPACTS.register("square_root")
@dataclass(frozen=True, kw_only=True)
class SquareRootImpact(ImpactModel):
    """The displacement grows with the square root of the net flow remembered.

    Parameters
    ----------
    y : float
        Prefactor Y [1], > 0.
    sigma : float
        Daily volatility [1/sqrt(day)], > 0.
    volume : float
        Daily volume V [contracts/day], > 0.
    """

    y: float
    sigma: float
    volume: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("y", self.y)
        require_positive("sigma", self.sigma)
        require_positive("volume", self.volume)

    @classmethod
    def from_config(
        cls,
        config: SquareRootConfig,
        *,
        initial_price: float,
        daily_volatility: float,
        multiplier: float,
    ) -> Self:
        """Build the model from a configuration; parameters as in `build_impact`."""
        return cls(
            y=config.y,
            sigma=daily_volatility if config.sigma is None else config.sigma,
            volume=daily_volume(config.adv, initial_price, multiplier),
            resilience_half_life=config.resilience_half_life,
            permanent_share=config.permanent_share,
        )

    def _squared_scale(self, liquidity: float) -> float:
        """Return ``c**2`` [1/contract]: signed squared displacement per contract."""
        return (self.y * self.sigma) ** 2 / (self.volume * liquidity)

    def _walk(
        self, price: float, anchor: float, quantity: float, liquidity: float
    ) -> tuple[float, float]:
        before = (price - anchor) / anchor
        scaled = before * abs(before) + self._squared_scale(liquidity) * quantity
        after = math.copysign(math.sqrt(abs(scaled)), scaled)
        return anchor + anchor * after, anchor + anchor * _mean_displacement(before, after)

    def _reach(self, price: float, anchor: float, target: float, liquidity: float) -> float:
        before = (price - anchor) / anchor
        after = (target - anchor) / anchor
        return (after * abs(after) - before * abs(before)) / self._squared_scale(liquidity)

    def reach(
        self, price: float, anchor: float, target: float, liquidity: float
    ) -> tuple[float, float]:
        """Return the order that walks to `target` and its derivative; see `ImpactModel.reach`."""
        scale = self._squared_scale(liquidity)
        before = (price - anchor) / anchor
        after = (target - anchor) / anchor
        quantity = (after * abs(after) - before * abs(before)) / scale
        return quantity, 2.0 * abs(after) / (anchor * scale)

    def _slope(self, price: float, anchor: float, liquidity: float) -> float:
        displacement = abs(price - anchor)
        if displacement == 0.0:
            return math.inf
        return 0.5 * anchor * anchor * self._squared_scale(liquidity) / displacement


class Depths:
    """`notional_to_move` of many books at once, to the last bit.

    Parameters
    ----------
    models : sequence of SquareRootImpact, length N
    band : float
    multiplier : (N,) float64
    """

    def __init__(
        self, models: Sequence[SquareRootImpact], band: float, multiplier: FloatArray
    ) -> None:
        self.strength = np.array([(model.y * model.sigma) ** 2 for model in models])
        self.volume = np.array([model.volume for model in models])
        self.band, self.multiplier = band, multiplier

    def at(self, price: FloatArray, liquidity: FloatArray) -> FloatArray:
        """Return the depths (N,) [quote]; 0 for an empty book, which has liquidity 0."""
        after = (price * (1.0 - self.band) - price) / price
        with np.errstate(divide="ignore"):
            quantity = after * np.abs(after) / (self.strength / (self.volume * liquidity))
        return np.where(liquidity == 0.0, 0.0, -quantity * price * self.multiplier)


def _mean_displacement(before: float, after: float) -> float:
    """Return the relative displacement averaged over flow between two displacements.

    The ratio ``(2/3) (|b|**3 - |a|**3) / (b|b| - a|a|)``, with the common factor cancelled where
    both have one sign.
    """
    a, b = abs(before), abs(after)
    if a + b == 0.0:
        return 0.0
    sign = math.copysign(1.0, after if b > 0.0 else before)
    if before * after >= 0.0:
        return sign * (2.0 / 3.0) * (a * a + a * b + b * b) / (a + b)
    return sign * (2.0 / 3.0) * (b - a) * (a * a + a * b + b * b) / (a * a + b * b)
