"""Figure: what a calibration misses, and what its targets say about each parameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.core.arrays import FloatArray
from sim.report.style import SMALL, TINY, house_style, new_figure

if TYPE_CHECKING:
    import pandas as pd

DARK, LIGHT, RED, GREY = "#332288", "#6fb7e3", "#dd6a1f", "#9a9a9a"

MOST_PARAMETERS, MOST_TARGETS, MOST_PAIRS, BINS = 6, 20, 2, 24


@dataclass(frozen=True, slots=True)
class Drawn:
    """A parameter as it is drawn.

    Attributes
    ----------
    name : str
        Its name.
    log : bool
        Whether its axis is logarithmic.
    tried, losses : (N,) float64
        Values of the search and their losses.
    best : float
        Best value.
    prior : (M,) float64
        Values of equal prior probability.
    sample, weights : (P,) float64
        The values that fit; empty without a sample.
    said : str
        What the targets say about it.
    words : tuple of str
        What its values 0, 1, ... mean, if it is no number.
    """

    name: str
    log: bool
    tried: FloatArray
    losses: FloatArray
    best: float
    prior: FloatArray
    sample: FloatArray
    weights: FloatArray
    said: str
    words: tuple[str, ...] = ()

    @property
    def span(self) -> tuple[float, float]:
        """Ends of its axis."""
        if self.words:
            return -0.5, len(self.words) - 0.5
        return float(self.prior.min()), float(self.prior.max())


def figure(
    targets: pd.DataFrame, drawn: Sequence[Drawn], pairs: Sequence[tuple[int, int]]
) -> Figure:
    """Draw a calibration.

    Parameters
    ----------
    targets : pandas.DataFrame
        ``metric``, ``tolerance``, ``miss``, ``error``, ``fresh_miss``; one row per target.
    drawn : sequence of Drawn
        One per parameter.
    pairs : sequence of (int, int)
        Parameters whose sample is drawn against each other.
    """
    shown = list(drawn)[:MOST_PARAMETERS]
    chosen = [pair for pair in pairs if max(pair) < len(shown)][:MOST_PAIRS]
    rows = targets.head(MOST_TARGETS)
    top = 0.55 + 0.24 * len(rows)
    with house_style():
        heights = [top, *[1.7] * len(shown), *([2.6] if chosen else [])]
        made = new_figure(0.5 + sum(heights))
        grid = made.add_gridspec(len(heights), 2, height_ratios=heights)
        first = made.add_subplot(grid[0, :])
        _misses(first, rows)
        for row, parameter in enumerate(shown, start=1):
            _profile(made.add_subplot(grid[row, 0]), parameter)
            _density(made.add_subplot(grid[row, 1]), parameter)
        for column, (a, b) in enumerate(chosen):
            _against(made.add_subplot(grid[len(heights) - 1, column]), shown[a], shown[b])
        handles, labels = first.get_legend_handles_labels()
        made.legend(handles, labels, loc="outside lower center", ncols=4)
        return made


def _misses(ax: Axes, rows: pd.DataFrame) -> None:
    places = np.arange(len(rows))
    miss = rows["miss"].to_numpy(dtype=np.float64)
    error = np.nan_to_num((rows["error"] / rows["tolerance"]).to_numpy(dtype=np.float64))
    ax.axvspan(-1, 1, color="#e8e8e8", linewidth=0, zorder=0, label="within the tolerance")
    ax.axvline(0.0, color="black", linewidth=0.6)
    ax.errorbar(miss, places, xerr=error, fmt="o", color=DARK, elinewidth=1.0, capsize=2.0,
                label="best fit, with its standard error")  # fmt: skip
    ax.plot(rows["fresh_miss"], places + 0.22, "^", color=RED, markersize=4.0,
            label="the same on fresh seeds")  # fmt: skip
    ax.set_yticks(places, [_short(name) for name in rows["metric"]])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("miss in tolerances", fontsize=SMALL)
    widest = float(np.nanmax(np.abs(np.r_[miss, rows["fresh_miss"], 1.2]), initial=1.2))
    if widest > 50:
        ax.set_xscale("symlog", linthresh=1.0)


def _profile(ax: Axes, parameter: Drawn) -> None:
    """Draw the losses of all settings: their lower edge is the profile of the loss."""
    floor = max(float(np.min(parameter.losses)), 1e-6)
    ax.plot(parameter.tried, np.maximum(parameter.losses, 1e-6), ".", color=GREY, markersize=3.0)
    ax.plot([parameter.best], [floor], "o", color=DARK, markersize=5.0)
    ax.set_yscale("log")
    ax.set_ylabel("loss of settings tried", fontsize=SMALL)
    _axis(ax, parameter)


def _density(ax: Axes, parameter: Drawn) -> None:
    """Draw the sample beside the prior."""
    low, high = parameter.span
    bins = len(parameter.words) or BINS
    edges = (np.geomspace if parameter.log else np.linspace)(low, high, bins + 1)
    edges[0], edges[-1] = low, high
    prior = np.histogram(parameter.prior, edges)[0] / parameter.prior.size
    ax.stairs(prior, edges, color="black", linewidth=0.9, linestyle=(0, (3, 2)))
    if parameter.sample.size:
        held = np.histogram(np.clip(parameter.sample, low, high), edges, weights=parameter.weights)[
            0
        ]
        ax.stairs(held, edges, fill=True, color=LIGHT)
    ax.axvline(parameter.best, color=DARK, linewidth=1.0)
    ax.set_ylabel("share (dashed: prior)", fontsize=SMALL)
    ax.set_title(parameter.said, loc="left", fontsize=SMALL)
    _axis(ax, parameter)


def _against(ax: Axes, one: Drawn, other: Drawn) -> None:
    if not one.sample.size:
        return
    sizes = 12.0 * one.weights / max(float(one.weights.max()), 1e-300)
    ax.scatter(one.sample, other.sample, s=sizes, color=DARK, alpha=0.6, linewidths=0)
    ax.plot([one.best], [other.best], "D", color=RED, markersize=4.5)
    _axis(ax, one)
    ax.set_ylabel(_short(other.name))
    ax.set_ylim(*other.span)
    if other.words:
        ax.set_yticks(range(len(other.words)), [_short(word, 16) for word in other.words])
    if other.log:
        ax.set_yscale("log")


def _axis(ax: Axes, parameter: Drawn) -> None:
    low, high = parameter.span
    if parameter.log:
        ax.set_xscale("log")
    if parameter.words:
        ax.set_xticks(range(len(parameter.words)), [_short(w, 16) for w in parameter.words])
    if math.isfinite(low) and high > low:
        ax.set_xlim(low, high)
    ax.set_xlabel(_short(parameter.name))
    ax.tick_params(labelsize=TINY)


def _short(text: Any, most: int = 40) -> str:
    word = str(text)
    return word if len(word) <= most else word[: most - 3] + "..."
