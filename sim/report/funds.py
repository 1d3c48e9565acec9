"""Figure: equity of the traders and insurance fund of every venue over time."""

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
from sim.report.drawing import finish_time, legend, line, note, panel_width, thin, title
from sim.report.generations import LOG_SPAN
from sim.report.shocks import draw_shocks
from sim.report.style import OTHER, Look, entries, house_style, looks, panels, sentence
from sim.report.units import money_axis

Series = dict[str, tuple[FloatArray, FloatArray]]
_PANELS = {"equity": "Equity of the accounts", "insurance_fund": "Insurance fund"}


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


def figure(
    venues: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw the equity and the insurance fund by venue.

    An axis is logarithmic where every amount is positive and they span over three decades.

    Parameters
    ----------
    venues : pandas.DataFrame
        Recorded table `venues`.
    context : RunContext or None
        Clock, venues and shocks of the run.
    ax : Axes, sequence of Axes or None
        Two Axes; None for a new figure.

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
        drawn, axes = panels(ax, 2, height=4.4)
        look = looks(context.venues_of(venues))
        for place, (axis, column) in enumerate(zip(axes, _PANELS, strict=True)):
            _draw(axis, series(venues, context, column), look)
            if not (column == "insurance_fund" and not venues[column].any()):
                money_axis(axis, column.replace("_", " "), context.currency)
            title(axis, _PANELS[column], above=place == 0 and bool(context.shocks))
        finish_time(axes, context.axis)
        for place, axis in enumerate(axes):
            width = panel_width(axis, 1, own=ax is None)
            draw_shocks(axis, context.shocks, width, labels=place == 0)
        legend(drawn, axes, _handles(context.venues_of(venues), look), own=ax is None)
    return drawn


def _draw(ax: Axes, lines: Series, look: dict[str, Look]) -> None:
    values = np.concatenate([amount for _, amount in lines.values()])
    if not values.any():
        note(ax, "none in this run")
        return
    for place, (name, (time, amount)) in enumerate(lines.items()):
        line(ax, *thin(time, amount), look[name], place, len(lines))
    if values.min() > 0.0 and values.max() > LOG_SPAN * values.min():
        ax.set_yscale("log")
    elif values.min() >= 0.0:
        ax.set_ylim(0.0, 1.07 * float(values.max()))


def _handles(names: Sequence[str], look: dict[str, Look]) -> list[Artist]:
    told = entries(names)
    shown = told if len(told) == len(names) else [*told, OTHER]
    return [Line2D([], [], color=look[n].colour, marker=look[n].marker, label=n) for n in shown]
