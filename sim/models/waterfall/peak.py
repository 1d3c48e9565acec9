"""The recent peak of a fund, against which its drawdown is measured.

    peak(t) = max { F(s) : t - window <= s <= t }

F changes at payments and fees only and stands in between, so it is noted when it changes
(auto-deleveraging at 30 % below the peak of 8 hours: OKX help centre, "early liquidation"; Bybit
from 19 December 2025).
"""

from __future__ import annotations

from collections import deque


class FundPeak:
    """Peak of a fund over a window of ticks.

    Parameters
    ----------
    window : int
        Ticks.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self._levels: deque[list[float]] = deque()  # value, last tick at which it stood

    def note(self, tick: int, value: float) -> None:
        """Note the value from this tick on; earlier ticks are not asked for any more."""
        if self._levels:
            self._levels[-1][1] = max(self._levels[-1][1], tick)
        while self._levels and self._levels[-1][0] <= value:
            self._levels.pop()
        self._levels.append([value, tick])

    def at(self, tick: int) -> float:
        """Return the highest value that stood within the window before `tick`."""
        while len(self._levels) > 1 and self._levels[0][1] < tick - self.window:
            self._levels.popleft()
        return self._levels[0][0] if self._levels else 0.0
