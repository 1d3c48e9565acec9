"""What a reverse stress test answers, with the runs that prove it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.experiments.plan import columns_of
from sim.experiments.statistics import Estimate, runs_needed, share_interval
from sim.experiments.ways import RangeWay, Ray

if TYPE_CHECKING:
    from sim.experiments.mixes import Mix
    from sim.experiments.search import Search, SearchPlan
    from sim.experiments.threshold import Threshold
    from sim.experiments.ways import Way
    from sim.report.thresholds import Drawing
    from sim.schema.experiment_reverse import NamedCondition


@dataclass(frozen=True, slots=True)
class Answer:
    """Where one condition begins to hold.

    Attributes
    ----------
    name, condition : str
        The condition.
    probability : float
        Share of replications asked for.
    status : str
        ``found``; ``everywhere`` (it holds at the harmless end already); ``nowhere``.
    point : dict
        Values of the factors at the nearest place seen at which it holds with the probability;
        empty where there is none.
    below : dict
        The farthest place before it at which it does not.
    size : float
        What was minimised: the value of a single factor, the distance of a mix from the base; NaN
        where there is none.
    low, high : float
        Interval of `size`; NaN where there are too few replications, infinite where it goes
        beyond what was searched.
    share, share_below : Estimate or None
        Share of replications in which it holds at the point and below it.
    cell, cell_below : int or None
        Their cells in the table of runs.
    remarks : tuple of str
        What speaks against the answer, and what it rests on.
    runs : int
        Runs that were looked at along the way.
    axis : str
        What `size` is.
    way : Way
        The way that was halved.
    threshold : Threshold
        What was found along it.
    mix : Mix or None
        The best mix that was tried before, of several factors.
    """

    name: str
    condition: str
    probability: float
    status: str
    point: dict[str, Any]
    below: dict[str, Any]
    size: float
    low: float
    high: float
    share: Estimate | None
    share_below: Estimate | None
    cell: int | None
    cell_below: int | None
    remarks: tuple[str, ...]
    runs: int
    axis: str
    way: Way
    threshold: Threshold
    mix: Mix | None

    @property
    def monotone(self) -> bool:
        """Whether nothing was seen that speaks against a single threshold."""
        return self.threshold.monotone

    def row(self) -> dict[str, Any]:
        """Return the answer as a row of a table."""
        return {
            "name": self.name,
            "condition": self.condition,
            "probability": self.probability,
            "status": self.status,
            **self.point,
            "size": self.size,
            "low": self.low,
            "high": self.high,
            **{f"below.{name}": value for name, value in self.below.items()},
            "share": self.share.value if self.share else math.nan,
            "share_below": self.share_below.value if self.share_below else math.nan,
            "cell": self.cell,
            "cell_below": self.cell_below,
            "monotone": self.monotone,
            "runs": self.runs,
            "remarks": "; ".join(self.remarks),
        }

    def drawing(self) -> Drawing:
        """Return what a figure shows of the answer."""
        from sim.report.thresholds import Drawing

        found = self.threshold
        size = _sizes(self.way)
        everyone = found.lower.size
        lower, upper = ([], []) if found.by_shares else (found.lower.tolist(), found.upper.tolist())
        shares = [
            (size(place), share_interval(held, asked))
            for place, held, asked in found.shares()
            if asked == everyone
        ]
        return Drawing(
            title=self.condition,
            axis=self.axis,
            probability=self.probability,
            shares=[(x, e.value, e.low, e.high) for x, e in shares],
            lower=[size(x) for x in lower],
            upper=[size(x) for x in upper],
            runs=[(size(place), holds) for (place, _), holds in sorted(found.seen.items())],
            answer=self.size,
            interval=(self.low, self.high),
            falling=isinstance(self.way, RangeWay) and self.way.falling,
        )


def answer_of(
    plan: SearchPlan,
    search: Search,
    asked: NamedCondition,
    way: Way,
    threshold: Threshold,
    mix: Mix | None,
) -> Answer:
    """Return what a threshold along a way says about a condition."""
    assert plan.experiment.reverse is not None
    probability = plan.experiment.reverse.probability
    names = columns_of(plan)
    size = _sizes(way)
    places = (threshold.place, threshold.below)
    settings = [way.at(x) if math.isfinite(x) else None for x in places]
    cells = [None if values is None else search.number(values) for values in settings]
    shares = [_share(threshold, x) if math.isfinite(x) else None for x in places]
    point, below = (dict(zip(names, v, strict=True)) if v else {} for v in settings)
    status = "found"
    if not math.isfinite(threshold.place):
        status = "nowhere"
    elif not math.isfinite(threshold.below):
        status = "everywhere"
    low, high = sorted((size(threshold.low), size(threshold.high)))
    return Answer(
        name=asked.name,
        condition=asked.condition,
        probability=probability,
        status=status,
        point=point,
        below=below,
        size=size(threshold.place) if point else math.nan,
        low=low,
        high=high,
        share=shares[0],
        share_below=shares[1],
        cell=cells[0],
        cell_below=cells[1],
        remarks=tuple(_remarks(plan, search, asked, way, threshold, mix)),
        runs=len(threshold.seen),
        axis=way.factor.column if isinstance(way, RangeWay) else "distance from the base",
        way=way,
        threshold=threshold,
        mix=mix,
    )


def _sizes(way: Way) -> Any:
    """Return what gives the size of a place: the value of one factor, or a distance."""
    falling = isinstance(way, RangeWay) and way.falling

    def size(place: float) -> float:
        if not math.isfinite(place):
            return -place if falling else place
        if isinstance(way, Ray):
            return place * way.length
        assert isinstance(way, RangeWay)
        return float(way.value(place))

    return size


def _share(threshold: Threshold, place: float) -> Estimate:
    held = [holds for (x, _), holds in threshold.seen.items() if x == place]
    return share_interval(sum(held), len(held))


def _remarks(
    plan: SearchPlan,
    search: Search,
    asked: NamedCondition,
    way: Way,
    threshold: Threshold,
    mix: Mix | None,
) -> Iterator[str]:
    """Yield what a reader has to know beside the figures."""
    assert plan.experiment.reverse is not None
    block, everyone = plan.experiment.reverse, threshold.lower.size
    size = _sizes(way)
    if threshold.disorder:
        yield (
            f"not monotone: in {len(threshold.disorder)} of {everyone} seeds the condition holds "
            "at one point and not at a farther one"
        )
    if len(threshold.crossings) > 1:
        between = ", ".join(
            f"{a:g} and {b:g}" for a, b in ((size(x), size(y)) for x, y in threshold.crossings)
        )
        yield f"not monotone: the share crosses the probability between {between}"
    unknown = sum(
        search.figure(way.at(place), r, asked.name) is None for place, r in threshold.seen
    )
    if unknown:
        yield f"without a value, and taken not to hold, in {unknown} of {len(threshold.seen)} runs"
    needed = runs_needed(block.probability, block.confidence)
    if threshold.by_shares:
        yield (
            "no interval: seeds that go back and forth have no threshold of their own; the first "
            "rise of the share of all seeds was halved instead"
        )
    elif everyone < needed:
        yield f"no interval: it takes {needed} replications, there are {everyone}"
    if mix is not None:
        if mix.found:
            yield f"the nearest of {mix.tried} mixes tried; a nearer one may exist"
        else:
            yield f"at none of {mix.tried} mixes tried; the highest share was {mix.share:g}"
