"""Figure: in which share of the runs a condition holds, along the way of a reverse stress test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.report.style import house_style, legend_of, panels

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
        Bracket of the threshold of each replication; infinite where it lies beyond the way. Empty
        where thresholds of replications are no answer.
    runs : list of (float, bool)
        Size and answer of every run.
    answer : float
        The size found; NaN if there is none.
    interval : (float, float)
        Its interval; NaN where there is none.
    falling : bool
        Whether the way begins at the highest size.
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
    falling: bool = False


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
        handles, labels = legend_of(axes)
        if ax is None:
            drawn.legend(handles, labels, loc="outside lower center", ncols=3)
        return drawn


def _draw(ax: Axes, drawing: Drawing) -> None:
    ax.set_title(drawing.title, loc="left")
    ax.set_ylim(-0.12, 1.12)
    ax.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0])
    ax.set_ylabel("share of runs")
    ax.axhline(drawing.probability, color="#444444", linewidth=0.6, linestyle=":")
    places = [share[0] for share in drawing.shares]
    label = "all seeds run, with the interval of the share"
    ax.plot(
        places, [share[1] for share in drawing.shares], "o", color=DARK, zorder=3.0, label=label
    )
    for place, _, low, high in drawing.shares:
        ax.vlines(place, low, high, color=BAND, linewidth=3.0, zorder=1.5)
    if drawing.lower:
        _curve(ax, drawing, min(places), max(places))
    if not math.isnan(drawing.interval[0]):
        shown = np.clip(drawing.interval, min(places), max(places))
        ax.axvspan(shown[0], shown[1], color=RED, alpha=0.18, linewidth=0, zorder=0.5)
    if math.isfinite(drawing.answer):
        label = f"answer ({drawing.axis}), with its interval"
        ax.axvline(drawing.answer, color=RED, linewidth=1.0, linestyle="--", label=label)
    for holds, marker, height in ((True, "^", 1.07), (False, "v", -0.07)):
        sizes = [size for size, answer in drawing.runs if answer is holds]
        heights = [height] * len(sizes)
        colour = "#444444"
        label = "runs in which it holds" if holds else "runs in which it does not"
        ax.plot(sizes, heights, marker, color=colour, markersize=3.0, alpha=0.5, label=label)


def _curve(ax: Axes, drawing: Drawing, first: float, last: float) -> None:
    """Draw between which shares the brackets of the seeds' own thresholds leave it."""
    sign = -1.0 if drawing.falling else 1.0
    lower, upper = sign * np.array(drawing.lower), sign * np.array(drawing.upper)
    ends = sorted((sign * first, sign * last))
    places = np.unique([*lower[np.isfinite(lower)], *upper[np.isfinite(upper)], *ends])
    places = places[(places >= ends[0]) & (places <= ends[1])]
    surely = [float(np.mean(upper <= place)) for place in places]
    maybe = [float(np.mean(lower <= place)) for place in places]
    maybe[-1] = float(np.mean(lower < places[-1]))  # nothing is open at the end itself
    label = "what the seeds' own thresholds leave open"
    ax.fill_between(
        sign * places, surely, maybe, step="post", color=DARK, alpha=0.15, linewidth=0, label=label
    )
    for edge in (surely, maybe):
        ax.step(sign * places, edge, where="post", color=DARK, linewidth=0.6)
