"""Figure of a scenario discovery: the trade-off along the trajectory, and the limits of boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from sim.experiments.sensitivity_figure import short
from sim.report.style import (
    OTHER_COLOUR,
    SMALL,
    TINY,
    Look,
    house_style,
    looks,
    new_figure,
    sentence,
)

if TYPE_CHECKING:
    from sim.experiments.discovery import Discovery

MOST_LIMITS = 24
"""Restrictions that are drawn; all of them are in the table."""


def figure(found: Discovery) -> Figure:
    """Draw coverage against density along each trajectory, and the limits of the chosen boxes."""
    rows = found.limits.to_dict("records")[:MOST_LIMITS]
    with house_style():
        drawn = new_figure(max(2.8, 1.2 + 0.32 * len(rows)))
        left, right = drawn.subplots(1, 2, width_ratios=[1.0, 1.15])
        names = [f"box {number}" for number in found.frame["box"].unique()]
        styles = looks(names)
        _trade_off(left, found, styles)
        if rows:
            _limits(right, rows, styles)
        else:
            sentence(right, "no factor is restricted")
        if len(names) > 1:
            drawn.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return drawn


def _trade_off(ax: Axes, found: Discovery, styles: dict[str, Look]) -> None:
    """Draw the trajectories; the chosen steps are ringed and numbered."""
    for number, path in found.frame.groupby("box", sort=True):
        look = styles[f"box {number}"]
        ax.plot(path["coverage"], path["density"], color=look.colour, marker=look.marker,
                markersize=2.6, linewidth=0.8, label=f"box {number}")  # fmt: skip
        best = path[path["chosen"]].iloc[0]
        ax.plot(best["coverage"], best["density"], "o", markersize=9, fillstyle="none",
                color="black")  # fmt: skip
        right = best["coverage"] > 0.88
        ax.annotate(f"step {best['step']}", (best["coverage"], best["density"]),
                    xytext=(-8 if right else 8, 5), textcoords="offset points", fontsize=SMALL,
                    ha="right" if right else "left")  # fmt: skip
    base = found.cases / found.points
    ax.axhline(base, color=OTHER_COLOUR, linewidth=0.8, linestyle="--")
    ax.annotate("share of cases everywhere", (0.0, base), xytext=(2, 2),
                textcoords="offset points", fontsize=TINY, color="#666666")  # fmt: skip
    ax.set_xlim(0.0, 1.04)
    ax.set_ylim(0.0, 1.06)
    ax.set_xlabel("coverage: share of cases caught")
    ax.set_ylabel("density: share of cases inside")
    ax.set_title(found.where if len(found.where) <= 44 else f"{found.where[:43]}…", loc="left")


def _limits(ax: Axes, rows: list[dict[Any, Any]], styles: dict[str, Look]) -> None:
    """Draw each restriction as the part of the factor's range that it leaves."""
    for place, row in enumerate(rows):
        look = styles[f"box {row['box']}"]
        if isinstance(row["words"], str):
            ax.plot([0.01], [place], marker=look.marker, color=look.colour)
            said = f"{row['words']} ({row['p_words']:.1g})"
            ax.text(0.05, place, said, fontsize=SMALL, va="center")
            continue
        ax.plot([0.0, 1.0], [place, place], color=OTHER_COLOUR, linewidth=0.8, zorder=1)
        width = row["highest"] - row["lowest"]
        low = 0.0 if np.isnan(row["low"]) else (row["low"] - row["lowest"]) / width
        high = 1.0 if np.isnan(row["high"]) else (row["high"] - row["lowest"]) / width
        ax.barh(place, high - low, 0.34, low, color=look.colour,
                hatch=look.hatch or None, edgecolor="white", linewidth=0.25, zorder=2)  # fmt: skip
        for end, name, side in ((low, "low", "left"), (high, "high", "right")):
            if not np.isnan(row[name]):
                ax.text(end, place - 0.2, _end(row, name), fontsize=TINY, ha=side, va="bottom")
    ax.set_yticks(range(len(rows)), short([str(row["factor"]) for row in rows], 24))
    ax.set_ylim(len(rows) - 0.4, -0.7)
    ax.set_xlim(-0.02, 1.02)
    first, last = _ends_of(ax)
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    ax.grid(visible=False)
    ax.set_title("limits (quasi-p)", loc="left")


def _ends_of(ax: Axes) -> list[Text]:
    """Name the ends of the range of all factors and return their labels."""
    ax.set_xticks([0.0, 1.0], ["lowest value", "highest value"])
    return list(ax.get_xticklabels())


def _end(row: dict[Any, Any], name: str) -> str:
    return f"{row[name]:.4g} ({row[f'p_{name}']:.1g})"
