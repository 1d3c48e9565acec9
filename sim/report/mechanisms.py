"""Figure: what the mechanisms of venues did: funding, margins, backstops, auctions, halts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from sim.core.arrays import FloatArray
from sim.core.series import CATALOGUE
from sim.report.context import RunContext
from sim.report.drawing import finish_time, grid_columns, legend, line, panel_width, thin
from sim.report.heads import draw_heads
from sim.report.style import MAX_ENTRIES, OTHER, Look, entries, house_style, looks, panels, sentence
from sim.report.units import money_axis, price_axis

MAX_PANELS = 9

PRICES = ("quote/base",)
STEPS = ("flag", "count", "contracts", "quote/base")
"""Units of what stays until it changes, and is drawn in steps."""


@dataclass(frozen=True, slots=True)
class Track:
    """One series of one venue or market."""

    label: str
    time: FloatArray
    value: FloatArray

    @property
    def moves(self) -> bool:
        """Whether it ever changes."""
        return bool((self.value != self.value[0]).any())


def tracks(mechanisms: pd.DataFrame) -> dict[str, list[Track]]:
    """Return the recorded tracks by series, in the order of the table.

    A track is named by its venue, and by its market too where a venue shows several and a legend
    has room for all. Series that stand still throughout are left out, unless all do.
    """
    found: dict[str, list[Track]] = {}
    markets = mechanisms[mechanisms["symbol"] != ""].groupby("venue")["symbol"].nunique()
    few = len(mechanisms[["venue", "symbol"]].drop_duplicates()) <= MAX_ENTRIES
    several = set(markets.index[markets > 1]) if few else set()
    keys = ["series", "venue", "symbol"]
    for (series, venue, symbol), rows in mechanisms.groupby(keys, sort=False):
        value = rows["value"].to_numpy(dtype=np.float64)
        label = f"{venue} {symbol}".strip() if venue in several else str(venue)
        track = Track(label, rows["time"].to_numpy(dtype=np.float64), value)
        found.setdefault(str(series), []).append(track)
    moving = {name: some for name, some in found.items() if any(one.moves for one in some)}
    return moving or found


def figure(
    mechanisms: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw every series that a mechanism recorded, a panel each, a line per venue or market.

    Parameters
    ----------
    mechanisms : pandas.DataFrame
        Recorded table `mechanisms`.
    context : RunContext or None
        Clock, venues and shocks of the run.
    ax : Axes, sequence of Axes or None
        One Axes per series (at most nine); None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.
    """
    last = float(mechanisms["time"].max()) if len(mechanisms) else 0.0
    context = context or RunContext(last=last)
    every = tracks(mechanisms)
    shown = dict(list(every.items())[:MAX_PANELS])
    with house_style():
        if not shown:
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], "No venue of this run has a mechanism beside margin and liquidation")
            return drawn
        columns = min(grid_columns(len(shown)), 2)
        rows = -(-len(shown) // columns)
        drawn, axes = panels(ax, rows, columns, height=0.9 + 1.75 * rows)
        for spare in axes[len(shown) :]:
            spare.remove()
        axes = axes[: len(shown)]
        labels = list(dict.fromkeys(one.label for some in shown.values() for one in some))
        venues = context.venues_of(mechanisms)
        look = looks(venues if set(labels) <= set(venues) else labels, entries(labels))
        for axis, (name, some) in zip(axes, shown.items(), strict=True):
            _draw(axis, name, some, look, labels, context.currency)
        finish_time(axes, context.axis, columns)
        titles = [name.replace("_", " ") for name in shown]
        width = panel_width(axes[0], columns, own=ax is None)
        draw_heads(axes, titles, [context.shocks] * len(axes), width)
        left = len(every) - len(shown)
        remark = f"{left} more series are in the table" if left else None
        legend(drawn, axes, _handles(labels, look), ax is None, remark)
    return drawn


def _draw(
    ax: Axes,
    name: str,
    some: list[Track],
    look: dict[str, Look],
    labels: list[str],
    currency: str,
) -> None:
    """Draw the lines of one series and label its axis by its unit."""
    unit = CATALOGUE[name].unit if name in CATALOGUE else "count"
    stepped = "steps-post" if unit in STEPS else "default"
    for one in reversed(some):
        place = labels.index(one.label)
        time, value = thin(one.time, one.value)
        line(ax, time, value, look[one.label], place, len(labels), drawstyle=stepped)
    values = np.concatenate([one.value for one in some])
    values = values[np.isfinite(values)]
    if unit in ("numeraire", "quote"):
        money_axis(ax, "amount", currency)
    elif unit in PRICES and len(values) and values.min() > 0.0:
        price_axis(ax, float(values.min()), float(values.max()), "quote")
    elif unit == "flag":
        ax.set_ylim(-0.1, 1.4)
        ax.set_yticks([0.0, 1.0], ["no", "yes"])
    elif unit in ("1", "1/sqrt(year)") and not name.endswith("multiplier"):
        ax.yaxis.set_major_formatter(PercentFormatter(xmax=1.0))
        ax.set_ylabel("a year" if unit == "1/sqrt(year)" else "share")
    else:
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.6g}"))
        ax.set_ylabel("1" if name.endswith("multiplier") else unit)


def _handles(labels: list[str], look: dict[str, Look]) -> list[Artist]:
    told = entries(labels)
    handles: list[Artist] = [
        Line2D([], [], color=look[name].colour, marker=look[name].marker, label=name)
        for name in told
    ]
    if len(told) < len(labels):
        handles.append(Line2D([], [], color=look[OTHER].colour, label=OTHER))
    return handles
