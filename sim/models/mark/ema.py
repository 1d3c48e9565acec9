"""Mark as an exponential moving average of the last price, the index or the basis.

::

    a    = m + (1 - 2**(-dt / h)) (x - m)
    mark = a                       of last or index
    mark = index + a               of basis, x = last - index

Symbols: ``x`` this tick's price or basis [quote/base], ``m`` average ``a`` at the end of the
previous tick [quote/base], ``dt`` time since then [s], ``h`` half-life [s]. The mark is linear in
the prices it averages, but for a floor under a mark of the basis, `BASIS_FLOOR` times the index.

At tick 0 ``dt = 0`` and ``m`` is the starting price or basis, so that a jump at tick 0 leaves the
mark unmoved until tick 1.

Half-life and time constant are related by ``h = tau ln 2``.

References
----------
.. [1] Brown, R. G. (1963), "Smoothing, Forecasting and Prediction of Discrete Time Series",
   Prentice-Hall (exponential smoothing).
.. [2] Hyperliquid documentation, "Robust price indices" (a venue whose mark uses an EMA weighted
   by ``exp(-t / tau)``, of the mid price minus the oracle price with tau = 150 s; read 2026).
"""

from __future__ import annotations

import math
from typing import Protocol, Self

from sim.core.arrays import FloatArray
from sim.models.mark.base import MARKS, RememberingRule, Source

# Weight left on prices older than this many half-lives: 2**-7, below 1 %.
HORIZON_HALF_LIVES = 7.0


class EmaConfig(Protocol):
    """Attributes of an EMA configuration."""

    @property
    def half_life(self) -> float:
        """Half-life [s]."""

    @property
    def of(self) -> Source:
        """What is averaged."""


@MARKS.register("ema")
class EmaMark(RememberingRule):
    """Exponential moving average with a half-life.

    Parameters
    ----------
    half_life : float
        Half-life h [s], > 0.
    of : {"last", "index", "basis"}
        What is averaged.

    Raises
    ------
    ValueError
        If `half_life` is not a positive finite number.
    """

    _frozen: FloatArray
    _latest: FloatArray

    def __init__(self, half_life: float, of: Source = "last") -> None:
        super().__init__(of)
        if not 0.0 < half_life < math.inf:
            raise ValueError(f"half_life must be a positive finite number, found {half_life}")
        self.half_life = half_life

    @classmethod
    def from_config(cls, config: EmaConfig) -> Self:
        """Build the rule from its configuration."""
        return cls(config.half_life, config.of)

    @property
    def memory_seconds(self) -> float:
        """Seven half-lives [s]: older prices weigh less than 1 % together."""
        return HORIZON_HALF_LIVES * self.half_life

    def _reset(self, price: FloatArray) -> None:
        self._frozen = price
        self._gain = 0.0

    def _remember(self, dt: float, sample: FloatArray) -> None:
        self._frozen = self._average(dt, sample)

    def _freeze(self, dt: float) -> None:
        self._gain = -math.expm1(-dt * math.log(2.0) / self.half_life)

    def _average(self, dt: float, sample: FloatArray) -> FloatArray:
        return self._frozen + self._gain * (sample - self._frozen)
