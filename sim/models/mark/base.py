"""What every mark rule shares: the interface, the two sources and the registry.

A tick may compute the mark many times: every generation of a cascade moves the last price and
asks again. The memory of a rule is therefore what it knew when the tick began. Each call of
`MarkRule.mark` within a tick starts from that memory and replaces the tick's sample, so that a
sample is never counted twice and the last call of a tick is the one remembered.

At tick 0 no time has passed. A rule with memory knows only the starting prices, as if they had
always held, and its mark stays there even if a shock strikes at tick 0; a rule without memory
follows at once.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Literal, Self, TypeAlias

import numpy as np

from sim.core.arrays import FloatArray
from sim.core.errors import RunError
from sim.core.registry import Registry
from sim.kernels.price_state import BASIS_FLOOR

Source: TypeAlias = Literal["last", "index", "basis"]
"""Last price, index, or the difference of the two, last minus index."""


class MarkRule(ABC):
    """The mark of all markets of one venue (M of them).

    Call `start` once, then per tick `begin_tick` once and `mark` as often as needed. While a
    venue is frozen neither is called; the memory then stays as it was, and the first
    `begin_tick` afterwards may give the whole time since the last one.
    """

    @classmethod
    @abstractmethod
    def from_config(cls, config: Any) -> Self:
        """Build the rule from its configuration."""

    @property
    def memory_seconds(self) -> float:
        """How far back the mark looks [s]; 0 for a rule without memory."""
        return 0.0

    def memory_ticks(self, tick_seconds: float) -> int:
        """Return the number of ticks before this one that the mark still depends on."""
        return math.ceil(self.memory_seconds / tick_seconds - 1e-9)

    def start(self, last: FloatArray, index: FloatArray) -> None:  # noqa: B027
        """Begin a run at these prices, forgetting all others.

        Parameters
        ----------
        last, index : (M,) float64 [quote/base]
            Starting prices, > 0.
        """

    def begin_tick(self, dt_seconds: float, tick: int) -> None:  # noqa: B027
        """Freeze the memory up to the previous tick.

        Parameters
        ----------
        dt_seconds : float
            Time since the previous tick [s], >= 0; taken as 0 at tick 0.
        tick : int
            Number of this tick, >= 0.
        """

    @abstractmethod
    def mark(self, last: FloatArray, index: FloatArray) -> FloatArray:
        """Return the mark if this tick's prices are these.

        Parameters
        ----------
        last, index : (M,) float64 [quote/base]
            Prices now. Not kept and not changed.

        Returns
        -------
        (M,) float64 [quote/base]
            A new array.
        """


class RememberingRule(MarkRule):
    """A rule that averages one source over time.

    Subclasses implement `_reset`, `_remember` (the last sample of a tick becomes history) and
    `_average` (history plus this tick's sample).

    Parameters
    ----------
    of : {"last", "index", "basis"}
        What is averaged. With ``basis`` the mark is the index plus the average of last minus
        index, and at least `BASIS_FLOOR` times the index.
    """

    def __init__(self, of: Source) -> None:
        if of not in ("last", "index", "basis"):
            raise ValueError(f"of must be 'last', 'index' or 'basis', found {of!r}")
        self.of = of
        self._dt = 0.0
        self._sample: FloatArray | None = None
        self._started = False

    def start(self, last: FloatArray, index: FloatArray) -> None:
        """Begin a run as if the starting price had always held; see `MarkRule.start`."""
        self._dt = 0.0
        self._sample = None
        self._started = True
        self._reset(self._source(last, index))

    def begin_tick(self, dt_seconds: float, tick: int) -> None:
        """Freeze the memory up to the previous tick; see `MarkRule.begin_tick`.

        A tick in which `mark` was not called leaves no trace.

        Raises
        ------
        ValueError
            If `dt_seconds` is negative or not finite.
        RunError
            If `start` was not called.
        """
        if not 0.0 <= dt_seconds < math.inf:
            raise ValueError(f"dt_seconds must be >= 0 and finite, found {dt_seconds}")
        self._require_start()
        if self._sample is not None:
            self._remember(self._dt, self._sample)
            self._sample = None
        self._dt = 0.0 if tick == 0 else float(dt_seconds)
        self._freeze(self._dt)

    def mark(self, last: FloatArray, index: FloatArray) -> FloatArray:
        """Return the average with this tick's sample; see `MarkRule.mark`."""
        self._require_start()
        self._sample = self._source(last, index)
        average = self._average(self._dt, self._sample)
        if self.of == "basis":
            return np.maximum(index + average, BASIS_FLOOR * index)
        return average

    def _source(self, last: FloatArray, index: FloatArray) -> FloatArray:
        if self.of == "basis":
            return np.asarray(last - index, dtype=np.float64)
        return np.array(last if self.of == "last" else index, dtype=np.float64)

    def _require_start(self) -> None:
        if not self._started:
            raise RunError("a mark rule was used before start(last, index)")

    @abstractmethod
    def _reset(self, price: FloatArray) -> None:
        """Forget everything and take `price` (M,) as what always held."""

    @abstractmethod
    def _remember(self, dt: float, sample: FloatArray) -> None:
        """Add the final sample (M,) of a tick that lasted `dt` [s] to the history."""

    @abstractmethod
    def _freeze(self, dt: float) -> None:
        """Prepare the history for a tick of `dt` [s]."""

    @abstractmethod
    def _average(self, dt: float, sample: FloatArray) -> FloatArray:
        """Return history and this tick's sample (M,), averaged; the history is not changed."""


MARKS: Registry[type[MarkRule]] = Registry("mark")
