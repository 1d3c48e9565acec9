"""Mark at the latest post of an oracle, which posts on a deviation or a heartbeat.

::

    s(t) = x(t - lag)
    post(t) = s(t)          if abs(s(t) - post) >= d post   or   t - (time of the last post) >= H
            = post          otherwise
    mark(t) = post(t)

Symbols: ``x`` last price or index [quote/base], ``lag`` age of what the oracle sees [s], rounded up
to whole ticks, ``d`` deviation [1], ``H`` heartbeat [s]. Each market has an oracle of its own.

The oracle decides once per tick, at the opening of the tick's marks and so before the forced
orders of the tick; what it posts stands for the tick. Without lag it sees the price of that
moment, with a lag of n ticks the price at the end of the tick n before.

At the start it has just posted the starting price, and with a lag it has seen nothing else. At
tick 0 no time has passed and it does not decide, so that a jump at tick 0 is posted at tick 1 at
the earliest. While the venue whose mark it is is down it neither sees nor posts, and its clock
stands; it decides in the first tick in which the venue is up again. An index of which all venues
are down stays as it was, and is posted as that.

References
----------
.. [1] Chainlink data feeds, ETH/USD and BTC/USD on Ethereum: heartbeat 3,600 s, deviation 0.5 %
   (heartbeat as in PyPI alchem-link; deviation from memory, 2024).
.. [2] MakerDAO, Oracle Security Module (a price that becomes valid an hour after it was seen).
"""

from __future__ import annotations

import math
from typing import Protocol, Self

import numpy as np

from sim.core.arrays import FloatArray
from sim.kernels.price_state import ON_TIME, TIE
from sim.models.mark.base import MARKS, RememberingRule, Source


class OracleConfig(Protocol):
    """Attributes of an oracle configuration."""

    @property
    def heartbeat(self) -> float:
        """Longest time between two posts [s]."""

    @property
    def deviation(self) -> float:
        """Move since the last post at which it posts [1]."""

    @property
    def lag(self) -> float:
        """Age of what it sees [s]."""

    @property
    def of(self) -> Source:
        """What it posts."""


@MARKS.register("oracle")
class OracleMark(RememberingRule):
    """What an oracle posted last.

    Parameters
    ----------
    heartbeat : float
        Longest time H between two posts [s], > 0.
    deviation : float
        Relative move d since the last post at which it posts [1], > 0.
    lag : float
        Age of what it sees [s], >= 0.
    of : {"last", "index"}
        What it posts.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """

    def __init__(
        self, heartbeat: float, deviation: float, lag: float = 0.0, of: Source = "index"
    ) -> None:
        super().__init__(of)
        if of == "basis":
            raise ValueError("an oracle posts 'last' or 'index', found 'basis'")
        for name, value in (("heartbeat", heartbeat), ("deviation", deviation)):
            if not 0.0 < value < math.inf:
                raise ValueError(f"{name} must be a positive finite number, found {value}")
        if not 0.0 <= lag < math.inf:
            raise ValueError(f"lag must be a finite number >= 0, found {lag}")
        self.heartbeat, self.deviation, self.lag = heartbeat, deviation, lag

    @classmethod
    def from_config(cls, config: OracleConfig) -> Self:
        """Build the rule from its configuration."""
        return cls(config.heartbeat, config.deviation, config.lag, config.of)

    @property
    def memory_seconds(self) -> float:
        """Heartbeat and lag together [s]."""
        return self.heartbeat + self.lag

    def _reset(self, price: FloatArray) -> None:
        self._post: FloatArray = price.copy()
        self._age: FloatArray = np.zeros(price.size)
        self._past: list[FloatArray] = []
        self._start = price.copy()
        self._deciding = False

    def _remember(self, dt: float, sample: FloatArray) -> None:
        if self.lag > 0.0:
            self._past.append(sample)

    def _freeze(self, dt: float) -> None:
        self._deciding = dt > 0.0

    def _average(self, dt: float, sample: FloatArray) -> FloatArray:
        if self._deciding:
            self._deciding = False
            self._decide(dt, self._seen(dt, sample))
        return self._post.copy()

    def _seen(self, dt: float, sample: FloatArray) -> FloatArray:
        """Return the price that the oracle sees now, of whole ticks of `dt` before."""
        lag = math.ceil(self.lag / dt - ON_TIME)
        if lag == 0:
            return sample
        del self._past[:-lag]
        return self._past[0] if len(self._past) == lag else self._start

    def _decide(self, dt: float, seen: FloatArray) -> None:
        self._age += dt
        moved = np.abs(seen - self._post) >= self.deviation * self._post * (1.0 - TIE)
        posts = moved | (self._age >= self.heartbeat * (1.0 - ON_TIME))
        self._post = np.where(posts, seen, self._post)
        self._age = np.where(posts, 0.0, self._age)
