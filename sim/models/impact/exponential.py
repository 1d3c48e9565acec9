"""Exponential impact with a floor price (Cont and Schaanning 2017).

::

    p' = B + (p - B) exp(q / (delta m))
    fill "average":  average price = B + (p - B) (exp(z) - 1) / z ,   z = q / (delta m)
    fill "alpha":    average price = p - alpha (p - p')

Symbols: ``p`` price [quote/base], ``q`` signed order [contracts], ``B`` price at which
unconstrained buyers step in [quote/base], ``delta`` depth [contracts], ``m`` liquidity multiplier
[1], ``alpha`` share of the move that the order itself suffers [1].

The paper counts orders in money. With ``depth_unit: quote`` delta is a notional [quote] and an
order counts with its value at the price it meets: ``delta`` above is then ``delta / (p c)``, with
``c`` units of base per contract. Such a depth holds fewer contracts the higher the price, and
an order split in two does not walk exactly as far as one.

The relative fall of a sell is the paper's
``Psi(q, p) = (1 - B / p) (1 - exp(-|q| / delta))``. "average" is the exact mean along the walk;
"alpha" is the paper's loss ``alpha * Psi`` on the part sold (1/2 in its calibration).

At or below ``B`` (an exogenous fall can lead there) the book is flat: orders of both signs fill
at the price and do not move it.

References
----------
.. [1] Cont, R. and Schaanning, E. (2017), "Fire sales, indirect contagion and systemic stress
   testing", Norges Bank Working Paper 2/2017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from sim.core.errors import RunError
from sim.models.impact.base import IMPACTS, Fill, ImpactConfig, ImpactModel, require_positive


class ExponentialConfig(ImpactConfig, Protocol):
    """Attributes of an exponential impact configuration."""

    @property
    def floor(self) -> float:
        """Price B at which unconstrained buyers step in [quote/base]."""

    @property
    def depth(self) -> float:
        """Depth delta [contracts], or [quote] by `depth_unit`."""

    @property
    def depth_unit(self) -> Literal["contracts", "quote"]:
        """Unit of the depth."""

    @property
    def fill(self) -> Literal["average", "alpha"]:
        """Rule of the average price."""

    @property
    def alpha(self) -> float:
        """Share of the move that the order suffers with fill "alpha" [1]."""


@IMPACTS.register("exponential")
@dataclass(frozen=True, kw_only=True)
class ExponentialImpact(ImpactModel):
    """Sells approach a floor price exponentially; buys move away from it exponentially.

    Parameters
    ----------
    base_price : float
        B [quote/base], >= 0.
    depth : float
        delta [contracts], > 0; [quote] where `contract_size` is given.
    fill : {"average", "alpha"}
        Rule of the average price.
    alpha : float
        Share in [0, 1] used by fill "alpha".
    contract_size : float or None
        Units of base per contract, > 0, if the depth is in quote; None: it is in contracts.
    """

    base_price: float
    depth: float
    fill: Literal["average", "alpha"] = "average"
    alpha: float = 0.5
    contract_size: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("depth", self.depth)
        if self.contract_size is not None:
            require_positive("contract_size", self.contract_size)
        if not 0.0 <= self.base_price < math.inf:
            raise ValueError(f"base_price must be >= 0 and finite, found {self.base_price}")
        if self.fill not in ("average", "alpha"):
            raise ValueError(f"fill must be 'average' or 'alpha', found {self.fill!r}")
        if not 0.0 <= self.alpha <= 1.0:
            raise ValueError(f"alpha must be in [0, 1], found {self.alpha}")

    @classmethod
    def from_config(
        cls,
        config: ExponentialConfig,
        *,
        initial_price: float,
        daily_volatility: float,
        multiplier: float,
    ) -> Self:
        """Build the model from a configuration; parameters as in `build_impact`."""
        if config.floor >= initial_price:
            raise ValueError(
                f"the floor of an exponential book must be below its initial price "
                f"{initial_price}, found {config.floor}"
            )
        return cls(
            base_price=config.floor,
            depth=config.depth,
            fill=config.fill,
            alpha=config.alpha,
            contract_size=multiplier if config.depth_unit == "quote" else None,
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
        """Walk an order along the curve; see `ImpactModel.execute`.

        A sell at or below ``B`` is flagged as floored.

        Raises
        ------
        ValueError
            If `liquidity` is not positive, or `quantity` is not finite.
        RunError
            If a buy is so many depths large that its price is not a finite number.
        """
        fill = super().execute(price, anchor, quantity, liquidity, floor)
        if quantity < 0.0 and price <= self.base_price:
            return fill._replace(floored=True)
        return fill

    def _walk(
        self, price: float, anchor: float, quantity: float, liquidity: float
    ) -> tuple[float, float]:
        above = price - self.base_price
        if above <= 0.0:
            return price, price
        depths = quantity / self._contracts(price, liquidity)
        try:
            growth = math.expm1(depths)
        except OverflowError:
            raise RunError(
                f"a buy of {quantity} contracts is {depths:.6g} times the depth of an "
                f"exponential book; no finite price fills it"
            ) from None
        # Near zero expm1 keeps the small move, far below it exp keeps the small remainder.
        after = (
            price + above * growth if depths > -1.0 else self.base_price + above * math.exp(depths)
        )
        if self.fill == "alpha":
            return after, price - self.alpha * (price - after)
        if depths == 0.0:
            return after, price
        return after, self.base_price + above * (growth / depths)

    def _reach(self, price: float, anchor: float, target: float, liquidity: float) -> float:
        above, left = price - self.base_price, target - self.base_price
        if above <= 0.0 or left <= 0.0:
            return math.copysign(math.inf, target - price)
        return self._contracts(price, liquidity) * math.log(left / above)

    def reach(
        self, price: float, anchor: float, target: float, liquidity: float
    ) -> tuple[float, float]:
        """Return the order that walks to `target` and its derivative; see `ImpactModel.reach`.

        A depth in quote counts at the price where the walk begins, also in the derivative.
        """
        quantity = 0.0 if target == price else self._reach(price, anchor, target, liquidity)
        left = target - self.base_price
        return quantity, self._contracts(price, liquidity) / left if left > 0.0 else math.inf

    def _slope(self, price: float, anchor: float, liquidity: float) -> float:
        return max(price - self.base_price, 0.0) / self._contracts(price, liquidity)

    def _contracts(self, price: float, liquidity: float) -> float:
        """Return the depth delta m [contracts] at a price."""
        depth = self.depth * liquidity
        return depth if self.contract_size is None else depth / (price * self.contract_size)
