"""The ways that a reverse stress test walks: through one factor's range, or from a base."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from sim.core.arrays import FloatArray
from sim.engine.distributions import quantile
from sim.experiments.design import values_at
from sim.experiments.search import Values
from sim.experiments.search_plan import share_range

if TYPE_CHECKING:
    from sim.schema import Factor


class Way(Protocol):
    """A line from a harmless to a harmful setting."""

    def at(self, place: float) -> Values:
        """Return the values of the factors at a place from 0 to 1."""


Frame = tuple[tuple[Any, ...], ...]
"""For each factor nothing, or the one value that it keeps."""


def frame_of(factors: Sequence[Factor]) -> Frame:
    """Return which factors keep the only value that they list."""
    return tuple(tuple(factor.values or ()) for factor in factors)


def framed(frame: Frame, free: Sequence[Any]) -> Values:
    """Return the values of all factors: the fixed ones, and those of the free ones in order."""
    left = iter(free)
    return tuple(kept[0] if kept else next(left) for kept in frame)


@dataclass(frozen=True, slots=True)
class RangeWay:
    """Through the range of one factor.

    Attributes
    ----------
    factor : Factor
        With a range or a distribution.
    falling : bool
        Whether the way begins at the highest value.
    frame : Frame
        What the other factors keep.
    """

    factor: Factor
    falling: bool
    frame: Frame = ((),)

    def at(self, place: float) -> Values:
        """Return the values of all factors at a place from 0 to 1."""
        return framed(self.frame, [self.value(place)])

    def value(self, place: float) -> Any:
        """Return the factor's value at a place from 0 to 1."""
        low, high = share_range(self.factor)
        share = 1.0 - place if self.falling else place
        return values_at(self.factor, np.array([low + share * (high - low)]))[0]


@dataclass(frozen=True, slots=True)
class Axis:
    """A factor measured from a base in units of its own.

    Attributes
    ----------
    factor : Factor
        With a range or a distribution.
    base : float
        Value at distance 0; the median of a distribution where nothing else was said.
    unit : float
        One unit of distance: a difference, or a ratio on a log scale; not used by distributions.

    Notes
    -----
    With z the distance along the axis: ``x = base + z unit``; on a log scale
    ``x = base unit**z``; ``x = F^-1(Phi(z + z0))`` for a distribution F, z0 = Phi^-1(F(base)).
    """

    factor: Factor
    base: float
    unit: float
    origin: float = 0.0

    def ends(self) -> tuple[float, float]:
        """Return the least and the greatest z."""
        if self.factor.distribution is not None:
            low, high = share_range(self.factor)
            return float(ndtri(low)) - self.origin, float(ndtri(high)) - self.origin
        assert self.factor.range is not None
        found = sorted(self._distance(value) for value in self.factor.range)
        return found[0], found[1]

    def value(self, z: float) -> Any:
        """Return the factor's value at a distance."""
        if self.factor.distribution is not None:
            share = np.array([float(ndtr(z + self.origin))])
            return values_at(self.factor, share)[0]
        assert self.factor.range is not None
        if self.factor.scale == "log":
            found = self.base * math.exp(z * math.log(self.unit))
        else:
            found = self.base + z * self.unit
        low, high = self.factor.range
        found = min(max(found, low), high)
        return round(found) if self.factor.whole else found

    def _distance(self, value: float) -> float:
        if self.factor.scale == "log":
            return math.log(value / self.base) / math.log(self.unit)
        return (value - self.base) / self.unit


def axis_of(factor: Factor, base: float | None, unit: float | None) -> Axis:
    """Return the axis of a factor.

    Raises
    ------
    ValueError
        If the base lies outside its range, or the unit is none; says what is allowed.
    """
    if factor.distribution is not None:
        return _distribution_axis(factor, base, unit)
    assert factor.range is not None
    low, high = factor.range
    if base is None:
        raise ValueError("found nothing; allowed: a value to measure from, in reverse.base")
    if not low <= base <= high:
        raise ValueError(
            f"found a base of {base:g}; allowed: one in the range, {low:g} to {high:g}: widen it, "
            "or set reverse.base"
        )
    log = factor.scale == "log"
    if unit is None:
        unit = max(high / low, low / high) if log else high - low
    if not unit > (1.0 if log else 0.0):
        least = "a ratio above 1" if log else "a number above 0"
        raise ValueError(f"found {unit:g}; allowed: {least}")
    return Axis(factor, base, unit)


def _distribution_axis(factor: Factor, base: float | None, unit: float | None) -> Axis:
    if unit is not None:
        raise ValueError(f"found {unit:g}; allowed: no unit, a distribution has its own")
    assert factor.distribution is not None
    law = factor.distribution
    low, high = share_range(factor)

    def at(share: float) -> float:
        return float(quantile(law, np.array([share]))[0])

    if not at(low) < at(high):
        raise ValueError("found a distribution of one value; allowed: one that spreads")
    if base is None:
        return Axis(factor, at(0.5), 1.0)
    if not at(low) <= base <= at(high):
        raise ValueError(f"found a base of {base:g}; allowed: one from {at(low):g} to {at(high):g}")
    share = brentq(lambda u: at(u) - base, low, high)
    return Axis(factor, base, 1.0, float(ndtri(share)))


@dataclass(frozen=True, slots=True)
class Ray:
    """From the base, in a straight line of distances.

    Attributes
    ----------
    axes : sequence of Axis
        Of every free factor.
    end : (F,) float64
        Distances at the end.
    frame : Frame
        What the other factors keep.
    """

    axes: Sequence[Axis]
    end: FloatArray
    frame: Frame

    def at(self, place: float) -> Values:
        """Return the values of all factors at a place from 0 to 1."""
        pairs = zip(self.axes, self.end, strict=True)
        return framed(self.frame, [axis.value(float(place * z)) for axis, z in pairs])

    @property
    def length(self) -> float:
        """Distance of the end from the base: the root of the sum of squares."""
        return float(np.linalg.norm(self.end))
