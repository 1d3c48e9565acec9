"""Mark at the last trade.

::

    mark = last

Symbols: prices [quote/base]. No memory.
"""

from __future__ import annotations

from typing import Any, Self

from sim.core.arrays import FloatArray
from sim.models.mark.base import MARKS, MarkRule


@MARKS.register("last")
class LastMark(MarkRule):
    """The mark is the venue's own last price."""

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """Build the rule; the configuration has no parameters."""
        return cls()

    def mark(self, last: FloatArray, index: FloatArray) -> FloatArray:
        """Return a copy of the last prices; see `MarkRule.mark`."""
        return last.copy()
