"""Figure: what variants change, pair by pair, with the mean and its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.core.arrays import FloatArray
from sim.report.style import SMALL, TINY, house_style, legend_of, new_figure, sentence

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 24
"""Comparisons of a metric that are drawn; all of them are in the table."""

MOST_METRICS = 6
"""Metrics that are drawn."""

DOT, MEAN, UNTOLD = "#6fb7e3", "#332288", "#9a9a9a"


def figure(frame: pd.DataFrame, dots: Sequence[FloatArray], factors: Sequence[str]) -> Figure:
    """Draw the differences of every pair of runs, and their means.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per comparison: ``metric``, ``variant``, ``against``, the factors, ``difference``,
        ``low``, ``high``, ``told``.
    dots : sequence of (N,) float64
        Differences of each row's pairs, in the unit of the metric.
    factors : sequence of str
        Columns that tell the rows of a variant apart.
    """
    metrics = list(dict.fromkeys(frame["metric"]))[:MOST_METRICS] if len(frame) else []
    with house_style():
        drawn = new_figure(1.0)
        if not metrics:
            sentence(drawn.add_subplot(), "There is nothing to compare.")
            return drawn
        rows = min(MOST_ROWS, int((frame["metric"] == metrics[0]).sum()))
        columns = 1 if len(metrics) == 1 else 2
        lines = -(-len(metrics) // columns)
        drawn.set_size_inches(drawn.get_figwidth(), 0.5 + lines * (0.75 + 0.24 * rows))
        axes = list(drawn.subplots(lines, columns, squeeze=False).flat)
        for ax, metric in zip(axes, metrics, strict=False):
            chosen = np.flatnonzero(frame["metric"] == metric)[:MOST_ROWS]
            _panel(ax, frame.iloc[chosen], [dots[k] for k in chosen], factors)
            ax.set_title(metric, loc="left")
        for ax in axes[len(metrics) :]:
            ax.set_axis_off()
        handles, labels = legend_of(axes[: len(metrics)])
        drawn.legend(handles, labels, loc="outside lower center", ncols=4)
        return drawn


def _panel(
    ax: Axes, rows: pd.DataFrame, dots: Sequence[FloatArray], factors: Sequence[str]
) -> None:
    records = rows.to_dict("records")
    for place, (row, pairs) in enumerate(zip(records, dots, strict=True)):
        heights = place + 0.22 * np.linspace(-1.0, 1.0, max(pairs.size, 2))[: pairs.size]
        ax.plot(pairs, heights, ".", color=DOT, markersize=3.0, zorder=2, label="pairs of runs")
        if math.isfinite(row["low"]):
            ax.plot([row["low"], row["high"]], [place, place], color="black", linewidth=1.4,
                    zorder=3)  # fmt: skip
        told = bool(row["told"])
        ax.plot(row["difference"], place, marker="D" if told else "o", linestyle="none",
                color=MEAN if told else "white", markeredgecolor=MEAN if told else UNTOLD,
                markersize=5.0, zorder=4,
                label="mean, told from 0" if told else "mean, not told from 0")  # fmt: skip
    ax.axvline(0.0, color="black", linewidth=0.7)
    ax.set_yticks(range(len(records)), [_name(row, factors) for row in records], fontsize=TINY)
    ax.set_ylim(len(records) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(f"difference to {records[0]['against']}", fontsize=SMALL)
    if factors:
        ax.set_ylabel(f"variant ({', '.join(factors)})", fontsize=TINY)
    ax.locator_params(axis="x", nbins=6)  # room for the words of neighbouring ticks
    ax.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4))
    ax.xaxis.get_offset_text().set_fontsize(TINY)


def _name(row: dict[Any, Any], factors: Sequence[str]) -> str:
    """Return what a row is called: its variant, and where in the design it stands."""
    values = ", ".join(short(row[name]) for name in factors)
    return f"{row['variant']} ({values})" if values else str(row["variant"])


def short(value: object) -> str:
    """Return a factor's value as an axis shows it."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text if len(text) <= 18 else text[:15] + "..."
