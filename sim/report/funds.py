"""Figure: how equity of the accounts and insurance fund of every venue changed over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sim.core.arrays import FloatArray
from sim.report.context import RunContext
from sim.report.drawing import finish_time, legend, line, panel_width, thin
from sim.report.heads import draw_heads
from sim.report.style import OTHER, Look, entries, house_style, looks, panels, sentence
from sim.report.units import money, money_axis

Series = dict[str, tuple[FloatArray, FloatArray]]
_TITLES = {
    "equity": "Equity of the accounts, change since the start",
    "insurance_fund": "Insurance fund, change since the start",
}


def series(venues: pd.DataFrame, context: RunContext, column: str) -> Series:
    """Return time [s] and amount [quote] by venue, in the scenario's order."""
    found = {}
    for name in context.venues_of(venues):
        rows = venues[venues["venue"] == name]
        if len(rows):
            found[name] = (
                rows["time"].to_numpy(dtype=np.float64),
                rows[column].to_numpy(dtype=np.float64),
            )
    return found


def funds_of(venues: pd.DataFrame, context: RunContext) -> Series:
    """Return the insurance funds as `series` does, of venues that ever had one."""
    every = series(venues, context, "insurance_fund")
    return {name: line for name, line in every.items() if line[1].any()}


def figure(
    venues: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw the change of equity and of the insurance fund by venue; the legend says from what.

    Parameters
    ----------
    venues : pandas.DataFrame
        Recorded table `venues`.
    context : RunContext or None
        Clock, venues and shocks of the run.
    ax : Axes, sequence of Axes or None
        Two Axes, one where no venue has a fund; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.
    """
    context = context or RunContext(last=float(venues["time"].max()) if len(venues) else 0.0)
    with house_style():
        if venues.empty:
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], "No venue was recorded in this run")
            return drawn
        equity, funds = series(venues, context, "equity"), funds_of(venues, context)
        shown = {"equity": equity} | ({"insurance_fund": funds} if funds else {})
        drawn, axes = panels(ax, len(shown), height=0.8 + 1.8 * len(shown))
        names = list(equity)
        look = looks(context.venues_of(venues))
        for axis, lines in zip(axes, shown.values(), strict=True):
            _draw(axis, lines, look, names)
            money_axis(axis, "change", context.currency)
        finish_time(axes, context.axis)
        width = panel_width(axes[0], 1, own=ax is None)
        for place, (axis, column) in enumerate(zip(axes, shown, strict=True)):
            draw_heads([axis], [_TITLES[column]], [context.shocks], width, labels=place == 0)
        remark = "in brackets: equity and insurance fund at the start"
        if not funds:
            remark = "in brackets: equity at the start; no venue has an insurance fund"
        drawn.align_ylabels(axes)
        legend(drawn, axes, _handles(equity, funds, look, context), ax is None, remark)
    return drawn


def _draw(ax: Axes, lines: Series, look: dict[str, Look], names: Sequence[str]) -> None:
    """Draw one line per venue, from zero."""
    ax.axhline(0.0, color="#222222", linewidth=0.5, zorder=1.0)
    for name, (time, amount) in lines.items():
        change = amount - amount[0]
        line(ax, *thin(time, change), look[name], names.index(name), len(names))
    if all((amount == amount[0]).all() for _, amount in lines.values()):
        ax.set_ylim(-1.0, 1.0)
        ax.set_yticks([0.0])


def _handles(
    equity: Series, funds: Series, look: dict[str, Look], context: RunContext
) -> list[Artist]:
    """Return the legend: each venue with what it had at the start."""
    told = entries(list(equity))
    unit = "" if context.currency == "quote" else context.currency
    handles: list[Artist] = []
    for name in told:
        parts = [money(float(equity[name][1][0]), unit)]
        if funds:
            parts.append(money(float(funds[name][1][0]), unit) if name in funds else "no fund")
        text = f"{name} ({', '.join(parts)})".replace("$", r"\$")
        handles.append(_handle(text, look[name]))
    return handles if len(told) == len(equity) else [*handles, _handle(OTHER, look[OTHER])]


def _handle(text: str, look: Look) -> Line2D:
    return Line2D([], [], color=look.colour, marker=look.marker, label=text)
