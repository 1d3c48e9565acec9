"""Figure: the cascade in time: a mark per generation, moment and venue, sized by notional."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from sim.core.arrays import FloatArray
from sim.report.context import RunContext
from sim.report.drawing import finish_time, legend, panel_width
from sim.report.forced import NOTHING, top_names
from sim.report.heads import draw_heads
from sim.report.shocks import within
from sim.report.style import OTHER, Look, house_style, looks, panels, sentence
from sim.report.units import TimeAxis, amount

KINDS = {"market": "o", "backstop": "s", "auction": "^"}
"""Marker of each kind of forced trade that generations are counted for."""
_KIND_TEXT = {"market": "to the market", "backstop": "to a backstop", "auction": "in auctions"}
MAX_BINS = 72
MAX_ROWS = 24
LARGEST = 15.0  # [pt] diameter of the largest mark
SMALLEST = 1.6  # [pt] what is smaller would not be seen
_REMARK = "area in proportion to notional; the smallest dots may stand for less"
_COLUMNS = ["time", "generation", "clearer", "kind", "notional"]


def marks(liquidations: pd.DataFrame, context: RunContext) -> pd.DataFrame:
    """Sum the forced trades by moment, generation, clearer and kind.

    Parameters
    ----------
    liquidations : pandas.DataFrame
        Recorded table; rows without a market are left out.
    context : RunContext
        Clock and venues of the run.

    Returns
    -------
    pandas.DataFrame
        `time` [s], the middle of one of at most 72 bins of whole ticks from the first forced
        trade to the last; `generation`, the first of the bin where there are more than 24
        generations; `clearer`, with "other" beyond the seventh largest; `kind`; `notional`
        [quote].
    """
    rows = liquidations[liquidations["kind"].isin(list(KINDS)) & (liquidations["symbol"] != "")]
    if not len(rows):
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in _COLUMNS})
    tick = rows["tick"].to_numpy(dtype=np.int64)
    per_bin = -(-int(tick.max() - tick.min() + 1) // MAX_BINS)
    left = tick.min() + (tick - tick.min()) // per_bin * per_bin
    generation = rows["generation"].to_numpy(dtype=np.int64)
    per_row = -(-int(generation.max() + 1) // MAX_ROWS)
    clearers = rows.assign(venue=rows["clearer"].astype(str))
    names, code = top_names(clearers, context, "venue")
    found = pd.DataFrame({
        "time": (left + 0.5 * (per_bin - 1)) * context.tick,
        "generation": generation // per_row * per_row,
        "clearer": np.array(names, dtype=object)[code],
        "kind": rows["kind"].to_numpy(),
        "notional": rows["notional"].to_numpy(dtype=np.float64),
    })  # fmt: skip
    return found.groupby(_COLUMNS[:-1], sort=True, as_index=False)[["notional"]].sum()


def figure(
    liquidations: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw forced trades by generation over time; the area of a mark is its notional.

    Parameters
    ----------
    liquidations : pandas.DataFrame
        Recorded table `liquidations`.
    context : RunContext or None
        Clock, venues and shocks of the run.
    ax : Axes, sequence of Axes or None
        One Axes; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.
    """
    context = context or RunContext()
    data = marks(liquidations, context)
    with house_style():
        if not len(data):
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], NOTHING)
            return drawn
        rows = np.arange(0, int(data["generation"].max()) + 1, _per_row(data))
        drawn, (axis,) = panels(ax, 1, height=1.5 + 0.26 * max(len(rows), 4))
        names = context.venues_of(data.assign(venue=data["clearer"]))
        told = [name for name in names if name != OTHER and (data["clearer"] == name).any()]
        look = looks([name for name in names if name != OTHER], told)
        _draw(axis, data, told, look)
        _generations(axis, rows)
        window = _window(data, context)
        finish_time([axis], window)
        seen = within(context.shocks, *window.limits())
        width = panel_width(axis, 1, own=ax is None)
        draw_heads([axis], [_title(data, context)], [seen], width)
        small = (data["notional"] < (SMALLEST / LARGEST) ** 2 * data["notional"].max()).any()
        handles = _handles(data, told, look, context)
        legend(drawn, [axis], handles, own=ax is None, remark=_REMARK if small else None)
    return drawn


def _per_row(data: pd.DataFrame) -> int:
    """Return how many generations a row of the figure holds."""
    steps = np.diff(np.unique(np.append(data["generation"].to_numpy(dtype=np.int64), 0)))
    return int(np.gcd.reduce(steps)) if len(steps) else 1


def _diameter(notional: FloatArray, largest: float) -> FloatArray:
    """Return the diameters [pt] of marks whose areas are in proportion to their notional."""
    return np.maximum(LARGEST * np.sqrt(notional / largest), SMALLEST)


def _draw(ax: Axes, data: pd.DataFrame, told: list[str], look: dict[str, Look]) -> None:
    """Draw the marks, the largest first, those of one moment staggered by venue."""
    largest = float(data["notional"].max())
    step = _per_row(data)
    order = [*told, OTHER]
    data = data.sort_values("notional", ascending=False, kind="stable")
    for kind, marker in KINDS.items():
        mine = data[data["kind"] == kind]
        if not len(mine):
            continue
        place = mine["clearer"].map(order.index).to_numpy(dtype=np.float64)
        stagger = 0.36 * step * (place - 0.5 * (len(told) - 1)) / max(len(told), 1)
        colours = [look[name].colour for name in mine["clearer"]]
        size = _diameter(mine["notional"].to_numpy(dtype=np.float64), largest) ** 2
        ax.scatter(mine["time"], mine["generation"] + stagger, s=size, c=colours, marker=marker,
                   alpha=0.8, edgecolors="white", linewidths=0.3, zorder=2.0)  # fmt: skip


def _generations(ax: Axes, rows: np.ndarray) -> None:
    """Set the axis of generations, number 0 at the foot."""
    step = int(rows[1] - rows[0]) if len(rows) > 1 else 1
    ax.set_ylim(-0.75 * step, float(rows[-1]) + 0.75 * step)
    every = max(1, -(-len(rows) // 12))
    ax.yaxis.set_major_locator(FixedLocator([float(row) for row in rows[::every]]))
    ax.yaxis.set_major_formatter("{x:.0f}")
    ax.set_ylabel("generation [1]" if step == 1 else f"generation [1], {step} per row")


def _window(data: pd.DataFrame, context: RunContext) -> TimeAxis:
    """Return the time axis around the forced trades, within the run."""
    first, last = float(data["time"].min()), float(data["time"].max())
    if first == last:
        return TimeAxis(first, first, context.start)
    pad = 0.04 * (last - first)
    whole = context.axis
    high = min(last + pad, whole.last) if whole.last > last else last + pad
    return TimeAxis(max(first - pad, min(first, 0.0)), high, context.start)


def _title(data: pd.DataFrame, context: RunContext) -> str:
    total = data.groupby("kind")["notional"].sum()
    parts = [f"{amount(float(total[kind]), context.currency)} {_KIND_TEXT[kind]}"
             for kind in KINDS if kind in total.index]  # fmt: skip
    return f"Forced trades by generation: {', '.join(parts)}"


def _handles(
    data: pd.DataFrame, told: list[str], look: dict[str, Look], context: RunContext
) -> list[Artist]:
    """Return the legend: venues, kinds where there are several, and two sizes."""
    shown = [*told, *([OTHER] if (data["clearer"] == OTHER).any() else [])]
    entries: list[tuple[str, str, str, float]] = [
        (name, look[name].colour, "o", 5.0) for name in shown
    ]
    kinds = [kind for kind in KINDS if (data["kind"] == kind).any()]
    if kinds != ["market"]:
        entries += [(_KIND_TEXT[kind], "#666666", KINDS[kind], 4.0) for kind in kinds]
    largest = float(data["notional"].max())
    power = 10.0 ** np.floor(np.log10(largest))
    for size in (power / 10.0, power):
        diameter = float(_diameter(np.array([size]), largest)[0])
        entries.append((amount(size, context.currency), "#bbbbbb", "o", diameter))
    return [
        Line2D([], [], linestyle="none", marker=marker, markersize=size, color=colour,
               markeredgecolor="white", markeredgewidth=0.3, label=label)
        for label, colour, marker, size in entries
    ]  # fmt: skip
