"""Scores of settings, in a search and on seeds that it did not use."""

from __future__ import annotations

from collections.abc import Sequence
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
