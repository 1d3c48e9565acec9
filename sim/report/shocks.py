"""Shocks as marks on a time axis: lines and spans, with labels merged until none overlap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from sim.report.style import TINY

_PLURAL = {
    "jump": "jumps",
    "ramp": "ramps",
    "path": "paths",
    "depth": "depth shocks",
    "outage": "outages",
    "gbm": "diffusions",
    "jump_diffusion": "jump diffusions",
}
_WHOLE_RUN = 0.9  # a shock longer than this share of the run is its weather, not an event


@dataclass(frozen=True, slots=True)
class ShockMark:
    """One shock on the time axis.

    Parameters
    ----------
    kind : str
        Kind of the shock as the scenario writes it.
    begin, end : float
        From and until [s since start]; equal for an instant.
    text : str
        Short label.
    asset, venue : str or None
        What it strikes; None for all.
    """

    kind: str
    begin: float
    end: float
    text: str
    asset: str | None = None
    venue: str | None = None


def shock_marks(shocks: Iterable[Mapping[str, Any]], last: float) -> tuple[ShockMark, ...]:
    """Return what to mark of a scenario's shocks, in order of time.

    Shocks that last the whole run (diffusions, most paths) are not marked; shocks after the
    last tick `last` [s] never happened and are not marked either.
    """
    marks = [_mark(shock, last) for shock in shocks]
    shown = [
        mark
        for mark in marks
        if mark.begin <= last and (last <= 0 or mark.end - mark.begin < _WHOLE_RUN * last)
    ]
    return tuple(sorted(shown, key=lambda mark: (mark.begin, mark.end, mark.text)))


def _mark(shock: Mapping[str, Any], last: float) -> ShockMark:
    kind = str(shock["kind"])
    begin = float(shock.get("at") or 0.0)
    end = begin
    if kind in ("ramp", "outage"):
        end = begin + float(shock.get("duration") or 0.0)
    elif kind in ("depth", "gbm", "jump_diffusion"):
        until = shock.get("until")
        end = last if until is None else float(until)
    elif kind == "path":
        points = shock.get("points")
        end = begin + float(points[-1][0]) if points else last
        begin = begin + float(points[0][0]) if points else begin
    asset, venue = shock.get("asset"), shock.get("venue")
    return ShockMark(kind, begin, min(end, last), _text(kind, shock), asset, venue)


def _text(kind: str, shock: Mapping[str, Any]) -> str:
    where = " ".join(str(shock[k]) for k in ("venue", "symbol", "asset") if shock.get(k))
    if kind in ("jump", "ramp"):
        move = 100.0 * float(shock.get("return", shock.get("return_", 0.0)))
        return f"{where} {move:+.3g} %".replace("-", "\N{MINUS SIGN}")
    if kind == "depth":
        factor = f"{float(shock.get('factor', 1.0)):g}"
        return f"{where} depth \N{MULTIPLICATION SIGN}{factor}".strip()
    return f"{where} {kind.replace('_', ' ')}".strip()


def draw_shocks(ax: Axes, marks: Sequence[ShockMark], width: float, labels: bool = True) -> None:
    """Draw lines and spans behind the data and their labels above the axis.

    Parameters
    ----------
    ax : Axes
        Panel whose x limits are set.
    marks : sequence of ShockMark
        What to draw.
    width : float
        Width of the panel [pt], by which labels are merged.
    labels : bool
        Whether to write labels.
    """
    low, high = ax.get_xlim()
    weight = 0.7 if len(marks) <= 8 else 0.45
    for mark in marks:
        if mark.end > mark.begin:
            hatch = {"outage": "////", "depth": "...."}.get(mark.kind)
            ax.axvspan(mark.begin, mark.end, facecolor="#ececec", edgecolor="#c4c4c4",
                       hatch=hatch, linewidth=0.0, zorder=0.2)  # fmt: skip
        ax.axvline(mark.begin, color="#555555", linewidth=weight, linestyle=(0, (4, 2)), zorder=0.6)
    if labels and high > low:
        spots = [((mark.begin - low) / (high - low), mark) for mark in marks]
        for position, text in merge_labels(spots, width):
            ax.text(position, 1.015, text, transform=ax.transAxes, fontsize=TINY, ha="center",
                    va="bottom", color="#333333", clip_on=False)  # fmt: skip


def merge_labels(spots: Sequence[tuple[float, ShockMark]], width: float) -> list[tuple[float, str]]:
    """Merge the labels of marks until none overlap and none leaves the panel.

    Parameters
    ----------
    spots : sequence of (float, ShockMark)
        Place of each mark as a share of the panel's width.
    width : float
        Width of the panel [pt].

    Returns
    -------
    list of (float, str)
        Centre of each label as a share of the panel's width, and its text.
    """
    groups = [[spot] for spot in sorted(spots, key=lambda s: s[0])]
    while True:
        boxes = [_box(group, width) for group in groups]
        clashes = [
            (after[0][0] - before[-1][0], place)
            for place, (before, after) in enumerate(pairwise(groups))
            if boxes[place][2] > boxes[place + 1][1]
        ]
        if not clashes:
            return [(centre, text) for centre, _, _, text in boxes]
        _, place = min(clashes)
        groups[place : place + 2] = [groups[place] + groups[place + 1]]


def _box(group: list[tuple[float, ShockMark]], width: float) -> tuple[float, float, float, str]:
    """Return centre, left, right (shares of the panel's width) and text of a label."""
    text = _merged([mark for _, mark in group])
    half = (text_width(text, TINY) / 2 + 2.5) / width
    centre = (group[0][0] + group[-1][0]) / 2
    centre = min(max(centre, half), 1.0 - half) if half < 0.5 else 0.5
    return centre, centre - half, centre + half, text


def _merged(marks: list[ShockMark]) -> str:
    texts = list(dict.fromkeys(mark.text for mark in marks))
    if len(texts) == 1:
        return texts[0] if len(marks) == 1 else f"{len(marks)}\N{MULTIPLICATION SIGN} {texts[0]}"
    if len(marks) == 2 and len(", ".join(texts)) <= 24:
        return ", ".join(texts)
    kinds = Counter(mark.kind for mark in marks)
    if len(kinds) == 1:
        kind = next(iter(kinds))
        return f"{len(marks)} {_PLURAL.get(kind, kind)}"
    return f"{len(marks)} shocks"


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """Return the width of a text in the house font [pt]."""
    font = FontProperties(family="DejaVu Sans", size=size)
    return float(TextPath((0, 0), text, prop=font).get_extents().width) if text.strip() else 0.0
