"""Pieces that several figures share: lines, stacked bars, legends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sim.core.arrays import FloatArray
from sim.report.shocks import text_width
from sim.report.style import SMALL, TINY, Look, root_figure
from sim.report.units import TimeAxis

_MOST_POINTS = 1500
_MARKERS_PER_LINE = 7


def thin(time: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a line with at most 1,500 points that looks the same on paper.

    Longer lines keep the first, lowest, highest and last point of equal stretches.
    """
    count = len(time)
    if count <= _MOST_POINTS:
        return time, values
    keep = {0, count - 1}
    for part in np.array_split(np.arange(count), _MOST_POINTS // 4):
        piece = values[part]
        keep |= {int(part[i]) for i in (0, piece.argmin(), piece.argmax(), len(part) - 1)}
    index = np.array(sorted(keep), dtype=np.int64)
    return time[index], values[index]


def line(
    ax: Axes, time: FloatArray, values: FloatArray, look: Look, place: int, of: int, **style: Any
) -> Line2D:
    """Draw one series with sparse markers, staggered so that series on one path stay visible.

    A series of one point is a marker beside those of the other series.
    """
    count = len(time)
    x = time if count > 1 else time + 0.6 * ((place + 0.5) / of - 0.5)
    step = max(1, count // _MARKERS_PER_LINE)
    every = (step * place // max(of, 1) % step, step)
    (drawn,) = ax.plot(x, values, color=look.colour, marker=look.marker, markevery=every, **style)
    return drawn


def stacked_bars(
    ax: Axes, left: FloatArray, width: float, values: FloatArray, looks: Sequence[Look]
) -> None:
    """Draw bars stacked from zero; `values` is (series, bars) and of one sign."""
    base = np.zeros(len(left))
    for row, look in zip(values, looks, strict=True):
        shown = row != 0.0
        if shown.any():
            ax.bar(left[shown], row[shown], width, bottom=base[shown], align="edge",
                   color=look.colour, hatch=look.hatch or None, edgecolor="white",
                   linewidth=0.25)  # fmt: skip
        base = base + row


def swatch(label: str, look: Look) -> Patch:
    """Return the legend entry of a bar or an area."""
    return Patch(facecolor=look.colour, hatch=look.hatch or None, edgecolor="white", label=label)


def legend(
    figure: Figure,
    axes: Sequence[Axes],
    handles: Sequence[Artist],
    own: bool,
    remark: str | None = None,
) -> None:
    """Put the legend below the panels, or into the first panel of a caller's axes."""
    if not handles:
        return
    columns = _legend_columns(handles, 72.0 * figure.get_figwidth())
    if own:
        figure.legend(
            handles=list(handles),
            loc="outside lower center",
            ncols=columns,
            handlelength=2.2,
            columnspacing=1.4,
            title=remark,
            title_fontsize=TINY,
        )
    else:
        axes[0].legend(handles=list(handles), loc="best", title=remark, title_fontsize=TINY)


def _legend_columns(handles: Sequence[Artist], room: float) -> int:
    """Return the columns of a legend no wider than `room` [pt], where that is possible."""
    wide = np.array([text_width(str(h.get_label()), SMALL) + 5.0 * SMALL for h in handles])
    rows = math.ceil(float(wide.sum()) / room)
    columns = -(-len(handles) // rows)
    while columns > 1 and sum(p.max() for p in np.array_split(wide, columns)) > room:
        columns -= 1
    return columns


def finish_time(axes: Sequence[Axes], axis: TimeAxis, columns: int = 1) -> None:
    """Set the time axis of every panel; only the lowest panel of a column names it."""
    most = 8 if columns == 1 else 6 if columns == 2 else 4
    for place, ax in enumerate(axes):
        lowest = place + columns >= len(axes)
        axis.apply(ax, most, labelled=lowest)
        ax.tick_params(axis="x", labelbottom=lowest)


def grid_columns(count: int) -> int:
    """Return the columns of a grid of `count` panels that leaves few places empty."""
    return count if count <= 3 else 2 if count == 4 else 3


def panel_width(ax: Axes, columns: int, own: bool) -> float:
    """Return about how wide a panel is [pt], before the layout is known."""
    whole = 72.0 * root_figure(ax).get_figwidth()
    return whole / columns - 48.0 if own else 0.9 * whole * ax.get_position().width
