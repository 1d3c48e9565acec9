"""Figure: the trade-off that an optimisation found, in the search and on fresh seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.report.style import house_style, legend_of, panels

DARK, GREY, RED = "#332288", "#b0b0b0", "#dd6a1f"

MOST_PANELS = 6
"""Pairs of objectives that are drawn: all of four objectives."""

IN_ONE_COLUMN = 3
"""Pairs that stand below each other; of more, two stand side by side."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """Settings in the space of the objectives.

    Attributes
    ----------
    titles : list of str
        Of the K objectives.
    signs : list of float
        1 where small is good, -1 where large is.
    tried : list of list of float
        (N, K) scores of all settings in the search, in order.
    before : list of list of float
        (F, K) scores of the finalists in the search.
    fresh : list of list of (float, float, float)
        (F, K) their values with intervals on fresh seeds.
    stays : list of bool
        Which of them no other dominates on fresh seeds.
    """

    titles: list[str]
    signs: list[float]
    tried: list[list[float]]
    before: list[list[float]]
    fresh: list[list[tuple[float, float, float]]]
    stays: list[bool]


def figure(cloud: Cloud, ax: Axes | Sequence[Axes] | None = None) -> Figure:
    """Draw a trade-off, one panel for each pair of objectives; the course of one objective.

    Parameters
    ----------
    cloud : Cloud
        What was found.
    ax : Axes, sequence of Axes or None
        One per panel, of an even number where there are more than three; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.
    """
    pairs = [*itertools.combinations(range(len(cloud.titles)), 2)][:MOST_PANELS]
    with house_style():
        columns = 1 if len(pairs) <= IN_ONE_COLUMN else 2
        rows = max(1, -(-len(pairs) // columns))
        drawn, axes = panels(ax, rows, columns, height=0.7 + 3.0 * rows, share=False)
        for axis in axes[max(1, len(pairs)) :]:
            axis.set_axis_off()
        outside = _outside(cloud)
        for axis, (i, j) in zip(axes, pairs, strict=False):
            _pair(axis, cloud, i, j, outside)
        if not pairs:
            _course(axes[0], cloud)
        if ax is None:
            handles, labels = legend_of(axes)
            drawn.legend(handles, labels, loc="outside lower center", ncols=2)
        return drawn


def _goal(cloud: Cloud, k: int) -> str:
    return f"{cloud.titles[k]} ({'low' if cloud.signs[k] > 0 else 'high'} is good)"


def _outside(cloud: Cloud) -> int:
    """Return how many settings lie outside the limits of some objective."""
    tried = np.array(cloud.tried)
    low, high = np.array([_limits(cloud, k) for k in range(len(cloud.titles))]).T
    return int(((tried < low) | (tried > high)).any(axis=1).sum())


def _pair(ax: Axes, cloud: Cloud, i: int, j: int, outside: int) -> None:
    tried = np.array(cloud.tried)
    ax.set_xlim(*_limits(cloud, i))
    ax.set_ylim(*_limits(cloud, j))
    label = "tried, on the seeds of the search"
    if outside:
        label += f" ({outside:,} more outside)"
    ax.plot(tried[:, i], tried[:, j], ".", color=GREY, zorder=1.0, label=label)
    for before, fresh in zip(cloud.before, cloud.fresh, strict=True):
        ax.plot([before[i], fresh[i][0]], [before[j], fresh[j][0]], color=RED, linewidth=0.6)
    earlier = np.array(cloud.before)
    label = "finalists, on the seeds of the search"
    ax.plot(earlier[:, i], earlier[:, j], "x", color=RED, zorder=2.0, label=label)
    for stays in (True, False):
        chosen = [f for f, stay in zip(cloud.fresh, cloud.stays, strict=True) if stay is stays]
        if not chosen:
            continue
        x, y = _bars([f[i] for f in chosen]), _bars([f[j] for f in chosen])
        label = f"on fresh seeds, {'undominated' if stays else 'dominated'}, with intervals"
        ax.errorbar(
            x[0], y[0], xerr=x[1], yerr=y[1], fmt="o", color=DARK, elinewidth=0.6, label=label,
            markerfacecolor=DARK if stays else "white", zorder=3.0,
        )  # fmt: skip
    ax.set_xlabel(_goal(cloud, i))
    ax.set_ylabel(_goal(cloud, j))


def _limits(cloud: Cloud, k: int) -> tuple[float, float]:
    """Return the limits of an axis: the finalists with their intervals, and as much around."""
    values = [x for finalist in cloud.fresh for x in finalist[k] if math.isfinite(x)]
    values += [finalist[k] for finalist in cloud.before]
    width = (max(values) - min(values)) or abs(max(values)) or 1.0
    return min(values) - width / 2, max(values) + width / 2


def _course(ax: Axes, cloud: Cloud) -> None:
    """Draw the only objective over the settings tried, and the finalists beside them."""
    tried = np.array(cloud.tried)[:, 0]
    best = cloud.signs[0] * np.minimum.accumulate(cloud.signs[0] * tried)
    ax.plot(tried, ".", color=GREY, label="tried, on the seeds of the search")
    ax.step(range(tried.size), best, where="post", color=RED, label="the best so far")
    value, bars = _bars([f[0] for f in cloud.fresh])
    places = tried.size + 0.02 * tried.size * (1 + np.arange(len(cloud.fresh)))
    label = "finalists on fresh seeds, with intervals"
    ax.errorbar(places, value, yerr=bars, fmt="o", color=DARK, elinewidth=0.6, label=label)
    ax.set_xlabel("setting")
    ax.set_ylabel(_goal(cloud, 0))


def _bars(
    points: Sequence[tuple[float, float, float]],
) -> tuple[list[float], list[list[float]]]:
    """Return values and the lengths of their bars below and above, 0 without an interval."""
    below = [0.0 if math.isnan(low) else max(0.0, value - low) for value, low, _ in points]
    above = [0.0 if math.isnan(high) else max(0.0, high - value) for value, _, high in points]
    return [value for value, _, _ in points], [below, above]
