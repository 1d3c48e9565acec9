"""Heads of panels: the title, the shocks marked below it, and room for both."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.patheffects as effects
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from sim.report.shocks import (
    ShockMark,
    Strip,
    events,
    place_labels,
    strips,
    text_width,
    ticks,
)
from sim.report.style import TINY, TITLE, root_figure

_LINE = "#555555"
_TEXT = "#333333"
_LEVEL = 8.0  # [pt] height of a line of labels
_STRIP = 7.0  # [pt] height of a strip
_ROW = 8.5  # [pt] from one strip to the next
_COLOURS = {"depth": ("#dedede", _TEXT), "outage": ("#6e6e6e", "white")}


def draw_heads(
    axes: Sequence[Axes],
    titles: Sequence[str],
    marks: Sequence[Sequence[ShockMark]],
    width: float,
    labels: bool = True,
) -> None:
    """Write the titles of panels and mark their shocks, all panels with the same room.

    Lines lie behind the data, strips under the top edge in room that is made for them, labels
    above the axis and the title above these.

    Parameters
    ----------
    axes : sequence of Axes
        Panels whose limits and scales are set.
    titles : sequence of str
        Title of each panel.
    marks : sequence of sequence of ShockMark
        Shocks of each panel.
    width : float
        Width of a panel [pt].
    labels : bool
        Whether to draw labels and strips, or lines only.
    """
    states = [strips(found) if labels else [] for found in marks]
    rows = max(map(len, states), default=0)
    levels = 0
    for ax, found, state in zip(axes, marks, states, strict=True):
        if rows:
            _make_room(ax, rows * _ROW + 3.0)
        _draw_lines(ax, found)
        for row, strip in enumerate(state):
            _draw_strip(ax, strip, row, width)
        if labels:
            levels = max(levels, _draw_labels(ax, events(found), width))
    for ax, text in zip(axes, titles, strict=True):
        _title(ax, text, 4.0 + _LEVEL * levels, width)


def _title(ax: Axes, text: str, pad: float, width: float) -> None:
    """Write a panel's title at its left; one wider than the panel is written smaller."""
    size = min(TITLE, TITLE * width / max(1.1 * text_width(text, TITLE), 1.0))
    ax.set_title(text, loc="left", fontweight="bold", pad=pad, fontsize=size)


def _make_room(ax: Axes, points: float) -> None:
    """Raise the upper limit of y so that about `points` [pt] above the data stay free."""
    height = 72.0 * root_figure(ax).get_figheight() * ax.get_position().height
    share = min(points / height, 0.5)
    scale = ax.yaxis.get_transform()
    low, high = (float(scale.transform(limit)) for limit in ax.get_ylim())
    ax.set_ylim(top=float(scale.inverted().transform(low + (high - low) / (1.0 - share))))


def _draw_lines(ax: Axes, marks: Sequence[ShockMark]) -> None:
    low, high = ax.get_xlim()
    for begin in dict.fromkeys(begin for begin, _ in events(marks)):
        ax.axvline(begin, color=_LINE, linewidth=0.7, linestyle=(0, (4, 2)), zorder=0.6)
    for begin in ticks(marks):
        if low < begin < high:
            ax.axvline(begin, color="#8a8a8a", linewidth=0.4, zorder=0.6)


def _draw_labels(ax: Axes, named: Sequence[tuple[float, str]], width: float) -> int:
    """Write the labels of events above the axis and return how many lines they take."""
    low, high = ax.get_xlim()
    placed = place_labels([((begin - low) / (high - low), text) for begin, text in named], width)
    for label in placed:
        ax.annotate(
            label.text, (label.left, 1.0), (0.0, 2.5 + _LEVEL * label.level),
            xycoords="axes fraction", textcoords="offset points", ha="left", va="bottom",
            fontsize=TINY, color=_TEXT, annotation_clip=False,
        )  # fmt: skip
    return max((label.level + 1 for label in placed), default=0)


def _draw_strip(ax: Axes, strip: Strip, row: int, width: float) -> None:
    """Draw one strip under the top edge, its text in it, else right or left of it."""
    figure = root_figure(ax)
    down = ScaledTranslation(0.0, -(1.5 + row * _ROW + _STRIP / 2) / 72.0, figure.dpi_scale_trans)
    where = blended_transform_factory(ax.transData, ax.transAxes) + down
    colour, inside = _COLOURS[strip.kind]
    for begin, end in strip.spans:
        bar = Line2D([begin, end], [1.0, 1.0], color=colour, linewidth=_STRIP, transform=where,
                     solid_capstyle="butt", zorder=2.6)  # fmt: skip
        ax.add_artist(bar)
    low, high = ax.get_xlim()
    need = (text_width(strip.text, TINY) + 5.0) * (high - low) / width
    begin, end = max(strip.spans, key=lambda span: span[1] - span[0])
    first, last = strip.spans[0][0], strip.spans[-1][1]
    if end - begin >= need:
        spot, side, tint = (begin + end) / 2, "center", inside
    elif high - last >= need:
        spot, side, tint = last, "left", _TEXT
    elif first - low >= need:
        spot, side, tint = first, "right", _TEXT
    else:
        return
    shift = {"center": 0.0, "left": 2.5, "right": -2.5}[side]
    text = ax.annotate(
        strip.text, (spot, 1.0), (shift, -(1.5 + row * _ROW + _STRIP / 2)),
        xycoords=blended_transform_factory(ax.transData, ax.transAxes),
        textcoords="offset points", ha=side, va="center_baseline", fontsize=TINY, color=tint,
        zorder=2.8, annotation_clip=False,
    )  # fmt: skip
    if side != "center":
        text.set_path_effects([effects.withStroke(linewidth=1.6, foreground="white")])
