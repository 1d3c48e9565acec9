"""Figure: forced notional over time by venue: to the market, to a backstop, by ADL, apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.core.arrays import FloatArray, IntArray
from sim.report.context import RunContext
from sim.report.drawing import finish_time, legend, panel_width, stacked_bars, swatch
from sim.report.heads import draw_heads
from sim.report.style import MAX_ENTRIES, OTHER, Look, house_style, looks, panels, sentence
from sim.report.units import money, money_axis

MAX_BINS = 120
NOTHING = "No forced trades in this run"
NOT_TO_THE_MARKET = "Nothing was liquidated to the market in this run"
_TITLES = {
    "market": "Liquidated to the market",
    "backstop": "Taken over by a backstop",
    "auction": "Sold in auctions",
    "adl": "Closed by auto-deleveraging",
}
_NOTHING = {
    "market": "liquidated to the market",
    "backstop": "taken over by a backstop",
    "adl": "closed by auto-deleveraging",
}


@dataclass(frozen=True)
class Binned:
    """Notional by venue in equal bins of time.

    Parameters
    ----------
    left : (B,) float64 [s]
        Begin of each bin.
    width : float [s]
        Width of a bin.
    venues : tuple of str
        Rows of the arrays in `notional`.
    notional : dict of str to (V, B) float64 [quote]
        By kind of forced trade.
    """

    left: FloatArray
    width: float
    venues: tuple[str, ...]
    notional: dict[str, FloatArray]


def binned(liquidations: pd.DataFrame, context: RunContext, bins: int = MAX_BINS) -> Binned:
    """Sum the forced notional by kind and venue of the market in at most `bins` bins.

    ADL is recorded on both sides of a trade; each contract counts once here. Venues beyond the
    seventh largest are summed as "other".
    """
    ticks = max(1, round(context.last / context.tick) + 1)
    per_bin = -(-ticks // bins)
    count = -(-ticks // per_bin)
    rows = liquidations[liquidations["kind"].isin(_TITLES)]
    venues, code = top_names(rows, context, "venue")
    place = np.clip(rows["tick"].to_numpy(dtype=np.int64) // per_bin, 0, count - 1)
    amount = rows["notional"].to_numpy(dtype=np.float64)
    kinds = [kind for kind in _TITLES if kind in _NOTHING or (rows["kind"] == kind).any()]
    notional = {}
    for kind in kinds:
        mine = (rows["kind"] == kind).to_numpy(dtype=np.bool_)
        cell = code[mine] * count + place[mine]
        total = np.bincount(cell, weights=amount[mine], minlength=len(venues) * count)
        share = 0.5 if kind == "adl" else 1.0
        cells = np.asarray(total, dtype=np.float64).reshape(len(venues), count)
        notional[kind] = share * cells
    left = np.arange(count, dtype=np.float64) * (per_bin * context.tick)
    return Binned(left, per_bin * context.tick, tuple(venues), notional)


def top_names(rows: pd.DataFrame, context: RunContext, column: str) -> tuple[list[str], IntArray]:
    """Return the venues to show, at most eight with "other", and the place of each row's venue."""
    names = [n for n in context.venues_of(rows) if (rows[column] == n).any()]
    if len(names) > MAX_ENTRIES:
        size = rows.groupby(column)["notional"].sum().sort_values(ascending=False, kind="stable")
        kept = {str(name) for name in size.index[: MAX_ENTRIES - 1]}
        names = [*(name for name in names if name in kept), OTHER]
    place = {name: i for i, name in enumerate(names)}
    code = rows[column].map(lambda name: place.get(str(name), len(names) - 1))
    return names, code.to_numpy(dtype=np.int64)


def figure(
    liquidations: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw forced notional per bin of time, stacked by venue, a panel per kind of trade.

    A kind that did not happen has no panel; a remark below says so.

    Parameters
    ----------
    liquidations : pandas.DataFrame
        Recorded table `liquidations`.
    context : RunContext or None
        Clock, venues and shocks of the run.
    ax : Axes, sequence of Axes or None
        One Axes per kind that happened (of market, backstop, auction, ADL); None for a new
        figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.
    """
    last = float(liquidations["time"].max()) if len(liquidations) else 0.0
    context = context or RunContext(last=last)
    data = binned(liquidations, context)
    totals = {kind: float(values.sum()) for kind, values in data.notional.items()}
    shown = {kind: total for kind, total in totals.items() if total > 0.0}
    with house_style():
        if not shown:
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], NOTHING)
            return drawn
        height = 1.0 + 1.6 * max(len(shown), 1.3)
        drawn, axes = panels(ax, len(shown), height=height)
        told = [name for name in data.venues if name != OTHER]
        look = looks(context.venues_of(liquidations), told)
        for axis, kind in zip(axes, shown, strict=True):
            _draw(axis, data, kind, context, [look[name] for name in data.venues])
        finish_time(axes, context.axis)
        width = panel_width(axes[0], 1, own=ax is None)
        for place, (axis, (kind, total)) in enumerate(zip(axes, shown.items(), strict=True)):
            text = _title(kind, total, context)
            draw_heads([axis], [text], [context.shocks], width, labels=place == 0)
        missing = [text for kind, text in _NOTHING.items() if kind not in shown]
        remark = f"nothing was {' or '.join(missing)} in this run" if missing else None
        handles = [swatch(name, look[name]) for name in data.venues]
        drawn.align_ylabels(axes)
        legend(drawn, axes, handles, own=ax is None, remark=remark)
    return drawn


def _title(kind: str, total: float, context: RunContext) -> str:
    currency = "" if context.currency == "quote" else context.currency
    return f"{_TITLES[kind]}: {money(total, currency)}".replace("$", r"\$")


def _draw(ax: Axes, data: Binned, kind: str, context: RunContext, look: list[Look]) -> None:
    """Draw the panel of one kind."""
    single = len(data.left) == 1
    left = data.left - 0.1 if single else data.left
    stacked_bars(ax, left, 0.2 if single else data.width, data.notional[kind], look)
    label = "notional" if single else f"notional per {_duration(data.width)}"
    money_axis(ax, label, context.currency)


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size and (seconds / size).is_integer():
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
