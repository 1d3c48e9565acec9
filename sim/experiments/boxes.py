"""Boxes of factors: limits, the points within them, and how likely a limit is luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.core.arrays import BoolArray, FloatArray

Limit = tuple[float, float] | frozenset[str] | None
"""What a box asks of a factor: bounds of a number, some of its words, or nothing."""


@dataclass(frozen=True, slots=True)
class Column:
    """Values of a factor.

    Attributes
    ----------
    name : str
        Factor.
    values : (N,) float64 or object
        One per point; numbers, or words for a factor without order.
    """

    name: str
    values: FloatArray | NDArray[np.object_]

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers."""
        return bool(np.issubdtype(self.values.dtype, np.number))

    @property
    def numbers(self) -> FloatArray:
        """The values of a numeric factor, (N,)."""
        return np.asarray(self.values, dtype=np.float64)

    def holds(self, limit: Limit) -> BoolArray:
        """Return for each point whether a limit lets it in, (N,)."""
        if limit is None:
            return np.ones(len(self.values), dtype=np.bool_)
        if isinstance(limit, frozenset):
            return np.isin(self.values.astype(str), sorted(limit))
        return np.asarray((self.values >= limit[0]) & (self.values <= limit[1]), dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Box:
    """A box and the points in it.

    Attributes
    ----------
    limits : tuple of Limit
        One per column; an end of a number's bounds that nobody set is infinite.
    inside : (N,) bool
        Points in the box.
    cases : int
        Points of interest in it.
    """

    limits: tuple[Limit, ...]
    inside: BoolArray
    cases: int

    @property
    def points(self) -> int:
        """Points in the box."""
        return int(self.inside.sum())

    @property
    def density(self) -> float:
        """Share of its points that are of interest."""
        return self.cases / self.points if self.points else 0.0

    @property
    def restricted(self) -> int:
        """Number of factors that it restricts."""
        return sum(limit is not None for limit in self.limits)


def whole(columns: Sequence[Column], interest: BoolArray, among: BoolArray) -> Box:
    """Return the box without limits."""
    return Box((None,) * len(columns), among.copy(), int((among & interest).sum()))


def with_limit(
    box: Box,
    columns: Sequence[Column],
    interest: BoolArray,
    k: int,
    limit: Limit,
    among: BoolArray | None = None,
) -> Box:
    """Return a box with another limit on one factor.

    Parameters
    ----------
    box : Box
        The box.
    columns : sequence of Column
        Factors.
    interest : (N,) bool
        Which points are of interest.
    k : int
        Factor whose limit it is.
    limit : Limit
        The limit; a narrower one than the box has if `among` is left out.
    among : (N,) bool, optional
        Points that may be in the box, if the limit is wider.
    """
    limits = (*box.limits[:k], limit, *box.limits[k + 1 :])
    if among is None:
        inside = box.inside & columns[k].holds(limit)
    else:
        inside = among.copy()
        for column, asked in zip(columns, limits, strict=True):
            inside &= column.holds(asked)
    return Box(limits, inside, int((inside & interest).sum()))


def simplified(box: Box, columns: Sequence[Column], interest: BoolArray, among: BoolArray) -> Box:
    """Return the same points with fewer limits: those that keep nobody out are dropped."""
    for k, limit in enumerate(box.limits):
        if limit is None:
            continue
        easier: list[Limit] = [None]
        if not isinstance(limit, frozenset):
            easier += [(-np.inf, limit[1]), (limit[0], np.inf)]
        for wider in easier:
            other = with_limit(box, columns, interest, k, wider, among)
            if wider != limit and other.points == box.points:
                box = other
                break
    return box


def quasi_p(
    box: Box, columns: Sequence[Column], interest: BoolArray, among: BoolArray
) -> list[tuple[int, str, float]]:
    """Return how likely each restriction is luck.

    Returns
    -------
    list of (int, str, float)
        Column, end (``low``, ``high`` or ``words``), and the quasi-p-value.

    Notes
    -----
    Without the restriction n' points are in the box, k' of them of interest; the value is the
    probability that of the n points with it as many as are, or more, are of interest by chance:
    ``P(B >= k)`` with B ~ Binomial(n, k' / n') [1]_.

    References
    ----------
    .. [1] B. P. Bryant, R. J. Lempert, Technological Forecasting & Social Change 77 (2010) 34-49.
    """
    from scipy.stats import binom

    found: list[tuple[int, str, float]] = []
    for k, limit in enumerate(box.limits):
        freed: list[tuple[str, Limit]] = []
        if isinstance(limit, frozenset):
            freed.append(("words", None))
        elif limit is not None:
            low, high = limit
            if np.isfinite(low):
                freed.append(("low", (-np.inf, high)))
            if np.isfinite(high):
                freed.append(("high", (low, np.inf)))
        for end, wider in freed:
            other = with_limit(box, columns, interest, k, wider, among)
            chance = binom.sf(box.cases - 1, box.points, other.density)
            found.append((k, end, float(chance)))
    return found
