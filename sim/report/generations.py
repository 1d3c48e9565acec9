"""Figure: the cascade by generation: notional liquidated to the market and accounts broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator

from sim.core.arrays import FloatArray, IntArray
from sim.report.context import RunContext
from sim.report.drawing import legend, stacked_bars, swatch
from sim.report.forced import NOT_TO_THE_MARKET, NOTHING, top_names
from sim.report.style import OTHER, Look, house_style, looks, panels, sentence
from sim.report.units import money_axis

MAX_GENERATIONS = 60
MIN_BARS = 7  # fewer bars are as wide as if there were so many
LOG_SPAN = 1e3
_STEPS = [1, 2, 5, 10]


@dataclass(frozen=True)
class Rounds:
    """A cascade by generation, or by bins of equally many generations.

    Parameters
    ----------
    first : (G,) int64
        First generation of each bin.
    width : int
        Generations per bin.
    venues : tuple of str
        Rows of `notional`.
    notional : (V, G) float64 [quote]
        Liquidated to the market.
    accounts : (G,) int64
        Distinct accounts liquidated to the market in the bin.
    """

    first: IntArray
    width: int
    venues: tuple[str, ...]
    notional: FloatArray
    accounts: IntArray


def rounds(liquidations: pd.DataFrame, context: RunContext) -> Rounds:
    """Sum the market liquidations by generation and venue in at most sixty bins."""
    rows = liquidations[liquidations["kind"] == "market"]
    count = int(rows["generation"].max()) + 1 if len(rows) else 0
    width = max(1, -(-count // MAX_GENERATIONS))
    bins = -(-count // width)
    venues, code = top_names(rows, context, "venue")
    place = rows["generation"].to_numpy(dtype=np.int64) // width
    amount = rows["notional"].to_numpy(dtype=np.float64)
    cells = np.bincount(code * bins + place, weights=amount, minlength=len(venues) * bins)
    notional = np.asarray(cells, dtype=np.float64)
    pairs = rows.assign(place=place)[["place", "account_id"]].drop_duplicates()
    accounts = np.bincount(pairs["place"].to_numpy(dtype=np.int64), minlength=bins)
    return Rounds(
        first=np.arange(bins, dtype=np.int64) * width,
        width=width,
        venues=tuple(venues),
        notional=notional.reshape(len(venues), bins),
        accounts=np.asarray(accounts, dtype=np.int64),
    )


def wants_log(values: FloatArray | IntArray) -> bool:
    """Return whether the positive values span more than three decades."""
    positive = values[values > 0]
    return bool(len(positive)) and float(positive.max()) > LOG_SPAN * float(positive.min())


def figure(
    liquidations: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw the notional per generation, stacked by venue, above the accounts broken in it.

    On a logarithmic scale, taken when the totals span more than three decades, parts of a bar
    cannot be compared by length: there the bar is the total and venues are markers.

    Parameters
    ----------
    liquidations : pandas.DataFrame
        Recorded table `liquidations`.
    context : RunContext or None
        Venues and currency of the run.
    ax : Axes, sequence of Axes or None
        Two Axes; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.
    """
    context = context or RunContext()
    data = rounds(liquidations, context)
    with house_style():
        if not len(data.first):
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], NOTHING if not len(liquidations) else NOT_TO_THE_MARKET)
            return drawn
        drawn, axes = panels(ax, 2, height=4.0, ratios=[1.7, 1.0])
        told = [name for name in data.venues if name != OTHER]
        look = looks(context.venues_of(liquidations), told)
        _draw_notional(axes[0], data, [look[name] for name in data.venues])
        money_axis(axes[0], "notional", context.currency)
        axes[0].set_title("Liquidated to the market", loc="left", fontweight="bold", pad=4.0)
        _draw_accounts(axes[1], data)
        generation_axis(axes, data.first, data.width)
        drawn.align_ylabels(axes)
        legend(drawn, axes, _handles(data, look), own=ax is None)
    return drawn


def _draw_notional(ax: Axes, data: Rounds, look: list[Look]) -> None:
    left = np.asarray(data.first - 0.4 * data.width, dtype=np.float64)
    total = data.notional.sum(axis=0)
    if not wants_log(total):
        stacked_bars(ax, left, 0.8 * data.width, data.notional, look)
        return
    shown = total > 0.0
    ax.bar(left[shown], total[shown], 0.8 * data.width, align="edge", color="#e4e4e4",
           edgecolor="#9a9a9a", linewidth=0.4, zorder=1.5)  # fmt: skip
    for row, chosen in zip(data.notional, look, strict=True):
        ax.plot(data.first[row > 0.0], row[row > 0.0], color=chosen.colour, linestyle="none",
                marker=chosen.marker or ".", zorder=2.5)  # fmt: skip
    ax.set_yscale("log")


def _handles(data: Rounds, look: dict[str, Look]) -> list[Artist]:
    if not wants_log(data.notional.sum(axis=0)):
        return [swatch(name, look[name]) for name in data.venues]
    markers = [
        Line2D([], [], color=look[name].colour, linestyle="none", marker=look[name].marker or ".")
        for name in data.venues
    ]
    for name, marker in zip(data.venues, markers, strict=True):
        marker.set_label(name)
    return [*markers, Patch(facecolor="#e4e4e4", edgecolor="#9a9a9a", label="all venues")]


def _draw_accounts(ax: Axes, data: Rounds) -> None:
    shown = data.accounts > 0 if wants_log(data.accounts) else np.ones(len(data.first), dtype=bool)
    ax.plot(data.first[shown], data.accounts[shown], color="#222222", marker="o",
            markersize=3.0 if len(data.first) <= 30 else 2.0)  # fmt: skip
    if wants_log(data.accounts):
        ax.set_yscale("log")
    else:
        ax.set_ylim(bottom=0.0)
        ax.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    money_axis(ax, "accounts", "1")


def generation_axis(
    axes: Sequence[Axes], first: IntArray, width: int, label: str = "generation [1]"
) -> None:
    """Set the axis of generations, of which the shock itself breaks number 0.

    Parameters
    ----------
    axes : sequence of Axes
        Panels above each other; the lowest is labelled.
    first : (G,) int64
        First generation of each bar.
    width : int
        Generations per bar.
    label : str
        Label of the axis, with its unit.
    """
    few = len(first) < MIN_BARS
    pad = width * max(0.7, (MIN_BARS - len(first)) / 2)
    for place, ax in enumerate(axes):
        ax.set_xlim(-pad, float(first[-1]) + pad)
        each = FixedLocator([float(number) for number in first])
        ax.xaxis.set_major_locator(each if few else MaxNLocator(12, integer=True, steps=_STEPS))
        ax.xaxis.set_major_formatter("{x:.0f}")
        ax.grid(visible=False, axis="x")
        ax.tick_params(axis="x", labelbottom=place == len(axes) - 1)
    bins = "" if width == 1 else f", {width} per bar, named by the first"
    axes[-1].set_xlabel(f"{label}{bins}")
