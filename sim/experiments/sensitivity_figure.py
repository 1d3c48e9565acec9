"""Figures of a sensitivity analysis: bars with intervals, interactions, the plane of Morris."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.core.arrays import FloatArray
from sim.report import style
from sim.report.style import OTHER_COLOUR, SMALL, TINY, Look, house_style, looks, new_figure

if TYPE_CHECKING:
    import pandas as pd

    from sim.experiments.sensitivity import SensitivityResult

MOST_FACTORS = 40
"""Factors that are drawn, the strongest ones; all of them are in the table."""

LEAST_COLOURED = 0.2
"""Interaction that has the full colour at least, so that a weak one does not look strong."""

NEAR = 4.0
"""Height of a name above its mark, where nothing is in its way [pt]."""

SAID = {
    "S1": "first order: alone",
    "ST": "total: with interactions",
    "median": "median distance of the slices",
    "maximum": "largest distance",
}


def figure(result: SensitivityResult, metric: str) -> Figure:
    """Draw the indices of a metric, sorted by strength.

    Raises
    ------
    ValueError
        If the metric was not analysed.
    """
    if metric not in result.metrics:
        known = ", ".join(result.metrics)
        raise ValueError(f"found metric '{metric}'; allowed: one that was analysed, {known}")
    rows = result.frame[result.frame["metric"] == metric]
    with house_style():
        if result.settings.kind == "morris":
            return _plane(rows, metric)
        if result.settings.kind == "pawn":
            return _distances(rows, metric)
        pairs = result.interactions[result.interactions["metric"] == metric]
        return _shares(rows, pairs, metric)


def _strongest(rows: pd.DataFrame, index: str) -> pd.DataFrame:
    """Return the rows from the strongest factor down."""
    return rows.sort_values([index, "factor"], ascending=[False, True]).head(MOST_FACTORS)


def _height(rows: pd.DataFrame) -> float:
    """Return the height of a figure with one group of bars per factor [inch]."""
    return max(2.2, 1.0 + 0.34 * len(rows))


def _shares(rows: pd.DataFrame, pairs: pd.DataFrame, metric: str) -> Figure:
    """Draw first-order and total indices, and interactions where they are known."""
    ordered = _strongest(rows, "ST")
    few = len(pairs) < 2
    title = metric
    if few:
        drawn = new_figure(_height(ordered))
        left = drawn.add_subplot()
    else:
        drawn = new_figure(max(2.9, _height(ordered)))
        left, right = drawn.subplots(1, 2, width_ratios=[1.15, 1.0])
        _interactions(drawn, right, ordered["factor"].tolist(), pairs)
    _bars(left, ordered, ("S1", "ST"), 28 if few else 18)
    left.set_xlabel("share of the variance")
    left.set_xlim(left=min(0.0, left.get_xlim()[0]))
    for pair in pairs.to_dict("records") if few else ():
        half = pair["S2_high"] - pair["S2"]
        title = f"{metric} (interaction {pair['S2']:.2f} ± {half:.2f})"
    left.set_title(title, loc="left")
    drawn.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return drawn


def _distances(rows: pd.DataFrame, metric: str) -> Figure:
    """Draw PAWN indices with the floor under which a factor has no visible effect."""
    ordered = _strongest(rows, "median")
    drawn = new_figure(_height(ordered))
    ax = drawn.add_subplot()
    _bars(ax, ordered, ("median", "maximum"))
    places = np.arange(len(ordered))
    ax.vlines(ordered["floor"], places - 0.42, places, colors="black", linewidth=1.0,
              linestyle=(0, (2, 1)), label="below: not told from no effect")  # fmt: skip
    ax.set_xlim(left=0.0)
    ax.set_xlabel("Kolmogorov-Smirnov distance")
    ax.set_title(metric, loc="left")
    drawn.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return drawn


def _bars(ax: Axes, rows: pd.DataFrame, indices: Sequence[str], letters: int = 28) -> None:
    """Draw one group of horizontal bars per factor, the first row on top."""
    places = np.arange(len(rows))
    width = 0.8 / len(indices)
    for number, (index, look) in enumerate(_looks(indices).items()):
        at = places + (number - (len(indices) - 1) / 2) * width
        value = rows[index].to_numpy(dtype=np.float64)
        ends = rows[[f"{index}_low", f"{index}_high"]].to_numpy(dtype=np.float64)
        half = np.nan_to_num(ends[:, 1] - value)
        ax.barh(at, value, width, color=look.colour, hatch=look.hatch or None, edgecolor="white",
                linewidth=0.25, label=SAID[index])  # fmt: skip
        ax.errorbar(value, at, xerr=half, fmt="none", ecolor="black", elinewidth=0.8, capsize=1.8)
    ax.set_yticks(places, short(rows["factor"].tolist(), letters))
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    ax.axvline(0.0, color="black", linewidth=0.6)


def _looks(indices: Sequence[str]) -> dict[str, Look]:
    """Return the look of each of two indices, light enough to see whiskers on."""
    _, hatched, _, light, *_ = looks(["0", "1", "2", "3"]).values()
    return dict(zip(indices, (hatched, light), strict=True))


def _interactions(drawn: Figure, ax: Axes, order: Sequence[str], pairs: pd.DataFrame) -> None:
    """Draw second-order indices as a triangle of squares; grey where the interval holds zero."""
    count = len(order)
    grid = np.full((count, count), np.nan)
    told = np.zeros((count, count), dtype=bool)
    place = {name: number for number, name in enumerate(order)}
    for row in pairs.to_dict("records"):
        if row["factor"] in place and row["other"] in place:
            k, j = sorted((place[row["factor"]], place[row["other"]]))
            grid[j, k] = row["S2"]
            told[j, k] = row["S2_low"] > 0 or row["S2_high"] < 0
    most = max(float(np.abs(grid[np.isfinite(grid)]).max(initial=0.0)), LEAST_COLOURED)
    image = ax.imshow(grid[1:, :-1], cmap="PuOr_r", vmin=-most, vmax=most)
    for j, k in zip(*np.nonzero(np.isfinite(grid)), strict=True):
        strong = abs(grid[j, k]) > 0.6 * most
        colour = "white" if strong else "black" if told[j, k] else "#777777"
        ax.text(k, j - 1, f"{grid[j, k]:.2f}", ha="center", va="center", fontsize=TINY,
                color=colour, weight="bold" if told[j, k] else "normal")  # fmt: skip
    names = short(order, 18)
    ax.set_xticks(range(count - 1), names[:-1], rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(count - 1), names[1:])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set_title("interactions (bold: not 0)", loc="left")
    drawn.colorbar(image, ax=ax, shrink=0.8, label="share of the variance")


def _plane(rows: pd.DataFrame, metric: str) -> Figure:
    """Draw mean size against standard deviation of the elementary effects."""
    ordered = _strongest(rows, "mu_star")
    drawn = new_figure(3.4)
    ax = drawn.add_subplot()
    x, y = (ordered[name].to_numpy(dtype=np.float64) for name in ("mu_star", "sigma"))
    errors = [np.nan_to_num(ordered[f"{name}_high"] - ordered[name]) for name in
              ("mu_star", "sigma")]  # fmt: skip
    look = looks(["effect"])["effect"]
    ax.errorbar(x, y, xerr=errors[0], yerr=errors[1], fmt=look.marker, color=look.colour,
                ecolor=OTHER_COLOUR, elinewidth=0.8, capsize=1.8, markersize=4.5)  # fmt: skip
    right = 1.12 * float((x + errors[0]).max())
    top = 1.15 * max(float((y + errors[1]).max()), 0.3 * right)
    for slope, said in ((0.1, "nearly linear"), (0.5, "monotonic"), (1.0, "nearly monotonic")):
        end = min(right, top / slope)
        ax.plot([0, end], [0, slope * end], color=OTHER_COLOUR, linewidth=0.7, linestyle="--")
        ax.annotate(f"σ = {slope:g} μ*: {said}", (end, slope * end), xytext=(-3, 3),
                    textcoords="offset points", ha="right", fontsize=TINY,
                    color="#666666")  # fmt: skip
    names = short(ordered["factor"].tolist())
    for name, a, b, up in zip(names, x, y, _heights(names, x / right, y / top), strict=True):
        ax.annotate(name, (a, b), xytext=(5, up), textcoords="offset points", fontsize=SMALL)
        if up > NEAR:
            line = {"arrowstyle": "-", "color": OTHER_COLOUR, "linewidth": 0.4}
            ax.annotate("", (a, b), xytext=(5, up), textcoords="offset points", arrowprops=line)
    ax.set_xlim(0.0, right)
    ax.set_ylim(min(0.0, -0.03 * top), top)
    ax.set_xlabel("μ*: mean size of the effect of the whole range, in units of the metric")
    ax.set_ylabel("σ: how much the effect varies")
    ax.set_title(metric, loc="left")
    ax.yaxis.get_offset_text().set_x(-0.06)  # beside the title, not on it
    return drawn


def _heights(names: Sequence[str], x: FloatArray, y: FloatArray) -> list[float]:
    """Return how many points above its mark each name stands, clear of the names before it.

    Parameters
    ----------
    names : sequence of str
    x, y : (F,) float64
        Places of their marks as shares of the axes.
    """
    across, high, step = 450.0, 190.0, 9.0  # about the size of the axes and of a line [pt]
    taken: list[tuple[float, float, float]] = []
    found = []
    for name, a, b in zip(names, across * x, high * y, strict=True):
        first, last, up = a, a + 5.0 + 0.68 * SMALL * len(name), NEAR
        while any(
            first < end and begin < last and abs(level - b - up) < step
            for begin, end, level in taken
        ):
            up += step
        taken.append((first, last, b + up))
        found.append(up)
    return found


def short(names: Sequence[str], most: int = 28) -> list[str]:
    """Return names that leave room: the start of a word, the end of a path."""
    return [
        name
        if len(name) <= most
        else f"…{name[1 - most :]}"
        if "." in name
        else f"{name[: most - 1]}…"
        for name in names
    ]


def save(result: SensitivityResult) -> list[Path]:
    """Write the tables as CSV and a figure per metric into the folder of the runs."""
    folder = result.sweep.folder
    written = [folder / "sensitivity.csv"]
    result.frame.to_csv(written[0], index=False)
    if len(result.interactions):
        written.append(folder / "sensitivity-interactions.csv")
        result.interactions.to_csv(written[1], index=False)
    for metric, name in file_names("sensitivity", result.metrics).items():
        written += style.save(result.figure(metric), folder, name)
    return written


def file_names(first: str, metrics: Sequence[str]) -> dict[str, str]:
    """Return a safe name of a file for each metric, no two alike."""
    found: dict[str, str] = {}
    for number, metric in enumerate(metrics):
        name = f"{first}-{re.sub(r'[^A-Za-z0-9_]+', '-', metric).strip('-')[:60]}"
        found[metric] = name if name not in found.values() else f"{name}-{number}"
    return found
