"""Figure: in which share of the runs a condition holds, along the way of a reverse stress test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.report.style import house_style, panels

DARK, BAND, RED = "#332288", "#b9b3dd", "#dd6a1f"


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn of one condition.

    Attributes
    ----------
    title : str
        The condition.
    axis : str
        What stands on the horizontal axis.
    probability : float
        Share asked for.
    shares : list of (float, float, float, float)
        Size, share of all replications there, and its interval.
    lower, upper : list of float
        Bracket of the threshold of each replication; infinite where it lies beyond the way.
    runs : list of (float, bool)
        Size and answer of every run.
    answer : float
        The size found; NaN if there is none.
    interval : (float, float)
        Its interval; NaN where there is none.
    """

    title: str
    axis: str
    probability: float
    shares: list[tuple[float, float, float, float]]
    lower: list[float]
    upper: list[float]
    runs: list[tuple[float, bool]]
    answer: float
    interval: tuple[float, float]


def figure(drawings: Sequence[Drawing], ax: Axes | Sequence[Axes] | None = None) -> Figure:
    """Draw the share of runs in which conditions hold.

    Parameters
    ----------
    drawings : sequence of Drawing
        One per condition.
    ax : Axes, sequence of Axes or None
        One per condition; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.
    """
    with house_style():
        drawn, axes = panels(ax, len(drawings), height=0.6 + 2.0 * len(drawings))
        for axis, drawing in zip(axes, drawings, strict=True):
            _draw(axis, drawing)
        axes[-1].set_xlabel(drawings[-1].axis)
        handles, labels = axes[0].get_legend_handles_labels()
        if ax is None:
            drawn.legend(handles, labels, loc="outside lower center", ncols=3)
        return drawn


def _draw(ax: Axes, drawing: Drawing) -> None:
    ax.set_title(drawing.title, loc="left")
    ax.set_ylim(-0.12, 1.12)
    ax.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0])
    ax.set_ylabel("share of runs")
    ax.axhline(drawing.probability, color="#444444", linewidth=0.6, linestyle=":")
    for x, y, low, high in drawing.shares:
        ax.plot([x, x], [low, high], color=BAND, linewidth=3.0, solid_capstyle="butt", zorder=1.5)
    x = [share[0] for share in drawing.shares]
    y = [share[1] for share in drawing.shares]
    label = "all seeds run, with the interval of the share"
    ax.plot(x, y, "o", color=DARK, zorder=3.0, label=label)
    _curve(ax, drawing, min(x), max(x))
    low, high = drawing.interval
    if not math.isnan(low):
        shown = np.clip([low, high], min(x), max(x))
        ax.axvspan(shown[0], shown[1], color=RED, alpha=0.18, linewidth=0, zorder=0.5)
    if math.isfinite(drawing.answer):
        label = f"answer ({drawing.axis}), with its interval"
        ax.axvline(drawing.answer, color=RED, linewidth=1.0, linestyle="--", label=label)
    for holds, marker, place in ((True, "^", 1.07), (False, "v", -0.07)):
        sizes = [size for size, answer in drawing.runs if answer is holds]
        heights = [place] * len(sizes)
        colour = "#444444"
        ax.plot(sizes, heights, marker, color=colour, markersize=3.0, alpha=0.5, clip_on=False)


def _curve(ax: Axes, drawing: Drawing, first: float, last: float) -> None:
    """Draw how many seeds have their threshold behind them, from their brackets' middles."""
    pairs = zip(drawing.lower, drawing.upper, strict=True)
    falling = any(math.isinf(b) and b < 0 for _, b in pairs) or any(
        a > b for a, b in zip(drawing.lower, drawing.upper, strict=True)
    )
    middles = []
    for a, b in zip(drawing.lower, drawing.upper, strict=True):
        if math.isfinite(b):
            middles.append((a + b) / 2 if math.isfinite(a) else b)
    count = len(drawing.lower)
    ordered = sorted(middles, reverse=falling)
    start, end = (last, first) if falling else (first, last)
    x = [start, *ordered, end]
    y = [0.0, *(np.arange(1, len(ordered) + 1) / count), len(ordered) / count]
    label = "seeds whose own threshold is passed"
    ax.step(x, y, where="post", color=DARK, linewidth=0.9, label=label)
