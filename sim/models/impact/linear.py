"""Linear impact (Kyle 1985).

::

    p' = p + (lambda / m) q ;  average price = (p + p') / 2

Symbols: ``p`` price [quote/base], ``q`` signed order [contracts], ``lambda`` coefficient
[quote/base per contract], ``m`` liquidity multiplier [1].

From a depth: selling the notional ``depth`` [quote] at the initial price ``p0`` lowers the price
by ``band * p0``, with ``multiplier`` units of base per contract::

    lambda = band * p0**2 * multiplier / depth

`lambda` is absolute: it does not follow the price. With resilience this is the book of constant
density of Obizhaeva and Wang (2013) [2]_, their permanent impact being
``lambda * permanent_share`` and their transient one ``lambda * (1 - permanent_share)``.

References
----------
.. [1] Kyle, A. S. (1985), "Continuous auctions and insider trading", Econometrica 53(6),
   1315-1335, theorem 1.
.. [2] Obizhaeva, A. and Wang, J. (2013), "Optimal trading strategy and supply/demand dynamics",
   Journal of Financial Markets 16(1), 1-32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from sim.models.impact.base import IMPACTS, ImpactConfig, ImpactModel, require_positive


class LinearConfig(ImpactConfig, Protocol):
    """Attributes of a linear impact configuration."""

    @property
    def coefficient(self) -> float | None:
        """Move per contract [quote/base per contract], or None where `depth` is given."""

    @property
    def depth(self) -> float | None:
        """Notional that moves the price by `band` [quote], or None."""

    @property
    def band(self) -> float:
        """Relative move that `depth` causes [1]."""


@IMPACTS.register("linear")
@dataclass(frozen=True, kw_only=True)
class LinearImpact(ImpactModel):
    """Every contract moves the price by the same amount.

    Parameters
    ----------
    coefficient : float
        lambda [quote/base per contract], > 0.
    """

    coefficient: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("coefficient", self.coefficient)

    @classmethod
    def from_config(
        cls,
        config: LinearConfig,
        *,
        initial_price: float,
        daily_volatility: float,
        multiplier: float,
    ) -> Self:
        """Build the model from a configuration; parameters as in `build_impact`."""
        if config.coefficient is not None and config.depth is None:
            coefficient = config.coefficient
        elif config.depth is not None and config.coefficient is None:
            require_positive("depth", config.depth)
            coefficient = config.band * initial_price**2 * multiplier / config.depth
        else:
            raise ValueError("linear impact needs exactly one of coefficient and depth")
        return cls(
            coefficient=coefficient,
            resilience_half_life=config.resilience_half_life,
            permanent_share=config.permanent_share,
        )

    def _walk(
        self, price: float, anchor: float, quantity: float, liquidity: float
    ) -> tuple[float, float]:
        move = self.coefficient / liquidity * quantity
        return price + move, price + 0.5 * move

    def _reach(self, price: float, anchor: float, target: float, liquidity: float) -> float:
        return (target - price) * liquidity / self.coefficient

    def _slope(self, price: float, anchor: float, liquidity: float) -> float:
        return self.coefficient / liquidity
