"""Shocks as marks on a time axis: what is drawn of each, and where its label stands.

An event the user named is a line with its name; a change of depth or an outage is a strip; any
other shock of prices is a thin line, and none of those is drawn where there are many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from sim.report.style import TINY

MAX_TICKS = 6
MAX_STRIPS = 3
LEVELS = 2
_GAP = 5.0  # [pt] between two labels
_STRIPS = {"depth": "depth shocks", "outage": "outages"}
_PRICES = ("jump", "ramp", "path")
_TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class ShockMark:
    """One shock on the time axis.

    Parameters
    ----------
    kind : str
        Kind of the shock as the scenario writes it.
    begin, end : float
        From and until [s since start]; equal for an instant.
    label : str or None
        The name the user gave it, safe to draw.
    asset, venue, symbol : str or None
        What it strikes; None for all.
    factor : float
        Depth over its usual level [1]; 1 for other kinds.
    """

    kind: str
    begin: float
    end: float
    label: str | None = None
    asset: str | None = None
    venue: str | None = None
    symbol: str | None = None
    factor: float = 1.0

    @property
    def is_strip(self) -> bool:
        """Whether it is drawn as a strip: a state that lasts, and no event."""
        return self.kind in _STRIPS and self.end > self.begin

    @property
    def subject(self) -> str:
        """What a strip is about: its label, or what it strikes."""
        where = " ".join(name for name in (self.venue, self.symbol, self.asset) if name)
        return self.label or f"{where} {self.kind}".strip()


class Strip(NamedTuple):
    """States of one subject: their kind, their text, and from when until when each lasts."""

    kind: str
    text: str
    spans: tuple[tuple[float, float], ...]


class Label(NamedTuple):
    """A label above an axis: its left end as share of the panel's width, its text, its level."""

    left: float
    text: str
    level: int


def shock_marks(
    shocks: Iterable[Mapping[str, Any]], last: float, tick: float = 0.0
) -> tuple[ShockMark, ...]:
    """Return what to mark of a scenario's shocks, in order of time.

    Diffusions without a label are no events and are not marked; shocks after the last tick
    `last` [s] never happened and are not marked either. The end of the axis is `tick` later.
    """
    close = last + tick if last > 0.0 else last
    marks = [_mark(shock, close) for shock in shocks]
    shown = [
        mark
        for mark in marks
        if mark.begin <= last and (mark.label or mark.kind in (*_STRIPS, *_PRICES))
    ]
    return tuple(sorted(shown, key=lambda mark: (mark.begin, mark.end, mark.subject)))


def _mark(shock: Mapping[str, Any], close: float) -> ShockMark:
    kind = str(shock["kind"])
    begin = float(shock.get("at") or 0.0)
    end = begin
    if kind in ("ramp", "outage"):
        end = begin + float(shock.get("duration") or 0.0)
    elif kind in ("depth", "gbm", "jump_diffusion"):
        until = shock.get("until")
        end = close if until is None else float(until)
    elif kind == "path":
        points = shock.get("points")
        end = begin + float(points[-1][0]) if points else close
        begin = begin + float(points[0][0]) if points else begin
    label = shock.get("label")
    return ShockMark(
        kind,
        begin,
        min(end, close),
        None if label is None else str(label).replace("$", r"\$"),
        shock.get("asset"),
        shock.get("venue"),
        shock.get("symbol"),
        float(shock.get("factor", 1.0)),
    )


def within(marks: Sequence[ShockMark], first: float, last: float) -> list[ShockMark]:
    """Return the events from `first` to `last` [s] and what strips cover of that time."""
    seen = []
    for mark in marks:
        if mark.is_strip and mark.begin < last and mark.end > first:
            cut = replace(mark, begin=max(mark.begin, first), end=min(mark.end, last))
            seen.append(cut)
        elif not mark.is_strip and first <= mark.begin <= last:
            seen.append(mark)
    return seen


def events(marks: Sequence[ShockMark]) -> list[tuple[float, str]]:
    """Return time [s] and name of the events the user named, each once, in order of time."""
    named = {(mark.begin, mark.label) for mark in marks if mark.label and not mark.is_strip}
    return sorted((begin, label) for begin, label in named if label)


def ticks(marks: Sequence[ShockMark]) -> list[float]:
    """Return the times [s] at which prices are shocked without a name; none if over six."""
    named = {begin for begin, _ in events(marks)}
    found = {mark.begin for mark in marks if mark.kind in _PRICES and not mark.label} - named
    return sorted(found) if len(found) <= MAX_TICKS else []


def strips(marks: Sequence[ShockMark]) -> list[Strip]:
    """Return the changes of depth and the outages, one strip per subject, at most three.

    With more subjects there is one strip for all changes of depth and one for all outages.
    """
    groups: dict[tuple[str, str], list[ShockMark]] = {}
    for mark in marks:
        if mark.is_strip:
            groups.setdefault((mark.kind, mark.subject), []).append(mark)
    if len(groups) <= MAX_STRIPS:
        return [Strip(kind, _text(group), _spans(group)) for (kind, _), group in groups.items()]
    merged = {kind: [m for m in marks if m.is_strip and m.kind == kind] for kind in _STRIPS}
    return [Strip(kind, _STRIPS[kind], _spans(group)) for kind, group in merged.items() if group]


def _text(group: Sequence[ShockMark]) -> str:
    """Return the label of a strip; without one of the user's, how deep the books are."""
    first = group[0]
    if first.label or first.kind != "depth":
        return first.subject
    edges = sorted({edge for mark in group for edge in (mark.begin, mark.end)})
    levels = [
        prod(mark.factor for mark in group if mark.begin <= left and mark.end >= right)
        for left, right in pairwise(edges)
        if any(mark.begin <= left and mark.end >= right for mark in group)
    ]
    bounds = dict.fromkeys(f"{_TIMES}{level:.2g}" for level in (max(levels), min(levels)))
    return f"{first.subject} {' to '.join(bounds)}"


def _spans(group: Sequence[ShockMark]) -> tuple[tuple[float, float], ...]:
    """Return the union of the times of some marks."""
    found: list[tuple[float, float]] = []
    for begin, end in sorted((mark.begin, mark.end) for mark in group):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return tuple(found)


def place_labels(spots: Sequence[tuple[float, str]], width: float) -> list[Label]:
    """Place labels over their lines, on up to two levels, so that none overlap.

    Parameters
    ----------
    spots : sequence of (float, str)
        Place of each line as a share of the panel's width, rising, and its label.
    width : float
        Width of the panel [pt].

    Returns
    -------
    list of Label
        Labels stand over the middle of their line, else begin or end at it; one that fits
        nowhere is left out.
    """
    edges = [-_GAP] * LEVELS
    placed = []
    for share, text in spots:
        size = text_width(text, TINY)
        middle = min(max(share * width - size / 2, 0.0), width - size)
        for level, left in (
            (level, left)
            for level in range(LEVELS)
            for left in (middle, share * width, share * width - size)
        ):
            if left >= max(edges[level] + _GAP, 0.0) and left + size <= width:
                placed.append(Label(left / width, text, level))
                edges[level] = left + size
                break
    return placed


def text_width(text: str, size: float) -> float:
    """Return the width of a text in the house font [pt]."""
    return size * _unit_width(text)


@lru_cache(maxsize=4096)
def _unit_width(text: str) -> float:
    """Return the width of a text at the size of one point [pt]."""
    if not text.strip():
        return 0.0
    path = TextPath((0, 0), text, prop=FontProperties(family="DejaVu Sans", size=1.0))
    # The outlines of the font have points where they are outermost.
    across = path.vertices[path.codes != Path.CLOSEPOLY, 0]
    return float(across.max() - across.min())
