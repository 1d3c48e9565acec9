"""Mark at the index plus the funding that is still to come.

::

    mark = index (1 + R t / T)

Symbols: ``index`` [quote/base], ``R`` funding rate of the last payment [1 per interval], ``t``
time to the next payment [s], ``T`` funding interval [s]. ``R t / T``, the carry, is taken at the
opening of a tick's marks and stands for the tick. At a payment it is 0. No memory of its own: the
caller tells the carry before the first mark of a tick.

Before the first payment R is the rate that no premium gives, see `sim.models.funding`. At an index
of 100,000, a rate of 0.01 % and half of the interval to go, the mark is 100,005.

References
----------
.. [1] BlockBeats, 16 Sep 2025, and Binance FAQ 360033525071 (the first of the three prices of which
   Binance's mark is the median).
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.mark.base import MARKS, MarkRule


@MARKS.register("funded_index")
class FundedIndexMark(MarkRule):
    """The index, carried to the next funding payment."""

    def __init__(self) -> None:
        self._carry: FloatArray = np.zeros(1)

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """Build the rule; rate and time are the caller's, through `set_carry`."""
        return cls()

    def set_carry(self, carry: FloatArray) -> None:
        """Learn ``R t / T`` (M,) [1] of this tick."""
        self._carry = carry

    def mark(self, last: FloatArray, index: FloatArray) -> FloatArray:
        """Return the index with its carry; see `MarkRule.mark`."""
        return np.asarray(index * (1.0 + self._carry), dtype=np.float64)
