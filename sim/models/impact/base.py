"""What every impact model shares: the interface, the floor, depth, decay and the registry.

Symbols: ``p`` price [quote/base], ``A`` anchor [quote/base], ``q`` signed order [contracts]
(buy > 0, sell < 0), ``m`` liquidity multiplier [1] (depth shock; multiplies depth).

Decay of the displacement (for linear impact that of Obizhaeva and Wang 2013 [1]_, whose permanent
impact is the share ``s`` of the whole).
Over ``dt`` seconds at half-life ``h``, with permanent share ``s``::

    f  = 2 ** (-dt / h)
    p' = p - (1 - s) (p - A) (1 - f)
    A' = p' - f (p - A)

so that the remembered displacement falls to the share ``f``, and of what is forgotten the
share ``s`` stays in the price (the anchor absorbs it) and ``1 - s`` reverts.

References
----------
.. [1] Obizhaeva, A. and Wang, J. (2013), "Optimal trading strategy and supply/demand dynamics",
   Journal of Financial Markets 16(1), 1-32.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

from sim.core.registry import Registry

SECONDS_PER_DAY = 86_400.0


class Fill(NamedTuple):
    """What became of one order.

    Parameters
    ----------
    price_after : float
        Price of the market after the order [quote/base].
    average_price : float
        Average price the order was filled at [quote/base].
    floored : bool
        True if a floor cut the walk of a sell short (or clipped its average price).
    """

    price_after: float
    average_price: float
    floored: bool


class ImpactConfig(Protocol):
    """Attributes that every impact configuration has."""

    @property
    def resilience_half_life(self) -> float | None:
        """Half-life of the displacement [s]; None: it never decays."""

    @property
    def permanent_share(self) -> float:
        """Share of the forgotten displacement that stays in the price [1]."""


@dataclass(frozen=True, kw_only=True)
class ImpactModel(ABC):
    """A curve that orders walk along; subclasses give its formula.

    All arguments and results are Python floats.

    Parameters
    ----------
    resilience_half_life : float or None
        Half-life of the displacement [s], > 0; None: it never decays.
    permanent_share : float
        Share of the forgotten displacement that stays in the price, in [0, 1].

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """

    resilience_half_life: float | None = None
    permanent_share: float = 0.0

    def __post_init__(self) -> None:
        if self.resilience_half_life is not None:
            require_positive("resilience_half_life", self.resilience_half_life)
        if not 0.0 <= self.permanent_share <= 1.0:
            raise ValueError(f"permanent_share must be in [0, 1], found {self.permanent_share}")

    @classmethod
    @abstractmethod
    def from_config(
        cls, config: Any, *, initial_price: float, daily_volatility: float, multiplier: float
    ) -> Self:
        """Build the model from a configuration; parameters as in `build_impact`."""

    @abstractmethod
    def _walk(
        self, price: float, anchor: float, quantity: float, liquidity: float
    ) -> tuple[float, float]:
        """Return price after and average price of a non-zero order, as if there were no floor."""

    @abstractmethod
    def _reach(self, price: float, anchor: float, target: float, liquidity: float) -> float:
        """Return the signed order that walks the price to `target`; infinite if none does."""

    @abstractmethod
    def _slope(self, price: float, anchor: float, liquidity: float) -> float:
        """Return the local ``|dp/dq|``."""

    def execute(
        self,
        price: float,
        anchor: float,
        quantity: float,
        liquidity: float = 1.0,
        floor: float = 0.0,
    ) -> Fill:
        """Walk an order along the curve.

        Parameters
        ----------
        price, anchor : float
            State of the market [quote/base].
        quantity : float
            Signed order [contracts], buy > 0.
        liquidity : float
            Multiplier of depth [1], > 0.
        floor : float
            Price below which no order can push [quote/base], >= 0. A sell that reaches it fills
            the rest of its quantity there. If the price is below the floor already, sells fill
            at the price and do not move it.

        Returns
        -------
        Fill

        Raises
        ------
        ValueError
            If `liquidity` is not positive, or `quantity` is not finite.
        """
        require_positive("liquidity", liquidity)
        if quantity == 0.0:
            return Fill(price, price, False)
        if not math.isfinite(quantity):
            raise ValueError(f"quantity must be finite, found {quantity}")
        price_after, average = self._walk(price, anchor, quantity, liquidity)
        if quantity > 0.0 or price_after >= floor:
            return Fill(price_after, average, False)
        return self._floored(price, anchor, quantity, liquidity, floor)

    def _floored(
        self, price: float, anchor: float, quantity: float, liquidity: float, floor: float
    ) -> Fill:
        """Fill a sell that walks down to the floor and places the rest there."""
        if price <= floor:
            return Fill(price, price, True)
        walked = self._reach(price, anchor, floor, liquidity)
        if walked == 0.0:
            return Fill(floor, floor, True)
        average = self._walk(price, anchor, walked, liquidity)[1]
        share = min(walked / quantity, 1.0)
        return Fill(floor, floor + share * (average - floor), True)

    def quantity_to_reach(
        self, price: float, anchor: float, target_price: float, liquidity: float = 1.0
    ) -> float:
        """Return the order that walks the price to a target; the inverse of `execute`.

        Parameters
        ----------
        price, anchor : float
            State of the market [quote/base].
        target_price : float
            Price to reach [quote/base], >= 0.
        liquidity : float
            Multiplier of depth [1], > 0.

        Returns
        -------
        float
            Signed quantity [contracts]; plus or minus infinity if no finite order gets there.

        Raises
        ------
        ValueError
            If `liquidity` is not positive or `target_price` is negative.
        """
        require_positive("liquidity", liquidity)
        if not target_price >= 0.0:
            raise ValueError(f"target_price must be >= 0, found {target_price}")
        if target_price == price:
            return 0.0
        return self._reach(price, anchor, target_price, liquidity)

    def reach(
        self, price: float, anchor: float, target: float, liquidity: float
    ) -> tuple[float, float]:
        """Return `quantity_to_reach` and its derivative with respect to the target, unchecked.

        For root finders, which ask many times: arguments must be valid. The derivative
        [contracts per quote/base] is 0 where the curve is infinitely steep.
        """
        quantity = 0.0 if target == price else self._reach(price, anchor, target, liquidity)
        slope = self._slope(target, anchor, liquidity)
        return quantity, 1.0 / slope if slope > 0.0 else math.inf

    def slope(self, price: float, anchor: float, liquidity: float = 1.0) -> float:
        """Return the local ``|dp/dq|`` [quote/base per contract], >= 0, possibly infinite."""
        require_positive("liquidity", liquidity)
        return self._slope(price, anchor, liquidity)

    def notional_to_move(
        self, price: float, *, band: float, multiplier: float, liquidity: float = 1.0
    ) -> float:
        """Return the depth of an undisplaced book at this price.

        Parameters
        ----------
        price : float
            Price of the book, which is also its anchor [quote/base], > 0.
        band : float
            Relative fall, in (0, 1].
        multiplier : float
            Units of base per contract, > 0.
        liquidity : float
            Multiplier of depth [1], >= 0; 0 is an empty book of depth 0.

        Returns
        -------
        float
            Notional at `price` [quote] of the sell that lowers the price by ``band * price``;
            infinite if none does.
        """
        if liquidity == 0.0:
            return 0.0
        quantity = self.quantity_to_reach(price, price, price * (1.0 - band), liquidity)
        return -quantity * price * multiplier

    def decay_factor(self, dt: float) -> float:
        """Return the share of a displacement that is left after `dt` [s]."""
        if self.resilience_half_life is None:
            return 1.0
        return float(2.0 ** (-dt / self.resilience_half_life))

    def relax(self, price: float, anchor: float, factor: float) -> tuple[float, float]:
        """Let the displacement decay.

        Parameters
        ----------
        price, anchor : float
            State of the market [quote/base].
        factor : float
            Share of the displacement that stays remembered, in [0, 1]; see `decay_factor`.

        Returns
        -------
        price, anchor : float
            State after the decay [quote/base]; formula in the docstring of this module.
        """
        if factor == 1.0 or price == anchor:
            return price, anchor
        displacement = price - anchor
        relaxed = price - (1.0 - self.permanent_share) * displacement * (1.0 - factor)
        return relaxed, relaxed - factor * displacement


IMPACTS: Registry[type[ImpactModel]] = Registry("impact")


def require_positive(name: str, value: float) -> None:
    """Raise ValueError unless `value` is a positive finite number."""
    if not 0.0 < value < math.inf:
        raise ValueError(f"{name} must be a positive finite number, found {value}")


def daily_volume(adv: float, initial_price: float, multiplier: float) -> float:
    """Return a daily volume in contracts [contracts/day] from one in quote [quote/day]."""
    require_positive("adv", adv)
    require_positive("initial_price", initial_price)
    require_positive("multiplier", multiplier)
    return adv / (initial_price * multiplier)
