"""Figure: what a fall was made of: the path of one market by cause, and every market's trough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.core.arrays import FloatArray
from sim.report.cause_looks import LIQUIDATION, grouped, looks_of, ordered
from sim.report.causes import Stack, cause_handles, draw_stack, stack_of
from sim.report.context import RunContext
from sim.report.drawing import finish_time, legend, panel_width
from sim.report.heads import draw_heads
from sim.report.shocks import within
from sim.report.style import SMALL, TINY, Look, house_style, panels, sentence
from sim.report.units import TimeAxis, safe

MAX_MARKETS = 12
SMALL_SHARE = 0.01
NOTHING = "No price moved in this run"


@dataclass(frozen=True)
class Decomposition:
    """Moves of markets by cause, up to where each was farthest from its start.

    Parameters
    ----------
    markets : tuple of str
        ``venue/symbol``, that with the largest move first.
    causes : tuple of str
        Rows of `move`.
    move : (C, M) float64 [1, log price]
        From the start to the trough; the sum over causes is the whole move.
    path : Stack
        The first market over the time of the cascade.
    trough : float [s]
        When the first market was farthest from its start.
    """

    markets: tuple[str, ...]
    causes: tuple[str, ...]
    move: FloatArray
    path: Stack
    trough: float


def decomposition(
    price_causes: pd.DataFrame, context: RunContext, market: str | None = None
) -> Decomposition | None:
    """Return the moves of the (up to twelve) markets that moved most; None if none moved.

    Causes are grouped as ``sim.report.cause_looks.grouped`` says.

    Parameters
    ----------
    price_causes : pandas.DataFrame
        Recorded table.
    context : RunContext
        Clock of the run.
    market : str or None
        The market whose path is shown; None for that with the largest move.

    Raises
    ------
    ValueError
        If no row is of `market`.
    """
    names = price_causes["venue"].astype(str) + "/" + price_causes["symbol"].astype(str)
    if market is not None and not (names == market).any():
        known = ", ".join(sorted(names.unique()))
        raise ValueError(f"no price of {market!r} moved; markets that did: {known}")
    rows = price_causes.assign(market=names)
    total = rows.groupby(["market", "tick"])["price_move"].sum().groupby("market").cumsum()
    reach = total.abs().groupby("market").max()
    reach = reach[reach > 0.0].sort_values(ascending=False, kind="stable")
    if not len(reach):
        return None
    shown = [str(name) for name in reach.index[:MAX_MARKETS]]
    if market is not None:
        shown = [market, *(name for name in shown if name != market)][:MAX_MARKETS]
    at = {name: int(total[name].abs().idxmax()) for name in shown}
    rows = rows[rows["market"].isin(shown)]
    rows = rows.assign(cause=grouped(rows["cause"], rows["price_move"], SMALL_SHARE))
    causes = ordered([str(c) for c in rows.loc[rows["price_move"] != 0.0, "cause"].unique()])
    until = rows[rows["tick"] <= rows["market"].map(at)]
    table = until.groupby(["cause", "market"])["price_move"].sum().unstack()
    table = table.reindex(index=causes, columns=shown).fillna(0.0)
    first = rows[rows["market"] == shown[0]]
    path = stack_of(shown[0], first, causes, context.tick, _span(rows, at[shown[0]], context))
    trough = at[shown[0]] * context.tick
    return Decomposition(tuple(shown), tuple(causes), table.to_numpy(np.float64), path, trough)


def _span(rows: pd.DataFrame, trough: int, context: RunContext) -> tuple[int, int]:
    """Return the ticks to show: those with forced moves and the trough, and a tenth around."""
    forced = rows[rows["cause"].str.startswith(LIQUIDATION) & (rows["price_move"] != 0.0)]
    end = max(0, round(context.last / context.tick))
    if not len(forced):
        return 0, end
    low, high = min(int(forced["tick"].min()), trough), max(int(forced["tick"].max()), trough)
    pad = 5 + (high - low) // 10
    return max(0, low - pad), max(min(end, high + pad), low)


def figure(
    price_causes: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
    market: str | None = None,
) -> Figure:
    """Draw one market by cause over the cascade, above what made the trough of every market.

    Parameters
    ----------
    price_causes : pandas.DataFrame
        Recorded table `price_causes`.
    context : RunContext or None
        Clock, venues and shocks of the run.
    ax : Axes, sequence of Axes or None
        Two Axes; None for a new figure.
    market : str or None
        The market whose path is shown; None for that with the largest move.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.

    Raises
    ------
    ValueError
        If no row is of `market`.
    """
    last = float(price_causes["tick"].max()) if len(price_causes) else 0.0
    context = context or RunContext(last=last)
    data = decomposition(price_causes, context, market)
    with house_style():
        if data is None:
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], NOTHING)
            return drawn
        bars = 0.5 + 0.2 * len(data.markets)
        drawn, axes = panels(ax, 2, height=3.4 + bars, ratios=[2.3, bars], share=False)
        look = looks_of(data.causes, context)
        draw_stack(axes[0], data.path, [look[cause] for cause in data.causes])
        axes[0].set_ylabel("cumulative log move [1]")
        window = TimeAxis(float(data.path.time[0]), float(data.path.time[-1]), context.start)
        axes[0].plot([data.trough], [data.move[:, 0].sum()], marker="o", color="black",
                     markersize=4.0, markeredgecolor="white", zorder=4.0)  # fmt: skip
        finish_time(axes[:1], window)
        seen = within(context.shocks, *window.limits())
        title = f"{data.markets[0]} during the cascade"
        draw_heads(axes[:1], [safe(title)], [seen], panel_width(axes[0], 1, own=ax is None))
        _draw_bars(axes[1], data, [look[cause] for cause in data.causes])
        legend(drawn, axes, cause_handles(data.causes, look), own=ax is None)
    return drawn


def _draw_bars(ax: Axes, data: Decomposition, look: Sequence[Look]) -> None:
    """Draw a bar per market from zero to its trough, by cause, and write how far it fell."""
    place = np.arange(len(data.markets), dtype=np.float64)
    for part in (np.maximum(data.move, 0.0), np.minimum(data.move, 0.0)):
        base = np.zeros(len(data.markets))
        for row, chosen in zip(part, look, strict=True):
            if row.any():
                ax.barh(place, row, 0.72, left=base, color=chosen.colour,
                        hatch=chosen.hatch or None, edgecolor="white", linewidth=0.25)  # fmt: skip
            base = base + row
    total = data.move.sum(axis=0)
    low, high = np.minimum(data.move, 0.0).sum(axis=0), np.maximum(data.move, 0.0).sum(axis=0)
    ax.plot(total, place, linestyle="none", marker="o", color="black", markersize=3.0,
            markeredgecolor="white", markeredgewidth=0.4, zorder=3.0)  # fmt: skip
    reach = float(high.max() - low.min())
    ax.set_xlim(float(low.min()) - 0.12 * reach, float(high.max()) + 0.02 * reach)
    for y, move, edge in zip(place, total, low, strict=True):
        text = f"{100.0 * np.expm1(move):+.1f} %".replace("-", "\N{MINUS SIGN}")
        ax.annotate(text, (edge, y), (-3.0, 0.0), textcoords="offset points", ha="right",
                    va="center_baseline", fontsize=TINY)  # fmt: skip
    ax.axvline(0.0, color="#222222", linewidth=0.5, zorder=2.0)
    ax.set_yticks(place, [safe(name) for name in data.markets], fontsize=SMALL)
    ax.set_ylim(len(place) - 0.4, -0.6)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("log move from the start to the trough [1]; in per cent: the move of the price")
