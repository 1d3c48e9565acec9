"""Spread of a market's price to the mean of the markets of its asset: how far venues part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from sim.core.arrays import FloatArray
from sim.report.drawing import line, thin
from sim.report.style import Look

MIN_SPREAD = 10.0  # [bps] markets that never part further are not worth a panel


@dataclass(frozen=True)
class Spread:
    """How far the markets of one asset part.

    Parameters
    ----------
    base : str
        The asset.
    labels : tuple of str
        Rows of `bps`.
    time : (T,) float64 [s]
    bps : (L, T) float64 [bps]
        Last price over the mean of the rows' last prices, less 1.
    """

    base: str
    labels: tuple[str, ...]
    time: FloatArray
    bps: FloatArray


def spread(
    base: str, labels: Sequence[str], time: Sequence[FloatArray], last: Sequence[FloatArray]
) -> Spread | None:
    """Return the spreads of an asset.

    None where it has one market, markets recorded at different times, a single time, or no
    spread above ten basis points.
    """
    alike = all(np.array_equal(other, time[0]) for other in time[1:])
    if len(labels) < 2 or len(time[0]) < 2 or not alike:
        return None
    prices = np.stack(last)
    bps = 1e4 * (prices / prices.mean(axis=0) - 1.0)
    if not np.abs(bps).max() > MIN_SPREAD:
        return None
    return Spread(base, tuple(labels), time[0], bps)


def draw_spread(ax: Axes, data: Spread, look: dict[str, Look], labels: Sequence[str]) -> None:
    """Draw a line per market, with its look in the panels of prices."""
    ax.axhline(0.0, color="#222222", linewidth=0.5, zorder=1.0)
    for label, row in reversed(list(zip(data.labels, data.bps, strict=True))):
        place = labels.index(label)
        line(ax, *thin(data.time, row), look[label], place, len(labels), linewidth=1.0,
             zorder=3.0 - place / len(labels))  # fmt: skip
    ax.set_ylabel("spread [bps]")
    ax.yaxis.set_major_locator(MaxNLocator(5))
