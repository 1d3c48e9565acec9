"""Figures of many runs: a metric along one factor, or over two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.core.arrays import FloatArray
from sim.report.drawing import legend
from sim.report.style import SMALL, house_style, looks, new_figure, sentence

MOST_DOTS = 5_000
"""Runs that are drawn as dots; of more, evenly spaced ones."""

MOST_NUMBERS = 12
"""Rows and columns of a heat map up to which every field shows its number."""

MOST_TICKS = 15
"""Labels along an axis of a heat map."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Means of a metric along a factor.

    Attributes
    ----------
    label : str
        What its runs have in common; empty for all runs.
    x : (K,) float64
        Values of the factor, ascending.
    mean, low, high : (K,) float64
        Mean and its interval; NaN where there is none.
    """

    label: str
    x: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray


def along(
    curves: Sequence[Curve],
    dots: tuple[FloatArray, FloatArray],
    labels: tuple[str, str],
    words: Sequence[str] | None = None,
    *,
    log: bool = False,
) -> Figure:
    """Return the figure of a metric along a factor: means with intervals, and every run.

    Parameters
    ----------
    curves : sequence of Curve
        At most eight.
    dots : ((N,), (N,)) float64
        Factor and metric of every run.
    labels : (str, str)
        Factor and metric.
    words : sequence of str, optional
        Names of the values 0, 1, 2, ... of a factor that is not a number.
    log : bool
        Whether the factor's axis has equal ratios.
    """
    with house_style():
        figure = new_figure(2.9, 4.6)
        ax = figure.add_subplot()
        ax.set_xlabel(labels[0])
        ax.set_ylabel(labels[1])
        if not len(dots[0]):
            sentence(ax, "No run has a value.")
            return figure
        every = max(1, -(-len(dots[0]) // MOST_DOTS))
        ax.plot(dots[0][::every], dots[1][::every], ".", color="#b5b5b5", ms=2.5, zorder=1)
        found = looks([curve.label for curve in curves])
        for curve in curves:
            look = found[curve.label]
            bars = np.vstack([curve.mean - curve.low, curve.high - curve.mean])
            ax.errorbar(
                curve.x, curve.mean, yerr=np.maximum(bars, 0.0), capsize=2,
                color=look.colour, marker=look.marker, label=curve.label or None, zorder=3,
            )  # fmt: skip
        handles = ax.get_legend_handles_labels()[0] if len(curves) > 1 else []
        legend(figure, [ax], handles, own=True)
        if words is not None:
            ax.set_xticks(range(len(words)), words)
            ax.set_xlim(-0.5, len(words) - 0.5)
        elif log:
            ax.set_xscale("log")
        return figure


def over(
    values: FloatArray,
    words: tuple[Sequence[str], Sequence[str]],
    labels: tuple[str, str, str],
) -> Figure:
    """Return the heat map of a metric over two factors; fields without a value are crossed out.

    Parameters
    ----------
    values : (Y, X) float64
        Means; NaN where no run has a value.
    words : (sequence of str, sequence of str)
        Values of the factor along x and of the one along y.
    labels : (str, str, str)
        Factor along x, factor along y, metric.
    """
    rows, columns = values.shape
    with house_style():
        figure = new_figure(min(1.6 + 0.28 * rows, 7.0), min(2.4 + 0.45 * columns, 7.2))
        ax = figure.add_subplot()
        if not np.isfinite(values).any():
            sentence(ax, "No run has a value.")
            return figure
        edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
        ax.set_facecolor("#f2f2f2")
        ax.grid(visible=False)
        mesh = ax.pcolormesh(*edges, np.ma.masked_invalid(values), cmap="cividis")
        figure.colorbar(mesh, ax=ax, label=labels[2])
        for row, column in np.argwhere(~np.isfinite(values)):
            ax.plot(column, row, "x", color="#9a9a9a", ms=5)
        if max(rows, columns) <= MOST_NUMBERS:
            _numbers(ax, values)
        for axis, texts in ((ax.xaxis, words[0]), (ax.yaxis, words[1])):
            every = max(1, -(-len(texts) // MOST_TICKS))
            axis.set_ticks(range(0, len(texts), every), [*texts][::every])
        ax.set_xlabel(labels[0])
        ax.set_ylabel(labels[1])
        return figure


def _numbers(ax: Axes, values: FloatArray) -> None:
    """Write each value into its field, light on dark and dark on light."""
    low, high = np.nanmin(values), np.nanmax(values)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            dark = high > low and (value - low) / (high - low) < 0.5
            ax.text(
                column, row, f"{value:.3g}", ha="center", va="center", fontsize=SMALL - 0.5,
                color="white" if dark else "black",
            )  # fmt: skip
