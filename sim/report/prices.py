"""Figure: last and mark price of every venue, one panel per base asset, and how venues part."""

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

from sim.core.arrays import BoolArray, FloatArray
from sim.report.context import RunContext
from sim.report.drawing import finish_time, grid_columns, legend, line, panel_width, thin
from sim.report.heads import draw_heads
from sim.report.shocks import ShockMark
from sim.report.spread import Spread, draw_spread, spread
from sim.report.style import MAX_ENTRIES, OTHER, Look, entries, house_style, looks, panels, sentence
from sim.report.units import money_unit, price_axis

MAX_PANELS = 9
MARK_OFF = 1e-3  # a mark that never differs from last by more than this share is not drawn
_DASHES: Any = (0, (3, 1.5))
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

    @property
    def marked(self) -> BoolArray:
        """Where (T,) the mark price differs from last by more than 0.1 %, and one point around."""
        off = np.abs(self.mark - self.last) > MARK_OFF * np.abs(self.last)
        wide = off.copy()
        wide[1:] |= off[:-1]
        wide[:-1] |= off[1:]
        return wide


@dataclass(frozen=True)
class PricePanel:
    """Lines of one base asset and the unit they share (``1`` where normalised)."""

    base: str
    unit: str
    lines: tuple[PriceLine, ...]

    @property
    def reach(self) -> float:
        """Widest highest over lowest last price of a line [1]."""
        return max(float(i.last.max() / max(i.last.min(), 1e-300)) for i in self.lines)


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

    A new figure also shows, where venues part by more than ten basis points, the spreads of the
    most-moved asset listed more than once.

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
        parted = widest_spread(shown) if ax is None else None
        height = (3.1 if rows == 1 else 0.7 + 2.05 * rows) + (1.3 if parted else 0.0)
        below = (0.6 if rows > 1 else 0.5) if parted else None
        drawn, axes = panels(ax, rows, columns, height=height, below=below)
        for spare in axes[len(shown) : rows * columns]:
            spare.remove()
        labels = _labels(shown, context)
        look = looks(labels, entries(labels, MAX_ENTRIES - 2))
        _draw_panels(axes[: len(shown)], shown, context, look, ax is None)
        if parted:
            _draw_below(axes[-1], parted, context, look, labels)
            for axis in axes[: len(shown)]:
                axis.set_xlabel("")
        handles = _handles(shown, labels, look, context.axis.single)
        remark = _remark(shown, len(every) - len(shown))
        legend(drawn, axes, handles, own=ax is None, remark=remark)
    return drawn


def _remark(shown: Sequence[PricePanel], left: int) -> str | None:
    """Return what the figure leaves out: marks that equal last, assets that moved less."""
    parts = []
    if not any(item.marked.any() for panel in shown for item in panel.lines):
        parts.append("mark = last within 0.1 %")
    if left:
        parts.append(f"{left} more assets moved less and are not drawn")
    return "; ".join(parts) or None


def _draw_panels(
    axes: Sequence[Axes],
    shown: Sequence[PricePanel],
    context: RunContext,
    look: dict[str, Look],
    own: bool,
) -> None:
    """Draw the panels of prices with their heads."""
    labels = _labels(shown, context)
    columns = grid_columns(len(shown))
    for axis, panel in zip(axes, shown, strict=True):
        _draw(axis, panel, look, labels)
    finish_time(axes, context.axis, columns)
    marked = [_marks_of(panel.base, context) for panel in shown]
    titles = [panel.base for panel in shown]
    draw_heads(axes, titles, marked, panel_width(axes[0], columns, own))


def _draw_below(
    ax: Axes, data: Spread, context: RunContext, look: dict[str, Look], labels: Sequence[str]
) -> None:
    """Draw the panel of spreads with its head."""
    draw_spread(ax, data, look, labels)
    finish_time([ax], context.axis)
    text = f"{data.base}: last price against the mean of its markets"
    marks = [_marks_of(data.base, context)]
    draw_heads([ax], [text], marks, panel_width(ax, 1, own=True), labels=False)


def widest_spread(shown: Sequence[PricePanel]) -> Spread | None:
    """Return the spreads of the asset that moved furthest among those whose markets part."""
    for panel in sorted(shown, key=lambda panel: panel.reach, reverse=True):
        if panel.unit != "1":
            lines = panel.lines
            found = spread(
                panel.base, [i.label for i in lines], [i.time for i in lines],
                [i.last for i in lines],
            )  # fmt: skip
            if found is not None:
                return found
    return None


def _most_moved(every: list[PricePanel]) -> list[PricePanel]:
    """Return the panels that fit, those with the widest range of prices, in their order."""
    kept = sorted(every, key=lambda panel: panel.reach, reverse=True)[:MAX_PANELS]
    return [panel for panel in every if any(panel is one for one in kept)]


def _labels(shown: Sequence[PricePanel], context: RunContext) -> list[str]:
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
        marked = item.marked
        if marked.any():
            time, mark = thin(item.time, item.mark)
            mark = np.where(marked[np.searchsorted(item.time, time)], mark, np.nan)
            plain = Look(chosen.colour, "" if len(item.time) > 1 else chosen.marker, "")
            line(ax, time, mark, plain, place, of, linestyle=_DASHES, linewidth=0.7,
                 zorder=depth + 1.0, markerfacecolor="none", markersize=6.5)  # fmt: skip
    values = np.concatenate([np.concatenate([item.last, item.mark]) for item in panel.lines])
    low, high = float(values.min()), float(values.max())
    if panel.unit == "1":
        price_axis(ax, low, high, "1", "price over initial price")
    else:
        price_axis(ax, low, high, panel.unit)


def _handles(
    shown: Sequence[PricePanel], labels: list[str], look: dict[str, Look], single: bool
) -> list[Artist]:
    """Return the legend: venues, then what marks last and mark price."""
    told = entries(labels, MAX_ENTRIES - 2)
    names = told if len(told) == len(labels) else [*told, OTHER]
    venues: list[Artist] = [
        Line2D([], [], color=look[name].colour, marker=look[name].marker, label=name)
        for name in names
    ]
    lines = [item for panel in shown for item in panel.lines]
    marked = [item.marked for item in lines]
    if not any(off.any() for off in marked):
        return venues
    which = "" if all(off.all() for off in marked) else " (where over 0.1 % off)"
    last = Line2D([], [], color="#222222", label="last price")
    mark = Line2D([], [], color="#222222", label=f"mark price{which}", linestyle=_DASHES,
                  linewidth=0.7)  # fmt: skip
    if single:
        last.set(linestyle="none", marker="o")
        mark.set(linestyle="none", marker="o", markerfacecolor="none")
    return [*venues, last, mark]
