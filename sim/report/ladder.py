"""Figure: the liquidation ladder: what would be sold by force if prices moved, by venue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from sim.core.arrays import FloatArray
from sim.report.context import RunContext
from sim.report.drawing import legend, swatch
from sim.report.style import (
    MAX_ENTRIES,
    OTHER,
    SMALL,
    TINY,
    Look,
    entries,
    house_style,
    looks,
    panels,
    sentence,
)  # fmt: skip
from sim.report.units import amount, money_axis, safe

NOTHING = "No position would be closed by force within these moves"
COLUMNS = ("move", "clearer", "side", "notional")
BUY = "buy"
MAX_ROWS = 12
_HEAT = LinearSegmentedColormap.from_list(
    "heat", ["#ffffff", "#fbe3a2", "#ee9a3a", "#b3321f", "#3d0b16"]
)


@dataclass(frozen=True)
class Ladder:
    """What is closed by force once the price stands at a move.

    Parameters
    ----------
    move : (M,) float64 [1]
        Simple returns, rising.
    clearers : tuple of str
        Rows of `notional`, the largest first where there is no order of venues.
    notional : (V, M) float64 [numeraire]
        Cumulative from the present price, sales and purchases together.
    bought : (M,) float64 [numeraire]
        Purchases among it, of all venues.
    """

    move: FloatArray
    clearers: tuple[str, ...]
    notional: FloatArray
    bought: FloatArray

    @property
    def steps(self) -> FloatArray:
        """What (V, M - 1) each step away from the present price adds [numeraire], >= 0."""
        added = np.diff(self.notional, axis=1)
        away = np.where(self.move[1:] > 0.0, 1.0, -1.0)
        return np.asarray(np.maximum(added * away, 0.0), dtype=np.float64)


def ladder(frame: pd.DataFrame, context: RunContext) -> Ladder:
    """Return the ladder of a frame of ``State.liquidation_ladder``, summed over markets and sides.

    Raises
    ------
    ValueError
        If a column is missing, or a move or notional is not finite, or a notional negative.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing and len(frame):
        raise ValueError(f"the frame of the ladder lacks the columns {', '.join(missing)}")
    if not len(frame):
        return Ladder(np.zeros(0), (), np.zeros((0, 0)), np.zeros(0))
    numbers = frame[["move", "notional"]].to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all() or (numbers[:, 1] < 0.0).any():
        raise ValueError("the ladder must hold finite moves and notionals >= 0")
    clearer = frame["clearer"].astype(str)
    table = frame["notional"].groupby([clearer, frame["move"]]).sum().unstack().fillna(0.0)
    hit = set(table.index[(table > 0.0).any(axis=1)])
    names = [name for name in dict.fromkeys([*context.venues, *clearer]) if name in hit]
    if len(names) > MAX_ROWS:
        size = table.loc[names].max(axis=1).sort_values(ascending=False, kind="stable")
        kept = set(size.index[: MAX_ROWS - 1])
        table = table.groupby(lambda name: name if name in kept else OTHER).sum()
        names = [*(name for name in names if name in kept), OTHER]
    table = table.loc[names].sort_index(axis=1)
    buys = frame["notional"].where(frame["side"] == BUY, 0.0).groupby(frame["move"]).sum()
    return Ladder(
        table.columns.to_numpy(dtype=np.float64), tuple(names), table.to_numpy(dtype=np.float64),
        buys.to_numpy(dtype=np.float64),
    )  # fmt: skip


def figure(
    frame: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
    what: str = "",
) -> Figure:
    """Draw the cumulative ladder by venue above a heat map of where it thickens.

    Left of the present price longs are sold, right of it shorts are bought back.

    Parameters
    ----------
    frame : pandas.DataFrame
        As ``State.liquidation_ladder`` gives it: `move` [1, simple return], `clearer`, `side`,
        `notional` [numeraire], cumulative from the present price, are read.
    context : RunContext or None
        Venues and currency of the run.
    ax : Axes, sequence of Axes or None
        Two Axes; None for a new figure.
    what : str
        The market or asset that moves.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.

    Raises
    ------
    ValueError
        If a column is missing, or a number is not allowed.
    """
    context = context or RunContext()
    data = ladder(frame, context)
    with house_style():
        if len(data.move) < 2 or not data.notional.any():
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], NOTHING)
            return drawn
        rows = len(data.clearers)
        ratios = [2.2, 0.35 + 0.16 * rows]
        drawn, axes = panels(ax, 2, height=1.6 + 2.2 + 0.2 * rows, ratios=ratios)
        told = [name for name in data.clearers if name != OTHER]
        look = looks(list(dict.fromkeys([*context.venues, *told])), entries(told))
        _draw_ladder(axes[0], data, [look[name] for name in data.clearers])
        money_axis(axes[0], "closed by force", context.currency)
        axes[0].set_title(_title(data, context, what), loc="left", fontweight="bold", pad=4.0)
        _draw_heat(axes[1], data)
        _axes_of_moves(axes, data, what)
        axes[1].set_ylabel("venue")
        shown = [name for name in data.clearers if look[name].colour != look[OTHER].colour]
        handles = [swatch(name, look[name]) for name in shown]
        if len(shown) < rows:
            handles.append(swatch(OTHER, look[OTHER]))
        legend(drawn, axes, handles[:MAX_ENTRIES], ax is None, _remark(data, context))
    return drawn


def _title(data: Ladder, context: RunContext, what: str) -> str:
    name = f"{safe(what)} " if what else ""
    ends = [at for at in (0, -1) if data.move[at] != 0.0]
    parts = [
        f"{name if at == ends[0] else ''}{_percent(data.move[at])}: "
        f"{amount(float(data.notional[:, at].sum()), context.currency)}"
        for at in ends
    ]
    return f"Closed by force at {', at '.join(parts)}"


def _remark(data: Ladder, context: RunContext) -> str:
    """Return what the darkest cell stands for, and what is closed on the other side."""
    most = amount(float(data.steps.max()), context.currency)
    text = f"darkest cell of the map: {most} per step"
    whole = data.notional.sum(axis=0)
    for at, other, word in ((0, data.bought, "bought"), (-1, whole - data.bought, "sold")):
        if data.move[at] * (1 if at else -1) > 0.0 and other[at] > 0.005 * whole[at]:
            text += f"; {word} at {_percent(data.move[at])}: {amount(other[at], context.currency)}"
    return text


def _percent(move: float) -> str:
    return f"{100.0 * move:+.3g} %".replace("-", "\N{MINUS SIGN}")


def _draw_ladder(ax: Axes, data: Ladder, look: list[Look]) -> None:
    """Stack the cumulative notional by venue."""
    base = np.zeros(len(data.move))
    for row, chosen in zip(data.notional, look, strict=True):
        ax.fill_between(data.move, base, base + row, facecolor=chosen.colour,
                        hatch=chosen.hatch or None, edgecolor="white", linewidth=0.2,
                        zorder=1.5)  # fmt: skip
        base = base + row
    ax.plot(data.move, base, color="black", linewidth=0.9, zorder=2.5)
    ax.set_ylim(0.0, 1.12 * float(base.max()))
    for x, text, side in ((-4.0, "longs sold", "right"), (4.0, "shorts bought back", "left")):
        if (data.move[0] < 0.0 and x < 0.0) or (data.move[-1] > 0.0 and x > 0.0):
            ax.annotate(text, (0.0, 1.0), (x, -2.0), xycoords=("data", "axes fraction"),
                        textcoords="offset points", ha=side, va="top", fontsize=TINY,
                        color="#444444")  # fmt: skip


def _draw_heat(ax: Axes, data: Ladder) -> None:
    """Shade what each step adds, a row per venue."""
    steps = data.steps
    edges = np.arange(len(data.clearers) + 1, dtype=np.float64) - 0.5
    strength = np.cbrt(steps / steps.max()) if steps.any() else steps
    ax.pcolormesh(data.move, edges, strength, cmap=_HEAT, vmin=0.0, vmax=1.0, zorder=1.5,
                  linewidth=0.0, antialiased=False)  # fmt: skip
    ax.set_yticks(range(len(data.clearers)), data.clearers, fontsize=SMALL)
    ax.set_ylim(len(data.clearers) - 0.5, -0.5)
    ax.grid(visible=False)


def _axes_of_moves(axes: Sequence[Axes], data: Ladder, what: str) -> None:
    for place, ax in enumerate(axes):
        ax.axvline(0.0, color="#222222", linewidth=1.0, linestyle=(0, (4, 2)), zorder=3.0)
        ax.set_xlim(float(data.move[0]), float(data.move[-1]))
        ax.xaxis.set_major_formatter(PercentFormatter(xmax=1.0))
        ax.tick_params(axis="x", labelbottom=place == len(axes) - 1)
    subject = f"move of {safe(what)}" if what else "move of the price"
    axes[-1].set_xlabel(f"{subject} from the present price (dashed) [%]")
