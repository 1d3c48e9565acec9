"""The point on a way from harmless to harmful at which a condition begins to hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from sim.core.arrays import FloatArray
from sim.experiments.statistics import runs_needed

Ask = Callable[[list[tuple[float, int]]], list[bool]]
"""Answers, for pairs of a place on the way and a replication, whether the condition holds."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where a condition begins to hold with a probability.

    Attributes
    ----------
    place : float
        Nearest place on the way, 0 to 1, at which it was seen to hold in enough replications;
        0 where it holds from the start, infinite where it nowhere does.
    below : float
        Farthest place before it at which it was not; minus infinity where there is none.
    low, high : float
        Interval of the place; NaN for both where there are too few replications for one. An end
        may be minus infinity or infinite: it lies beyond the way.
    lower, upper : (R,) float64
        For each replication a bracket of its own threshold. Those that cannot matter stay wide.
    seen : dict of (float, int) to bool
        Every answer, by place and replication.
    disorder : tuple of int
        Replications in which it holds somewhere and does not farther on.
    crossings : tuple of (float, float)
        Neighbouring places at which every replication was asked, between which the share of those
        in which it holds rises to the probability or falls below it.
    by_shares : bool
        Whether `place` and `below` come of halving where the share of all replications rises,
        because their own thresholds, which go back and forth, lead to a place at which it does
        not hold often enough. There is no interval then.
    """

    place: float
    below: float
    low: float
    high: float
    lower: FloatArray
    upper: FloatArray
    seen: dict[tuple[float, int], bool]
    disorder: tuple[int, ...]
    crossings: tuple[tuple[float, float], ...]
    by_shares: bool = False

    @property
    def monotone(self) -> bool:
        """Whether nothing was seen that speaks against a single threshold."""
        return not self.disorder and len(self.crossings) <= 1

    def shares(self) -> list[tuple[float, int, int]]:
        """Return place, replications in which it holds and replications asked, by place."""
        table: dict[float, list[bool]] = {}
        for (place, _), holds in self.seen.items():
            table.setdefault(place, []).append(holds)
        return [(place, sum(answers), len(answers)) for place, answers in sorted(table.items())]


def find_threshold(
    ask: Ask,
    replications: int,
    probability: float,
    *,
    tolerance: float = 0.01,
    scan: int = 4,
    level: float = 0.95,
) -> Threshold:
    """Find where a condition begins to hold in a share of the replications.

    Parameters
    ----------
    ask : callable
        Runs what it has not run yet.
    replications : int
        R of them, each with the same random numbers at every place.
    probability : float
        Share p of the replications, in (0, 1).
    tolerance : float
        Width of the brackets at which bisection ends, as a share of the way.
    scan : int
        Parts into which the way is cut first.
    level : float
        Confidence of the interval.

    Notes
    -----
    With common random numbers each replication r has a threshold T_r of its own, and the condition
    holds at x in the share F(x) of the replications with T_r <= x. So the place sought is the
    order statistic of rank k = ceil(R p) of the T_r, and its distribution-free interval goes from
    rank l to rank u, the largest and the smallest with, for B ~ Binomial(R, p), P(B < l) <= a/2
    and P(B >= u) <= a/2 [1]_. Each T_r lies in a bracket; the brackets that overlap the possible
    range of one of the three ranks are halved until all three are known to the tolerance. Then
    every replication is run at both ends of the answer, whatever its bracket says.

    A replication that goes back and forth counts by the first place of the scan at which the
    condition held. If therefore the condition holds too rarely at the answer, or often enough below
    it, the first rise of the share between places at which every replication was asked is halved
    instead, all replications at every place.

    References
    ----------
    .. [1] H. A. David, H. N. Nagaraja, Order Statistics, 3rd ed., Wiley 2003, section 7.1.
    """
    seen: dict[tuple[float, int], bool] = {}

    def look(wanted: Iterable[tuple[float, int]]) -> None:
        pairs = [pair for pair in dict.fromkeys(wanted) if pair not in seen]
        seen.update(zip(pairs, ask(pairs) if pairs else (), strict=True))

    grid = [float(place) for place in np.linspace(0.0, 1.0, scan + 1)]
    everyone = range(replications)
    look((place, r) for place in grid for r in everyone)
    lower, upper = _brackets(grid, replications, seen)
    ranks = _ranks(replications, probability, level)
    while wanted := _to_halve(lower, upper, ranks, tolerance):
        middles = [(r, (lower[r] + upper[r]) / 2) for r in wanted]
        look((float(middle), r) for r, middle in middles)
        for r, middle in middles:
            (upper if seen[float(middle), r] else lower)[r] = middle
    starts, ends = np.sort(lower), np.sort(upper)
    rank = ranks[1]
    place, below = float(ends[rank - 1]), float(starts[rank - 1])
    places = sorted({*grid, *_finite(below, place)})
    look((x, r) for x in places for r in everyone)

    def enough(x: float) -> bool:
        look((x, r) for r in everyone)
        return sum(seen[x, r] for r in everyone) >= probability * replications - 1e-9

    by_shares = (math.isfinite(place) and not enough(place)) or (
        math.isfinite(below) and enough(below)
    )
    if by_shares:
        place, below = _first_rise(places, enough, tolerance)
        places = sorted({*places, *_finite(below, place)})
    known = replications >= runs_needed(probability, level) and not by_shares
    return Threshold(
        place=place,
        below=below,
        low=float(starts[ranks[0] - 1]) if known else math.nan,
        high=float(ends[ranks[2] - 1]) if known else math.nan,
        lower=lower,
        upper=upper,
        seen=seen,
        disorder=_disorder(seen, replications),
        crossings=_crossings(places, [enough(x) for x in places]),
        by_shares=by_shares,
    )


def _finite(*places: float) -> list[float]:
    return [place for place in places if math.isfinite(place)]


def _brackets(
    grid: list[float], replications: int, seen: dict[tuple[float, int], bool]
) -> tuple[FloatArray, FloatArray]:
    """Return for each replication the last place before and the first at which it holds."""
    lower, upper = np.full(replications, -math.inf), np.full(replications, math.inf)
    for r in range(replications):
        for place in grid:
            if seen[place, r]:
                upper[r] = place
                break
            lower[r] = place
    return lower, upper


def _ranks(replications: int, probability: float, level: float) -> tuple[int, int, int]:
    """Return the ranks, from 1, of the interval's lower end, the estimate and the upper end."""
    from scipy.stats import binom

    tail = (1 - level) / 2
    every = np.arange(1, replications + 1)
    rank = max(1, math.ceil(replications * probability - 1e-9))
    low = every[binom.cdf(every - 1, replications, probability) <= tail].max(initial=1)
    high = every[binom.sf(every - 1, replications, probability) <= tail].min(initial=replications)
    if replications < runs_needed(probability, level):
        return rank, rank, rank
    return int(low), rank, int(high)


def _to_halve(
    lower: FloatArray, upper: FloatArray, ranks: tuple[int, int, int], tolerance: float
) -> list[int]:
    """Return the replications whose brackets keep one of the ranks from being known."""
    starts, ends = np.sort(lower), np.sort(upper)
    wide = np.isfinite(lower) & np.isfinite(upper) & (upper - lower > tolerance)
    matters = np.zeros(lower.size, dtype=bool)
    for rank in set(ranks):
        a, b = starts[rank - 1], ends[rank - 1]
        if b - a > tolerance:
            matters |= (lower < b) & (upper > a)
    return [int(r) for r in np.flatnonzero(wide & matters)]


def _disorder(seen: dict[tuple[float, int], bool], replications: int) -> tuple[int, ...]:
    """Return the replications in which the condition holds and, farther on, does not."""
    first, last = np.full(replications, math.inf), np.full(replications, -math.inf)
    for (place, r), holds in seen.items():
        if holds:
            first[r] = min(first[r], place)
        else:
            last[r] = max(last[r], place)
    return tuple(int(r) for r in np.flatnonzero(last > first))


def _first_rise(
    places: list[float], enough: Callable[[float], bool], tolerance: float
) -> tuple[float, float]:
    """Return the first place with a large enough share, and the one before it, halved.

    Infinite where no place has one; minus infinity where none is before it.
    """
    first = next((k for k, place in enumerate(places) if enough(place)), None)
    if first is None:
        return math.inf, places[-1]
    if first == 0:
        return places[0], -math.inf
    below, place = places[first - 1], places[first]
    while place - below > tolerance:
        middle = (below + place) / 2
        below, place = (below, middle) if enough(middle) else (middle, place)
    return place, below


def _crossings(places: list[float], enough: list[bool]) -> tuple[tuple[float, float], ...]:
    """Return the neighbouring places between which the share crosses the probability."""
    return tuple(
        (places[k], places[k + 1]) for k in range(len(places) - 1) if enough[k] != enough[k + 1]
    )
