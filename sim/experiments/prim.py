"""The patient rule induction method: boxes of factors in which something happens often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sim.core.arrays import BoolArray, FloatArray
from sim.experiments.boxes import Box, Column, whole, with_limit


def trajectory(
    columns: Sequence[Column],
    interest: BoolArray,
    *,
    among: BoolArray | None = None,
    peel: float = 0.05,
    paste: float = 0.05,
    mass: float = 0.05,
    patient: bool = True,
) -> list[Box]:
    """Return the boxes from the whole space to the densest, step by step.

    Parameters
    ----------
    columns : sequence of Column
        Factors.
    interest : (N,) bool
        Which points are of interest.
    among : (N,) bool, optional
        Points to look at; those of boxes found before are left out so.
    peel, paste : float [1]
        Share of the points in the box that a step cuts off, or adds again.
    mass : float [1]
        Least share of all N points that a box holds.
    patient : bool
        Whether to go on where no single step raises the density, in case a later one does; a
        stray case in a corner then ends nothing.

    Raises
    ------
    ValueError
        Without points or factors, where lengths differ, or a share is not in (0, 1).

    Notes
    -----
    Peeling cuts off the lowest or highest `peel` of a number, between two different values, or
    one word, whichever raises the density most per point lost,
    ``(density after - density before) / points lost``, until nothing raises it or the box would
    be too small. Patience takes the step that leaves the highest density where none raises it;
    what comes after the densest box is forgotten. Pasting adds again what raises the density of
    that box [1]_; boxes that it made end the list. Among equal steps the one that restricts fewer
    factors wins, then the first factor, upper end first.

    References
    ----------
    .. [1] J. H. Friedman, N. I. Fisher, Statistics and Computing 9 (1999) 123-143.
    """
    _check(columns, interest, peel, paste, mass)
    everywhere = np.ones(len(interest), dtype=np.bool_) if among is None else among
    boxes = [whole(columns, interest, everywhere)]
    least = mass * len(interest)
    while boxes[-1].density < 1.0:
        box = _best(boxes[-1], _peels(boxes[-1], columns, interest, peel), least, any_way=patient)
        if box is None:
            break
        boxes.append(box)
    densest = max(range(len(boxes)), key=lambda step: (boxes[step].density, -step))
    boxes = boxes[: densest + 1]
    while True:
        wider = _pastes(boxes[-1], columns, interest, everywhere, paste)
        box = _best(boxes[-1], wider, least)
        if box is None:
            return boxes
        boxes.append(box)


def _check(
    columns: Sequence[Column], interest: BoolArray, peel: float, paste: float, mass: float
) -> None:
    for name, share in (("peel", peel), ("paste", paste), ("mass", mass)):
        if not 0.0 < share < 1.0:
            raise ValueError(f"{name} must be between 0 and 1, found {share}")
    if not columns or not len(interest):
        raise ValueError(f"found {len(columns)} factors and {len(interest)} points, none allowed")
    for column in columns:
        if len(column.values) != len(interest):
            found = f"{len(column.values)} values of {column.name}"
            raise ValueError(f"{found} for {len(interest)} points")


def _best(
    box: Box, candidates: Iterator[Box], least: float, *, any_way: bool = False
) -> Box | None:
    """Return the candidate with the highest gain of density per point.

    Where none gains: the one with the highest density if `any_way`, else None.
    """
    gaining: tuple[tuple[float, int], Box] | None = None
    densest: tuple[tuple[float, int, int], Box] | None = None
    for other in candidates:
        if other.points == box.points or other.points < max(least, 1.0):
            continue
        gain = (other.density - box.density) / abs(other.points - box.points)
        score = (gain, -other.restricted)
        if gain > 0 and (gaining is None or score > gaining[0]):
            gaining = score, other
        dense = (other.density, other.points, -other.restricted)
        if any_way and (densest is None or dense > densest[0]):
            densest = dense, other
    if gaining is not None:
        return gaining[1]
    return None if densest is None else densest[1]


def _peels(box: Box, columns: Sequence[Column], interest: BoolArray, share: float) -> Iterator[Box]:
    """Yield the boxes that one peel makes."""
    for k, column in enumerate(columns):
        limit = box.limits[k]
        if not column.numeric:
            words = sorted({str(value) for value in column.values[box.inside]})
            for word in words if len(words) > 1 else ():
                yield with_limit(box, columns, interest, k, frozenset(words) - {word})
            continue
        low, high = limit if isinstance(limit, tuple) else (-np.inf, np.inf)
        values = column.numbers[box.inside]
        if values.min() < values.max():
            yield with_limit(box, columns, interest, k, (low, between(values, 1.0 - share)))
            yield with_limit(box, columns, interest, k, (between(values, share), high))


def _pastes(
    box: Box, columns: Sequence[Column], interest: BoolArray, among: BoolArray, share: float
) -> Iterator[Box]:
    """Yield the boxes that one paste makes."""
    for k, column in enumerate(columns):
        limit = box.limits[k]
        if limit is None:
            continue
        if isinstance(limit, frozenset):
            for word in sorted({str(value) for value in column.values[among]} - limit):
                yield with_limit(box, columns, interest, k, limit | {word}, among)
            continue
        low, high = limit
        others = with_limit(box, columns, interest, k, None, among).inside
        values = column.numbers
        below, above = values[others & (values < low)], values[others & (values > high)]
        if len(below):
            yield with_limit(box, columns, interest, k, (_edge(below, 1.0 - share), high), among)
        if len(above):
            yield with_limit(box, columns, interest, k, (low, _edge(above, share)), among)


def _edge(values: FloatArray, share: float) -> float:
    """Return where to cut the points beside a box; none are left beyond if all are alike."""
    return between(values, share) if values.min() < values.max() else float(values[0])


def between(values: FloatArray, share: float) -> float:
    """Return a quantile that lies halfway between two different values.

    Parameters
    ----------
    values : (n,) float64
        Not all alike.
    share : float [1]
        From below up to one half the cut moves up past equal values, above it down, so that
        something is always cut off.
    """
    ordered = np.sort(values.astype(np.float64))
    place = (len(ordered) - 1) * share
    lower, upper = int(np.floor(place)), int(np.ceil(place))
    if share > 0.5:
        while ordered[lower] == ordered[upper] and lower > 0:
            lower -= 1
    else:
        while ordered[lower] == ordered[upper] and upper < len(ordered) - 1:
            upper += 1
    return float((ordered[lower] + ordered[upper]) / 2)
