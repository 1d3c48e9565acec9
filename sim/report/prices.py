"""Figure: last and mark price of every venue, one panel per base asset, with the shocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sim.core.arrays import FloatArray
from sim.report.context import RunContext
from sim.report.drawing import finish_time, grid_columns, legend, line, panel_width, thin, title
from sim.report.shocks import ShockMark, draw_shocks
from sim.report.style import MAX_ENTRIES, OTHER, Look, entries, house_style, looks, panels, sentence
from sim.report.units import money_unit, price_axis

MAX_PANELS = 9
_COMPARABLE = 3.0  # listings of one base whose initial prices differ by more are normalised


@dataclass(frozen=True)
class PriceLine:
    """Recorded prices of one market.

    Parameters
    ----------
    label : str
        Venue, with the kind of contract where a venue lists several of one base.
    venue : str
        Venue.
    quote : str
        Quote asset.
    time : (T,) float64 [s]
    last, mark : (T,) float64 [quote/base], or [1] where normalised
    """

    label: str
    venue: str
    quote: str
    time: FloatArray
    last: FloatArray
    mark: FloatArray


@dataclass(frozen=True)
class PricePanel:
    """Lines of one base asset and the unit they share (``1`` where normalised)."""

    base: str
    unit: str
    lines: tuple[PriceLine, ...]


def price_panels(prices: pd.DataFrame, context: RunContext) -> list[PricePanel]:
    """Return a panel per base asset in order of first appearance.

    Where the quotes of a base differ, or its initial prices by more than a factor of three, its
    lines are divided by their first recorded last price.
    """
    by_base: dict[str, list[tuple[str, PriceLine]]] = {}
    for (venue, symbol), rows in prices.groupby(["venue", "symbol"], sort=False):
        listing = context.listing(str(venue), str(symbol))
        found = PriceLine(
            label=str(venue),
            venue=str(venue),
            quote=listing.quote,
            time=rows["time"].to_numpy(dtype=np.float64),
            last=rows["last_price"].to_numpy(dtype=np.float64),
            mark=rows["mark_price"].to_numpy(dtype=np.float64),
        )
        by_base.setdefault(listing.base, []).append((str(symbol), found))
    return [_panel(base, _labelled(base, found)) for base, found in by_base.items()]


def _labelled(base: str, found: list[tuple[str, PriceLine]]) -> list[PriceLine]:
    """Tell several markets of one venue and base apart by their symbols."""
    venues = [item.venue for _, item in found]
    return [
        item
        if venues.count(item.venue) == 1
        else PriceLine(
            f"{item.venue} {symbol.removeprefix(base).strip('-_/')}".strip(),
            item.venue, item.quote, item.time, item.last, item.mark,
        )
        for symbol, item in found
    ]  # fmt: skip


def _panel(base: str, lines: list[PriceLine]) -> PricePanel:
    unit = money_unit(item.quote for item in lines)
    first = [item.last[0] for item in lines if len(item.last)]
    alike = min(first) > 0.0 and max(first) <= _COMPARABLE * min(first)
    if alike and (unit != "quote" or len({item.quote for item in lines}) == 1):
        return PricePanel(base, f"{unit}/{base}", tuple(lines))
    scaled = [
        PriceLine(i.label, i.venue, i.quote, i.time, i.last / i.last[0], i.mark / i.last[0])
        for i in lines
    ]
    return PricePanel(base, "1", tuple(scaled))


def figure(
    prices: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw last (solid) and mark (dashed) prices by venue, a panel per base asset.

    Parameters
    ----------
    prices : pandas.DataFrame
        Recorded table `prices`.
    context : RunContext or None
        Clock, venues and shocks of the run.
    ax : Axes, sequence of Axes or None
        One Axes per base asset (at most nine); None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.
    """
    context = context or RunContext(last=float(prices["time"].max()) if len(prices) else 0.0)
    every = price_panels(prices, context)
    shown = _most_moved(every)
    with house_style():
        if not shown:
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], "No prices were recorded in this run")
            return drawn
        columns = grid_columns(len(shown))
        rows = -(-len(shown) // columns)
        height = 3.1 if rows == 1 else 0.7 + 2.05 * rows
        drawn, axes = panels(ax, rows, columns, height=height)
        for spare in axes[len(shown) :]:
            spare.remove()
        axes = axes[: len(shown)]
        labels = _labels(shown, context)
        look = looks(labels, entries(labels, MAX_ENTRIES - 2))
        marked = [_marks_of(panel.base, context) for panel in shown]
        for axis, panel in zip(axes, shown, strict=True):
            _draw(axis, panel, look, labels)
            title(axis, panel.base, above=any(marked))
        finish_time(axes, context.axis, columns)
        for axis, marks in zip(axes, marked, strict=True):
            draw_shocks(axis, marks, panel_width(axis, columns, own=ax is None))
        handles = _handles(labels, look, context.axis.single)
        left = len(every) - len(shown)
        remark = f"{left} more assets moved less and are not drawn" if left else None
        legend(drawn, axes, handles, own=ax is None, remark=remark)
    return drawn


def _most_moved(every: list[PricePanel]) -> list[PricePanel]:
    """Return the panels that fit, those with the widest range of prices, in their order."""

    def reach(panel: PricePanel) -> float:
        return max(float(item.last.max() / max(item.last.min(), 1e-300)) for item in panel.lines)

    kept = sorted(every, key=reach, reverse=True)[:MAX_PANELS]
    return [panel for panel in every if any(panel is one for one in kept)]


def _labels(shown: list[PricePanel], context: RunContext) -> list[str]:
    """Return every line's label, venues in the scenario's order first."""
    found = dict.fromkeys(item.label for panel in shown for item in panel.lines)
    first = [venue for venue in context.venues if venue in found]
    return list(dict.fromkeys([*first, *found]))


def _marks_of(base: str, context: RunContext) -> list[ShockMark]:
    return [mark for mark in context.shocks if mark.asset in (None, base)]


def _draw(ax: Axes, panel: PricePanel, look: dict[str, Look], labels: list[str]) -> None:
    """Draw the lines of one panel; the first labels lie on top."""
    for item in reversed(panel.lines):
        place, of = labels.index(item.label), len(labels)
        depth = 3.0 - place / max(of, 1)
        chosen = look[item.label]
        line(ax, *thin(item.time, item.last), chosen, place, of, zorder=depth)
        plain = Look(chosen.colour, "" if len(item.time) > 1 else chosen.marker, "")
        line(ax, *thin(item.time, item.mark), plain, place, of, linestyle=(0, (3, 1.5)),
             linewidth=0.7, zorder=depth - 1.0, markerfacecolor="none", markersize=6.5)  # fmt: skip
    values = np.concatenate([np.concatenate([item.last, item.mark]) for item in panel.lines])
    low, high = float(values.min()), float(values.max())
    if panel.unit == "1":
        price_axis(ax, low, high, "1", "price over initial price")
    else:
        price_axis(ax, low, high, panel.unit)


def _handles(labels: list[str], look: dict[str, Look], single: bool) -> list[Artist]:
    """Return the legend: venues, then what marks last and mark price."""
    told = entries(labels, MAX_ENTRIES - 2)
    names = told if len(told) == len(labels) else [*told, OTHER]
    venues = [
        Line2D([], [], color=look[name].colour, marker=look[name].marker, label=name)
        for name in names
    ]
    dashes: Any = (0, (3, 1.5))
    last = Line2D([], [], color="#222222", label="last price")
    mark = Line2D([], [], color="#222222", label="mark price", linestyle=dashes, linewidth=0.7)
    if single:
        last.set(linestyle="none", marker="o")
        mark.set(linestyle="none", marker="o", markerfacecolor="none")
    return [*venues, last, mark]
