"""Figure: where losses flowed: ribbons from what caused them to whom they broke."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from scipy.optimize import isotonic_regression

from sim.core.arrays import FloatArray
from sim.report.cause_looks import cause_text
from sim.report.context import RunContext
from sim.report.matrix import LossMatrix, colours, loss_matrix, source_text, victim_text
from sim.report.shocks import text_width
from sim.report.spillover import NOTHING
from sim.report.style import SMALL, TINY, house_style, panels, root_figure, sentence
from sim.report.units import amount, safe

Side = Literal["left", "center", "right"]
_GAP = 0.012  # of the height, between nodes
_NODE = 0.018  # of the width
_LEFT, _RIGHT = 0.33, 0.68  # of the width, where ribbons begin and end
_LINE = 10.5  # [pt] height of a label
_BEND = 0.45
_SMALLEST = 5.2  # [pt] of labels
_LEAST = 2e-4  # of the total; thinner ribbons are not drawn


def figure(
    matrix: pd.DataFrame,
    context: RunContext | None = None,
    ax: Axes | Sequence[Axes] | None = None,
    by: str = "venue",
) -> Figure:
    """Draw losses as ribbons from sources on the left to victims on the right.

    Heights are in proportion to losses. What a source gained a victim cannot be a ribbon and is
    named below.

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
    value = np.maximum(data.value, 0.0)
    with house_style():
        if not value.any():
            drawn, axes = panels(ax, 1, height=1.6)
            sentence(axes[0], NOTHING)
            return drawn
        height = 0.8 + 0.24 * max(len(data.sources), len(data.victims), 8)
        drawn, (axis,) = panels(ax, 1, height=height)
        axis.set_axis_off()
        axis.set_xlim(0.0, 1.0)
        axis.set_ylim(1.0, 0.0)
        _draw(axis, data, value, context, _LINE / (72.0 * (height - 0.6)))
        gained = float(np.minimum(data.value, 0.0).sum())
        _head(axis, float(value.sum()), gained, context, by)
    return drawn


def _head(ax: Axes, lost: float, gained: float, context: RunContext, by: str) -> None:
    title = f"From source to victim: {amount(lost, context.currency)} lost by broken accounts"
    ax.set_title(title, loc="left", fontweight="bold", pad=14.0)
    if gained:
        net = amount(lost + gained, context.currency)
        text = f"not drawn: gains of {amount(-gained, context.currency)}, which leave {net}"
        _note(ax, text, (0.5, 0.0), -4.0, "center", TINY)
    heads: tuple[tuple[float, str, Side], ...] = (
        (0.0, source_text(by), "left"),
        (1.0, victim_text(by), "right"),
    )
    for x, text, side in heads:
        _note(ax, text, (x, 1.0), 3.0, side, SMALL)


def _note(
    ax: Axes, text: str, spot: tuple[float, float], away: float, side: Side, size: float
) -> None:
    """Write a remark above or below the axis, `away` [pt] from its edge."""
    ax.annotate(
        text, spot, (0.0, away), xycoords="axes fraction", textcoords="offset points", ha=side,
        va="bottom" if away > 0.0 else "top", fontsize=size, color="#444444",
    )  # fmt: skip


def _draw(ax: Axes, data: LossMatrix, value: FloatArray, context: RunContext, line: float) -> None:
    """Draw nodes, ribbons and labels; `line` is the height of a label on the axis."""
    total = float(value.sum())
    out, into = value.sum(axis=1) / total, value.sum(axis=0) / total
    room = 1.0 - _GAP * max(int((out > 0).sum()), int((into > 0).sum()))
    colour = colours(data, context)
    left, right = _stack(room * out), _stack(room * into)
    _ribbons(ax, room * value / total, left, right, [colour[name] for name in data.sources])
    sides: tuple[tuple[tuple[str, ...], FloatArray, FloatArray, float, Side], ...] = (
        (data.sources, out, left, _LEFT - _NODE, "right"),
        (data.victims, into, right, _RIGHT, "left"),
    )
    for names, share, begin, x, side in sides:
        for name, size, top in zip(names, share, begin, strict=True):
            if size > 0.0:
                box = Rectangle((x, top), _NODE, room * size, facecolor=colour[name], linewidth=0.0)
                ax.add_patch(box)
        shown = share > 0.0
        parts = [(cause_text(name) if name in data.causes else safe(name),
                  _sum_text(total * size, size, context))
                 for name, size in zip(names, share, strict=True) if size > 0.0]  # fmt: skip
        _labels(ax, parts, (begin + 0.5 * room * share)[shown], x, side, line)


def _sum_text(loss: float, share: float, context: RunContext) -> str:
    percent = f"{100.0 * share:.0f}" if share >= 0.1 else f"{100.0 * share:.2g}"
    part = percent if share >= 0.001 else "<0.1"
    return f"{amount(loss, context.currency)} ({part} %)"


def fitted(parts: Sequence[tuple[str, str]], room: float) -> tuple[list[str], float]:
    """Return labels of names and sums that are no wider than `room` [pt], and their size [pt].

    They are written smaller, and names cut where that does not suffice.
    """
    widest = max((text_width(f"{name}  {rest}", SMALL) for name, rest in parts), default=1.0)
    size = max(_SMALLEST, min(SMALL, SMALL * room / max(widest, 1.0)))
    return [_cut(name, rest, room, size) for name, rest in parts], size


def _cut(name: str, rest: str, room: float, size: float) -> str:
    """Return a label, its name cut to at least one letter where the label is too wide."""

    def wide(text: str) -> bool:
        return text_width(text, size) > room

    def short(length: int) -> str:
        return f"{name[:length].rstrip()}\N{HORIZONTAL ELLIPSIS}  {rest}"

    whole = f"{name}  {rest}"
    if not wide(whole) or len(name) < 2:
        return whole
    fit = bisect(range(1, len(name)), False, key=lambda length: wide(short(length)))
    return short(max(fit, 1))


def _stack(heights: FloatArray) -> FloatArray:
    """Return where nodes begin that stand below each other, in the middle of the height."""
    step = heights + np.where(heights > 0.0, _GAP, 0.0)
    free = 1.0 - float(step.sum()) + _GAP
    return np.asarray(0.5 * free + np.cumsum(step) - step, dtype=np.float64)


def _ribbons(
    ax: Axes, height: FloatArray, left: FloatArray, right: FloatArray, colour: list[str]
) -> None:
    """Draw a ribbon per entry, in order of rows and columns at both of its ends."""
    begin = left[:, None] + np.cumsum(height, axis=1) - height
    end = right[None, :] + np.cumsum(height, axis=0) - height
    middle_left, middle_right = (x + _BEND * (_RIGHT - _LEFT) * sign for x, sign in
                                 ((_LEFT, 1.0), (_RIGHT, -1.0)))  # fmt: skip
    for i, j in sorted(np.ndindex(*height.shape), key=lambda at: -height[at]):
        thick = float(height[i, j])
        if thick < _LEAST:
            continue
        top, foot = float(begin[i, j]), float(end[i, j])
        vertices = [
            (_LEFT, top), (middle_left, top), (middle_right, foot), (_RIGHT, foot),
            (_RIGHT, foot + thick), (middle_right, foot + thick), (middle_left, top + thick),
            (_LEFT, top + thick), (_LEFT, top),
        ]  # fmt: skip
        codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
        ax.add_patch(PathPatch(Path(vertices, codes), facecolor=colour[i], alpha=0.55,
                               edgecolor="none"))  # fmt: skip


def _labels(
    ax: Axes,
    parts: Sequence[tuple[str, str]],
    middle: FloatArray,
    x: float,
    side: Side,
    line: float,
) -> None:
    """Write names and sums beside their nodes, moved apart where they would overlap."""
    away = -1.0 if side == "right" else 1.0
    edge = x if side == "right" else x + _NODE
    across = edge + away * np.array([0.0, 0.006, 0.018, 0.022])
    spot = edge + 0.026 * away
    free = (spot if side == "right" else 1.0 - spot) * 72.0 * root_figure(ax).get_figwidth()
    texts, size = fitted(parts, 0.96 * free)
    for text, own, place in zip(texts, middle, apart(middle, line), strict=True):
        down = [own, own, place, place]
        ax.plot(across, down, color="#8a8a8a", linewidth=0.4, clip_on=False)
        ax.text(spot, place, text, ha=side, va="center_baseline", fontsize=size)


def apart(middle: FloatArray, line: float) -> FloatArray:
    """Return places near `middle` (N,), rising, at least `line` apart and within 0 and 1.

    They are the least squares of the way moved, but for those that would leave the height. Where
    it does not suffice they are spread evenly over it.
    """
    count = len(middle)
    if count * line >= 1.0 or not count:
        return np.asarray((np.arange(count) + 0.5) / max(count, 1), dtype=np.float64)
    step = line * np.arange(count)
    first = isotonic_regression(np.asarray(middle - step, dtype=np.float64)).x
    first = np.clip(first, 0.5 * line, 1.0 - (count - 0.5) * line)
    return np.asarray(first + step, dtype=np.float64)
