"""Scores of settings, in a search and on seeds that it did not use."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sim.experiments.objectives import Goal
from sim.experiments.search import Values
from sim.experiments.statistics import Estimate


@dataclass(frozen=True, slots=True)
class Score:
    """A setting with its objectives.

    Attributes
    ----------
    cell : int
        Its cell in the table of runs.
    values : tuple
        Of the factors, in order.
    named : dict
        Value by column.
    estimates : tuple of Estimate
        Of each objective; empty where there is a reason.
    reason : str or None
        Why it has none.
    """

    cell: int
    values: Values
    named: dict[str, Any]
    estimates: tuple[Estimate, ...]
    reason: str | None


@dataclass(frozen=True, slots=True)
class Finalist:
    """One of the best settings, judged again.

    Attributes
    ----------
    score : Score
        On the seeds of the search.
    fresh : tuple of Estimate
        On fresh seeds.
    led : bool
        Whether it was on the front in the search.
    stays : bool
        Whether no other finalist dominates it on the fresh seeds.
    """

    score: Score
    fresh: tuple[Estimate, ...]
    led: bool
    stays: bool

    def row(self, goals: Sequence[Goal]) -> dict[str, Any]:
        """Return it as a row of a table; `in search` stands beside what fresh seeds say."""
        row: dict[str, Any] = {"cell": self.score.cell, **self.score.named}
        for goal, fresh, before in zip(goals, self.fresh, self.score.estimates, strict=True):
            row[goal.title] = fresh.value
            row[f"{goal.title} low"], row[f"{goal.title} high"] = fresh.low, fresh.high
            row[f"{goal.title} in search"] = before.value
        return {**row, "led": self.led, "stays": self.stays}

    def resembles(self, other: Finalist) -> bool:
        """Whether the intervals of all objectives overlap with another's."""
        return all(
            ours.low <= theirs.high and theirs.low <= ours.high
            for ours, theirs in zip(self.fresh, other.fresh, strict=True)
        )


def remarks_of(scores: Sequence[Score], finalists: Sequence[Finalist]) -> Iterator[str]:
    """Yield what a reader has to know beside the figures of an optimisation."""
    front = [finalist for finalist in finalists if finalist.stays]
    rest = [finalist for finalist in finalists if not finalist.stays]
    fallen, led = sum(f.led for f in rest), sum(f.led for f in finalists)
    if fallen:
        yield f"{fallen} of {led} settings on the front are dominated on fresh seeds"
    alike = sum(any(a.resembles(b) for b in front if b is not a) for a in front)
    more = "more replications may tell them apart"
    if alike:
        yield (
            f"{alike} of {len(front)} undominated settings have intervals that overlap with "
            f"another's in every objective; {more}"
        )
    near = sum(any(a.resembles(b) for b in front) for a in rest)
    if near:
        yield (
            f"{near} of {len(rest)} dominated finalists have intervals that overlap with an "
            f"undominated one's in every objective; {more}"
        )
    if any(math.isnan(estimate.low) for finalist in finalists for estimate in finalist.fresh):
        yield (
            "no intervals: from so few fresh replications it is not known how much is luck, and "
            "the front may be; give `fresh`"
        )
    failed = [score for score in scores if score.reason is not None]
    if failed:
        yield (
            f"{len(failed)} of {len(scores)} settings have no score, the first of them cell "
            f"{failed[0].cell}: {failed[0].reason}"
        )
