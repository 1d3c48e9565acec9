"""Figure: who lost to whom: the matrix of losses by source and victim, with its sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.typing import ColorType

from sim.core.arrays import FloatArray
from sim.report.cause_looks import cause_text
from sim.report.context import RunContext
from sim.report.matrix import LossMatrix, loss_matrix, source_text, victim_text
from sim.report.shocks import text_width
from sim.report.style import TINY, house_style, panels, root_figure, sentence
from sim.report.units import amount, money, safe

NOTHING = "Nobody broke in this run: there is no loss to share out"
_LOSS = LinearSegmentedColormap.from_list("loss", ["#fdf3ea", "#e8894a", "#8c2d19", "#4a1015"])
_GAIN = LinearSegmentedColormap.from_list("gain", ["#eef6f2", "#5fa98c", "#0f5c46"])
_SUM = "#efefef"
FEWEST = 5  # [cells] fewer columns are as wide as if there were so many
_HALF_WAY = 0.179  # luminance at which black and white stand out alike (equal contrast ratios)
_GAP = 0.25  # [cells] between the matrix, the rows of causes and the sums

SHORT = 4
"""Rows beside which the name of their axis does not fit on one line."""


def figure(
    matrix: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
    by: str = "venue",
) -> Figure:
    """Draw a matrix of losses as a heat map with numbers and sums.

    Shades grow with the cube root of a value; gains have another hue. Dots are zeros.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Loss [numeraire, positive when it hurt] by source (index: those that sold by force,
        then other causes) and victim (columns).
    context : RunContext or None
        Venues and currency of the run.
    ax : Axes, sequence of Axes or None
        One Axes; None for a new figure.
    by : str
        What victims are: ``venue``, ``asset``, ``cohort`` or ``market``.

    Returns
    -------
    matplotlib.figure.Figure
        The figure drawn on.

    Raises
    ------
    ValueError
        If a value is not finite, or a row or column stands twice.
    """
    context = context or RunContext()
    data = loss_matrix(matrix, context)
    with house_style():
        if not data.value.size or not data.value.any():
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], NOTHING)
            return drawn
        drawn, (axis,) = panels(ax, 1, height=1.35 + 0.27 * (len(data.sources) + 1))
        rows, columns = _places(data)
        _draw_cells(axis, data.value, rows[:-1], columns[:-1])
        _draw_sums(axis, data.value, rows, columns)
        _name(axis, data, rows, columns, own=ax is None)
        total = amount(float(data.value.sum()), context.currency)
        title = f"Loss of broken accounts by {by}: {total}"
        axis.set_title(title, loc="left", fontweight="bold", pad=4.0)
        axis.set_xlabel(safe(f"{victim_text(by)}; loss [{context.currency}]"), loc="left")
        text = source_text(by)
        axis.set_ylabel(text if len(data.sources) > SHORT else text.replace(", ", ",\n"))
    return drawn


def _places(data: LossMatrix) -> tuple[FloatArray, FloatArray]:
    """Return the middles of rows and columns [cells], those of the sums last."""
    rows = np.arange(len(data.sources) + 1, dtype=np.float64)
    rows[len(data.sellers) :] += _GAP if data.sellers and data.causes else 0.0
    rows[-1] += _GAP
    columns = np.arange(len(data.victims) + 1, dtype=np.float64)
    columns[-1] += _GAP
    return rows, columns


def _draw_cells(ax: Axes, value: FloatArray, rows: FloatArray, columns: FloatArray) -> None:
    """Draw a shaded cell with its number for each value."""
    strength = np.cbrt(np.abs(value) / np.abs(value).max())
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            level = float(strength[i, j])
            shade = (_LOSS if value[i, j] > 0.0 else _GAIN)(level) if level else "white"
            _cell(ax, column, row, shade, _number(value[i, j]))


def _draw_sums(ax: Axes, value: FloatArray, rows: FloatArray, columns: FloatArray) -> None:
    """Draw the sums of rows and columns and the total, unshaded."""
    for row, sum_ in zip(rows[:-1], value.sum(axis=1), strict=True):
        _cell(ax, columns[-1], row, _SUM, _number(sum_))
    for column, sum_ in zip(columns[:-1], value.sum(axis=0), strict=True):
        _cell(ax, column, rows[-1], _SUM, _number(sum_))
    _cell(ax, columns[-1], rows[-1], _SUM, _number(float(value.sum())), "bold")


def _number(value: float) -> str:
    return money(value).replace("-", "\N{MINUS SIGN}") if value else "\N{MIDDLE DOT}"


def _cell(
    ax: Axes, x: float, y: float, shade: ColorType, text: str, weight: str = "normal"
) -> None:
    """Draw one cell; its text is black or white, whichever stands out more."""
    ink = "white" if _luminance(shade) < _HALF_WAY else "black"
    box = Rectangle((x - 0.5, y - 0.5), 1.0, 1.0, facecolor=shade, edgecolor="white",
                    linewidth=0.8)  # fmt: skip
    ax.add_patch(box)
    ax.text(x, y, text, ha="center", va="center_baseline", fontsize=TINY, color=ink,
            fontweight=weight)  # fmt: skip


def _luminance(shade: ColorType) -> float:
    """Return the relative luminance of a colour, as WCAG 2.2 defines it."""
    rgb = np.array(to_rgb(shade))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _name(ax: Axes, data: LossMatrix, rows: FloatArray, columns: FloatArray, own: bool) -> None:
    """Name rows and columns; columns at a slant where their names are wider than they are."""
    sources = [*map(safe, data.sellers), *map(cause_text, data.causes)]
    ax.set_xlim(-0.5, max(float(columns[-1]) + 0.5, FEWEST - 0.5))
    ax.set_ylim(rows[-1] + 0.5, -0.5)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0.0)
    ax.set_yticks(rows, [*sources, "sum"])
    names = [*map(safe, data.victims), "sum"]
    widest = max(text_width(name, TINY) for name in sources)
    whole = 72.0 * root_figure(ax).get_figwidth()
    cell = (whole - widest - 40.0 if own else whole * ax.get_position().width) / max(
        len(columns), FEWEST
    )
    slant = max(text_width(name, 7.0) for name in names) + 4.0 > cell
    ax.set_xticks(columns, names)
    if slant:
        ax.tick_params(axis="x", rotation=40.0)
        for label in ax.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
