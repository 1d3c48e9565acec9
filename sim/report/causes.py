"""Figure: what moved the price: booked causes of the most-moved markets, stacked over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import matplotlib.patheffects as effects
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sim.core.arrays import FloatArray
from sim.report.cause_looks import cause_text, grouped, looks_of, ordered
from sim.report.context import RunContext
from sim.report.drawing import finish_time, grid_columns, legend, panel_width, swatch
from sim.report.heads import draw_heads
from sim.report.shocks import ShockMark
from sim.report.style import Look, house_style, panels, sentence

MAX_MARKETS = 4
MAX_POINTS = 400


@dataclass(frozen=True)
class Stack:
    """Cumulative moves of one market by cause.

    Parameters
    ----------
    market : str
        ``venue/symbol``.
    time : (T,) float64 [s]
    causes : tuple of str
        Rows of `move`.
    move : (C, T) float64 [1, log price]
        Booked since the start; the sum over causes is the whole move of the market.
    """

    market: str
    time: FloatArray
    causes: tuple[str, ...]
    move: FloatArray


def stacks(price_causes: pd.DataFrame, context: RunContext) -> list[Stack]:
    """Return the cumulative moves by cause of the (up to four) markets that matter most.

    These are the markets with the largest forced sales and, where those are equal or unknown,
    with the largest absolute cumulative log move at the end of any tick. The first market of
    each base asset comes before a second one of any. Arbitrage from
    more than two venues is summed, as are trades of more than two behaviours; with still more
    than eight causes the smallest liquidations are summed, then the smallest of all. Causes that
    moved no market shown are left out.
    """
    if price_causes.empty:
        return []
    names = price_causes["venue"].astype(str) + "/" + price_causes["symbol"].astype(str)
    rows = price_causes.assign(market=names)
    per_tick = rows.groupby(["market", "tick"])["price_move"].sum()
    reach = per_tick.groupby("market").cumsum().abs().groupby("market").max()
    sold = np.array([-context.sold.get(str(market), 0.0) for market in reach.index])
    order_of = np.lexsort((-reach.to_numpy(), sold))
    chosen = _chosen(reach.index[order_of], context)
    rows = rows[rows["market"].isin(chosen)]
    rows = rows.assign(cause=grouped(rows["cause"], rows["price_move"]))
    moved = rows[rows["price_move"] != 0.0]
    order = ordered([str(cause) for cause in moved["cause"].unique()])
    span = (0, max(0, round(context.last / context.tick)))
    return [stack_of(m, rows[rows["market"] == m], order, context.tick, span) for m in chosen]


def _chosen(ranked: Iterable[str], context: RunContext) -> list[str]:
    """Return the markets to show, those of one base together, in the order of the scenario."""
    first: dict[str, str] = {}
    second = []
    for market in map(str, ranked):
        base = context.listing(*market.split("/", 1)).base
        if base in first:
            second.append(market)
        else:
            first[base] = market
    chosen = [*first.values(), *second][:MAX_MARKETS]
    declared = list(context.listings or {})
    bases = [context.listing(*market.split("/", 1)).base for market in declared]

    def place(market: str) -> tuple[int, int]:
        base = context.listing(*market.split("/", 1)).base
        return (
            bases.index(base) if base in bases else len(bases),
            declared.index(market) if market in declared else len(declared),
        )

    return sorted(chosen, key=place)


def stack_of(
    market: str, rows: pd.DataFrame, causes: Sequence[str], tick: float, span: tuple[int, int]
) -> Stack:
    """Return the cumulative moves of one market at up to 400 ticks from the first to the last.

    Parameters
    ----------
    market : str
        ``venue/symbol``.
    rows : pandas.DataFrame
        Its rows of the recorded table `price_causes`.
    causes : sequence of str
        Rows of the stack.
    tick : float
        Seconds per tick.
    span : (int, int)
        First and last tick.
    """
    first, last = span
    count = min(last - first + 1, MAX_POINTS)
    at = np.unique(np.linspace(first, last, count).round().astype(np.int64))
    move = np.zeros((len(causes), len(at)))
    for place, cause in enumerate(causes):
        mine = rows[rows["cause"] == cause].sort_values("tick", kind="stable")
        total = np.append(0.0, np.cumsum(mine["price_move"].to_numpy(dtype=np.float64)))
        move[place] = total[np.searchsorted(mine["tick"].to_numpy(np.int64), at, side="right")]
    return Stack(market, at.astype(np.float64) * tick, tuple(causes), move)


def figure(
    price_causes: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw the cumulative log move by cause, rises above and falls below zero, total on top.

    Parameters
    ----------
    price_causes : pandas.DataFrame
        Recorded table `price_causes`.
    context : RunContext or None
        Clock, venues and shocks of the run.
    ax : Axes, sequence of Axes or None
        One Axes per market shown (at most four); None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.
    """
    last = float(price_causes["tick"].max()) if len(price_causes) else 0.0
    context = context or RunContext(last=last)
    shown = stacks(price_causes, context)
    with house_style():
        if not shown:
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], "No price moved in this run")
            return drawn
        columns = grid_columns(len(shown))
        rows = -(-len(shown) // columns)
        drawn, axes = panels(ax, rows, columns, height=3.2 if rows == 1 else 5.2)
        for spare in axes[len(shown) :]:
            spare.remove()
        axes = axes[: len(shown)]
        look = looks_of(shown[0].causes, context)
        for place, (axis, stack) in enumerate(zip(axes, shown, strict=True)):
            draw_stack(axis, stack, [look[cause] for cause in stack.causes])
            axis.set_ylabel("cumulative log move [1]" if place % columns == 0 else "")
        low, high = zip(*(axis.get_ylim() for axis in axes), strict=True)
        for axis in axes:
            axis.set_ylim(min(low), max(high))
        finish_time(axes, context.axis, columns)
        marks = [_marks_of(stack.market, context) for stack in shown]
        width = panel_width(axes[0], columns, own=ax is None)
        draw_heads(axes, [stack.market for stack in shown], marks, width)
        legend(drawn, axes, cause_handles(shown[0].causes, look), own=ax is None)
    return drawn


def _marks_of(market: str, context: RunContext) -> list[ShockMark]:
    """Return the shocks that can have struck a market."""
    venue, symbol = market.split("/", 1)
    base = context.listing(venue, symbol).base
    return [
        mark
        for mark in context.shocks
        if mark.asset in (None, base)
        and mark.venue in (None, venue)
        and mark.symbol in (None, symbol)
    ]


def draw_stack(ax: Axes, stack: Stack, look: Sequence[Look]) -> None:
    """Stack rises upwards and falls downwards from zero, then draw the total.

    Parameters
    ----------
    ax : Axes
    stack : Stack
    look : sequence of Look
        Of each of its causes.
    """
    single = len(stack.time) == 1
    time = np.array([-0.15, 0.15]) if single else stack.time
    move = np.repeat(stack.move, 2, axis=1) if single else stack.move
    for part in (np.maximum(move, 0.0), np.minimum(move, 0.0)):
        base = np.zeros(len(time))
        for row, chosen in zip(part, look, strict=True):
            if row.any():
                ax.fill_between(time, base, base + row, step="post", facecolor=chosen.colour,
                                hatch=chosen.hatch or None, edgecolor="white", linewidth=0.0,
                                zorder=1.5)  # fmt: skip
            base = base + row
    total = move.sum(axis=0)
    halo = [effects.withStroke(linewidth=2.6, foreground="white")]
    ax.plot(time, total, color="black", linewidth=1.1, drawstyle="steps-post", zorder=3.0,
            path_effects=halo)  # fmt: skip
    ax.axhline(0.0, color="#222222", linewidth=0.5, zorder=2.0)


def cause_handles(causes: Sequence[str], look: dict[str, Look]) -> list[Artist]:
    """Return the legend of causes and of their total."""
    entries: list[Artist] = [swatch(cause_text(cause), look[cause]) for cause in causes]
    return [*entries, Line2D([], [], color="black", linewidth=1.1, label="total")]
