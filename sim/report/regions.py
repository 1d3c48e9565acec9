"""Figure: where in the plane of two factors which variant does better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sim.report.differences import MOST_METRICS, short
from sim.report.style import SMALL, TINY, house_style, new_figure

if TYPE_CHECKING:
    import pandas as pd

MOST_LEVELS = 30
"""Levels of a factor beyond which no map is drawn."""

FIRST, OTHER = "#dd6a1f", "#332288"


def region_figures(
    frame: pd.DataFrame, factors: Sequence[str], better: Mapping[str, str]
) -> dict[str, Figure]:
    """Return a map for each variant of a comparison over two factors, by name of its file.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per comparison: ``metric``, ``variant``, ``against``, the factors, ``difference``,
        ``told``.
    factors : sequence of str
        Columns of the factors; without exactly two there is no map.
    better : mapping
        ``higher`` for metrics of which more is better.
    """
    if len(factors) != 2 or frame.empty:
        return {}
    levels = [_levels(frame[name]) for name in factors]
    if any(not 2 <= len(found) <= MOST_LEVELS for found in levels):
        return {}
    cells = len(levels[0]) * len(levels[1])
    found: dict[str, Figure] = {}
    for variant in dict.fromkeys(frame["variant"]):
        rows = frame[frame["variant"] == variant]
        if any(len(part) != cells for _, part in rows.groupby("metric")):
            return {}  # not a grid
        found[f"regions-{variant}"] = _map(rows, factors, levels, better)
    return found


def _levels(column: pd.Series[Any]) -> list[Any]:
    """Return the levels of a factor, numbers in order, words as they come."""
    found = list(dict.fromkeys(column.tolist()))
    numbers = all(isinstance(level, (int, float)) for level in found)
    return sorted(found) if numbers else found


def _map(
    rows: pd.DataFrame, factors: Sequence[str], levels: Sequence[list[Any]],
    better: Mapping[str, str],
) -> Figure:  # fmt: skip
    metrics = list(dict.fromkeys(rows["metric"]))[:MOST_METRICS]
    variant, against = str(rows["variant"].iloc[0]), str(rows["against"].iloc[0])
    with house_style():
        columns = min(2, len(metrics))
        lines = -(-len(metrics) // columns)
        drawn = new_figure(0.6 + lines * (0.7 + 0.3 * max(4, min(9, len(levels[1])))))
        axes = list(drawn.subplots(lines, columns, squeeze=False).flat)
        for ax, metric in zip(axes, metrics, strict=False):
            part = rows[rows["metric"] == metric]
            sign = -1.0 if better.get(metric) == "higher" else 1.0
            _panel(drawn, ax, part, factors, levels, sign)
            ax.set_title(metric, loc="left")
        for ax in axes[len(metrics) :]:
            ax.set_axis_off()
        drawn.legend(handles=_handles(variant, against), loc="outside lower center", ncols=3)
        return drawn


def _panel(
    drawn: Figure, ax: Axes, rows: pd.DataFrame, factors: Sequence[str],
    levels: Sequence[list[Any]], sign: float,
) -> None:  # fmt: skip
    """Draw one metric: colour is the difference, a mark the winner where it was told."""
    shape = (len(levels[1]), len(levels[0]))
    values = np.full(shape, np.nan)
    marks: list[tuple[int, int, bool]] = []
    for row in rows.to_dict("records"):
        x, y = (levels[k].index(row[name]) for k, name in enumerate(factors))
        values[y, x] = row["difference"]
        if row["told"]:
            marks.append((x, y, sign * row["difference"] < 0))
    top = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    colours = ["#332288", "#ffffff", "#dd6a1f"]
    made = LinearSegmentedColormap.from_list("wins", colours if sign > 0 else colours[::-1])
    scale = made.with_extremes(bad="#dcdcdc")
    image = ax.pcolormesh(values, cmap=scale, norm=TwoSlopeNorm(0.0, -top, top),
                          edgecolors="white", linewidth=0.5)  # fmt: skip
    for x, y, wins in marks:
        light = abs(values[y, x]) > 0.5 * top
        ax.plot(x + 0.5, y + 0.5, marker="^" if wins else "o", markersize=4.0,
                color="white" if light else "black")  # fmt: skip
    for axis, names, label in (
        (ax.xaxis, levels[0], factors[0]),
        (ax.yaxis, levels[1], factors[1]),
    ):
        step = -(-len(names) // 9)
        places = range(0, len(names), step)
        axis.set_ticks([k + 0.5 for k in places], [short(names[k]) for k in places], fontsize=TINY)
        axis.set_label_text(label)
    ax.grid(visible=False)
    bar = drawn.colorbar(image, ax=ax, pad=0.02)
    bar.ax.tick_params(labelsize=TINY)
    bar.ax.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4))
    bar.ax.yaxis.get_offset_text().set_fontsize(TINY)
    bar.set_label("mean difference", fontsize=SMALL)


def _handles(variant: str, against: str) -> list[Any]:
    return [
        Patch(facecolor=OTHER, label=f"{variant} does better"),
        Patch(facecolor=FIRST, label=f"{against} does better"),
        Line2D([], [], color="black", marker="^", linestyle="none", label=f"told: {variant}"),
        Line2D([], [], color="black", marker="o", linestyle="none", label=f"told: {against}"),
        Patch(facecolor="white", edgecolor="#9a9a9a", label="no mark: not told from no difference"),
    ]
