"""Windows of time in a recorded run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from sim.core.arrays import BoolArray


class Window(NamedTuple):
    """Ticks from `first` up to, but without, `end`.

    Attributes
    ----------
    first, end : float
        Ticks; infinite where the window is open.
    """

    first: float = -math.inf
    end: float = math.inf

    def holds(self, ticks: pd.Series) -> BoolArray:
        """Return for each tick whether it is in the window."""
        values = ticks.to_numpy(dtype=np.float64)
        return np.asarray((values >= self.first) & (values < self.end), dtype=np.bool_)

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a frame with `tick` that are in the window."""
        if math.isinf(self.first) and math.isinf(self.end):
            return frame
        return frame[self.holds(frame["tick"])]


def window_of(window: tuple[float, float] | None, seconds: float) -> Window:
    """Return the ticks whose time is in ``[start, end)``.

    Parameters
    ----------
    window : tuple of float or None
        Start and end [s since the start of the run], start < end; None for the whole run.
    seconds : float
        Length of a tick [s].

    Raises
    ------
    ValueError
        If the window is no pair of numbers with start < end.
    """
    if window is None:
        return Window()
    try:
        start, end = (float(edge) for edge in window)
    except (TypeError, ValueError):
        start = end = math.nan
    if not start < end:
        raise ValueError(f"window is {window!r}; allowed: (start, end) in seconds, start < end")
    return Window(_tick(start, seconds), _tick(end, seconds))


def _tick(time: float, seconds: float) -> float:
    """Return the first tick at or after a time, within rounding of the clock."""
    return time if math.isinf(time) else math.ceil(time / seconds - 1e-9)


def cut(every: float, last: float) -> Iterator[tuple[float, float]]:
    """Yield windows of equal length that cover a run.

    Parameters
    ----------
    every : float
        Length [s], > 0.
    last : float
        Time of the last tick [s].

    Raises
    ------
    ValueError
        If `every` is not a finite number above 0, or makes more than 100,000 windows.
    """
    if not (math.isfinite(every) and every > 0.0):
        raise ValueError(f"every is {every!r}; allowed: seconds, a finite number above 0")
    number = int(last / every + 1e-9) + 1
    if number > MAX_WINDOWS:
        raise ValueError(f"every is {every!r} s, {number:,} windows; allowed: {MAX_WINDOWS:,}")
    return ((k * every, (k + 1) * every) for k in range(number))


MAX_WINDOWS = 100_000
"""Windows of one analysis."""
