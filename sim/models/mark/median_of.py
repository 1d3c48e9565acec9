"""Mark as the median of several rules.

::

    mark = median over components k of mark_k

Symbols: ``mark_k`` mark of component rule k [quote/base]; for an even number of components the
mean of the two middle ones. Every component keeps its own memory.

References
----------
.. [1] Binance Futures FAQ, "Mark price in USD-M futures" (the median of two index-based prices and
   the contract's last price).
.. [2] Hyperliquid documentation, "Robust price indices" (the median of three prices).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.mark.base import MARKS, MarkRule


class MedianOfConfig(Protocol):
    """Attributes of a median-of configuration."""

    @property
    def of(self) -> Sequence[Any]:
        """Configurations of the component rules."""


@MARKS.register("median_of")
class MedianOfMark(MarkRule):
    """Elementwise median of component rules.

    Parameters
    ----------
    components : sequence of MarkRule
        At least two rules, owned by this one.

    Raises
    ------
    ValueError
        If there are fewer than two components.
    """

    def __init__(self, components: Sequence[MarkRule]) -> None:
        if len(components) < 2:
            raise ValueError(f"median_of needs at least two rules, found {len(components)}")
        self.components = tuple(components)

    @classmethod
    def from_config(cls, config: MedianOfConfig) -> Self:
        """Build the rule and its components from their configurations."""
        return cls([MARKS[part.kind].from_config(part) for part in config.of])

    @property
    def memory_seconds(self) -> float:
        """The longest memory of the components [s]."""
        return max(component.memory_seconds for component in self.components)

    def start(self, last: FloatArray, index: FloatArray) -> None:
        """Start every component; see `MarkRule.start`."""
        for component in self.components:
            component.start(last, index)

    def begin_tick(self, dt_seconds: float, tick: int) -> None:
        """Freeze the memory of every component; see `MarkRule.begin_tick`."""
        for component in self.components:
            component.begin_tick(dt_seconds, tick)

    def mark(self, last: FloatArray, index: FloatArray) -> FloatArray:
        """Return the elementwise median of the components' marks; see `MarkRule.mark`."""
        marks = np.stack([component.mark(last, index) for component in self.components])
        return np.asarray(np.median(marks, axis=0), dtype=np.float64)
