"""Mark as a time-weighted average of the last price, the index or the basis.

::

    arithmetic:  a(t) = (1 / w) integral_{t-w}^{t} x(s) ds
                      = sum of the samples of the last w seconds, this tick's included, / number
    geometric:   a(t) = exp((1 / w) integral_{t-w}^{t} ln x(s) ds)
    mark = a                       of last or index
    mark = index + a               of basis, x = last - index, arithmetic only

Symbols: ``x`` price or basis [quote/base], ``w`` window [s]. The sample of a tick holds for the
time since the tick before it; with equal ticks and a window of n of them the mark is the plain
mean of the last n samples. A window that is no whole number of ticks counts part of its oldest
sample; one shorter than a tick is this tick's sample. The arithmetic mark is linear in the prices
it averages, but for a floor under a mark of the basis, `BASIS_FLOOR` times the index. A geometric
mean of 30 min moves by 2**(12/1800) - 1 = 0.46 % when the price doubles for 12 s.

Before the start the starting price is taken to have held. At tick 0 no time has passed, so that
a jump at tick 0 leaves the mark unmoved until tick 1, when its sample counts ``dt / w``.

References
----------
.. [1] Adams, H., Zinsmeister, N. and Robinson, D. (2020), "Uniswap v2 Core" (arithmetic
   time-weighted average price as an oracle).
.. [2] Adams, H. et al. (2021), "Uniswap v3 Core" (geometric mean, from accumulated ticks).
.. [3] BlockBeats, 16 Sep 2025: Binance's mark adds to the index the mean basis of 30 s.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol, Self, TypeAlias

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.mark.base import MARKS, RememberingRule, Source

_INITIAL_CAPACITY = 64

Mean: TypeAlias = Literal["arithmetic", "geometric"]


class TwapConfig(Protocol):
    """Attributes of a TWAP configuration."""

    @property
    def window(self) -> float:
        """Window [s]."""

    @property
    def of(self) -> Source:
        """What is averaged."""

    @property
    def mean(self) -> Mean:
        """Mean that is taken."""


@MARKS.register("twap")
class TwapMark(RememberingRule):
    """Time-weighted average over a sliding window.

    Parameters
    ----------
    window : float
        Window w [s], > 0.
    of : {"last", "index", "basis"}
        What is averaged.
    mean : {"arithmetic", "geometric"}
        Mean that is taken; a basis, which may be negative, has no geometric one.

    Raises
    ------
    ValueError
        If `window` is not a positive finite number, or the mean is unknown or does not exist.
    """

    def __init__(self, window: float, of: Source = "last", mean: Mean = "arithmetic") -> None:
        super().__init__(of)
        if not 0.0 < window < math.inf:
            raise ValueError(f"window must be a positive finite number, found {window}")
        if mean not in ("arithmetic", "geometric"):
            raise ValueError(f"mean must be 'arithmetic' or 'geometric', found {mean!r}")
        if mean == "geometric" and of == "basis":
            raise ValueError("a basis may be negative and has no geometric mean")
        self.window = window
        self.mean = mean

    @classmethod
    def from_config(cls, config: TwapConfig) -> Self:
        """Build the rule from its configuration."""
        return cls(config.window, config.of, config.mean)

    @property
    def memory_seconds(self) -> float:
        """The window [s]."""
        return self.window

    def _reset(self, price: FloatArray) -> None:
        # History rows [begin, end) hold deviations from the starting price, oldest first;
        # of a geometric mean, of logarithms.
        self._origin = price
        self._durations: FloatArray = np.zeros(_INITIAL_CAPACITY)
        self._deviations: FloatArray = np.zeros((_INITIAL_CAPACITY, price.size))
        self._begin = 0
        self._end = 0
        self._history: FloatArray = np.zeros(price.size)

    def _remember(self, dt: float, sample: FloatArray) -> None:
        if dt == 0.0:
            return
        if self._end == len(self._durations):
            self._make_room()
        self._durations[self._end] = dt
        self._deviations[self._end] = self._deviation(sample)
        self._end += 1

    def _make_room(self) -> None:
        """Move the live rows to the front, into twice the space if they fill half of it."""
        live = slice(self._begin, self._end)
        count = self._end - self._begin
        capacity = len(self._durations) * (2 if 2 * count > len(self._durations) else 1)
        durations = np.zeros(capacity)
        deviations = np.zeros((capacity, self._origin.size))
        durations[:count] = self._durations[live]
        deviations[:count] = self._deviations[live]
        self._durations, self._deviations = durations, deviations
        self._begin, self._end = 0, count

    def _freeze(self, dt: float) -> None:
        """Sum duration times deviation over the part of the window before this tick."""
        room = max(self.window - dt, 0.0)
        durations = self._durations[self._begin : self._end]
        # Age of each sample's recent end, seen from the previous tick.
        age = np.cumsum(durations[::-1])[::-1] - durations
        weights = np.clip(room - age, 0.0, durations)
        deviations = self._deviations[self._begin : self._end]
        if len(deviations):  # added in order of time, whatever the number of markets
            self._history = np.add.accumulate(weights[:, None] * deviations, axis=0)[-1]
        else:
            self._history = np.zeros(self._origin.size)
        self._begin += int(np.searchsorted(-age, -self.window, side="right"))

    def _deviation(self, sample: FloatArray) -> FloatArray:
        if self.mean == "arithmetic":
            return np.asarray(sample - self._origin)
        # One by one: NumPy's logarithms of arrays differ from the library's in the last bit.
        return np.array([math.log(ratio) for ratio in (sample / self._origin).tolist()])

    def _average(self, dt: float, sample: FloatArray) -> FloatArray:
        current = min(dt, self.window) * self._deviation(sample)
        mean = (self._history + current) / self.window
        if self.mean == "arithmetic":
            return self._origin + mean
        return np.asarray(self._origin * np.array([math.exp(x) for x in mean.tolist()]))
