"""Simulated time: a whole number of equal ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TickClock:
    """Ticks ``0 .. ticks - 1`` at times ``tick * seconds`` [s].

    Tick 0 is the initial instant: no time has passed, so diffusions have not moved and
    nothing has decayed, but a shock written ``at: 0s`` strikes there.
    """

    seconds: float
    ticks: int

    def time(self, tick: int) -> float:
        """Return the time of a tick [s]."""
        return tick * self.seconds

    def tick_at(self, time: float) -> int:
        """Return the first tick whose time is at or after `time` [s]."""
        return max(0, math.ceil(time / self.seconds - 1e-9))

    def span(self, duration: float) -> int:
        """Return a duration [s] as a number of ticks, rounded up."""
        return max(0, math.ceil(duration / self.seconds - 1e-9))
