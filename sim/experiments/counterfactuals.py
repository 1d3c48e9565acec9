"""The same world twice, but for what is changed: counterfactuals on common random numbers.

Replication r has the seed ``seed + r`` in both worlds. All draws come from streams named for their
purpose, so that what is not changed draws the same in both, and the differences of a replication
are free of most of the noise that the two runs share.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from sim.experiments.arguments import whole
from sim.experiments.changes import Change, as_changes
from sim.experiments.workers import Progress, Task, outcomes
from sim.experiments.worlds import changed, plain

if TYPE_CHECKING:
    from sim.experiments.outcome import Outcome
    from sim.schema import Scenario

LEVEL = 0.95
"""Confidence of intervals where none is asked for."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A factual and a counterfactual world, run on the same seeds.

    Attributes
    ----------
    changes : tuple of Change
    scenario : Scenario
        The counterfactual one, which `sim.run` runs and a run folder keeps.
    seeds : tuple of int, length R
    factual, counterfactual : pandas.DataFrame
        Row per replication (index `seed`), column per figure of
        `sim.experiments.outcome.outcome_of`; NaN where a run has none.
    """

    changes: tuple[Change, ...]
    scenario: Scenario
    seeds: tuple[int, ...]
    factual: pd.DataFrame
    counterfactual: pd.DataFrame

    @property
    def name(self) -> str:
        """The texts of the changes."""
        return " ".join(change.text for change in self.changes) or "unchanged"

    @property
    def differences(self) -> pd.DataFrame:
        """Counterfactual less factual figures, by replication."""
        return self.counterfactual - self.factual

    def summary(self, level: float = LEVEL) -> pd.DataFrame:
        r"""Return means over the replications and intervals of the mean difference.

        Parameters
        ----------
        level : float
            Confidence, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            Index `figure`; `factual`, `counterfactual`, `difference`, `low`, `high` in the unit of
            the figure; `correlation` [1] of the two worlds over the replications. NaN where there
            is no value: of intervals with one replication, of correlations with less than three.

        Raises
        ------
        ValueError
            If the level is not between 0 and 1.

        Notes
        -----
        With R paired differences of mean :math:`\bar d` and standard deviation s the interval is
        :math:`\bar d \pm t_{(1 + level)/2, R - 1}\, s / \sqrt R`. It assumes that replications
        are many or differences nearly normal.

        References
        ----------
        Law (2015), *Simulation Modeling and Analysis*, 5th ed., ch. 10.2 and 11.2: paired-t
        intervals and common random numbers.
        """
        difference = self.differences
        low, high = interval(difference, level)
        return pd.DataFrame(
            {
                "factual": self.factual.mean(skipna=False),
                "counterfactual": self.counterfactual.mean(skipna=False),
                "difference": difference.mean(skipna=False),
                "low": low,
                "high": high,
                "correlation": _correlation(self.factual, self.counterfactual),
            }
        ).rename_axis("figure")


def counterfactual(
    scenario: Scenario,
    what: Change | str | Iterable[Change | str],
    *,
    seed: int | None = None,
    replications: int = 1,
    workers: int = 1,
    progress: Progress | None = None,
) -> Comparison:
    """Run a scenario as it is and as it would be, on common random numbers.

    Parameters
    ----------
    scenario : Scenario
    what : Change, str or iterable of them
        What is changed, all at once; texts as `parse_change` reads them. Nothing may be changed.
    seed : int, optional
        Seed of the first replication, >= 0; the scenario's own by default.
    replications : int
        >= 1; replication r has the seed ``seed + r``.
    workers : int
        Processes; the result does not depend on it. With more than 1 the calling script needs the
        guard ``if __name__ == "__main__":``, as `multiprocessing` says.
    progress : callable, optional
        Called with (runs done, runs in all).

    Returns
    -------
    Comparison

    Raises
    ------
    ScenarioError
        A change names what the scenario does not have.
    ValueError
        Numbers out of their range, or a change that is none.
    RunError
        A run failed.
    """
    found, _ = compared(scenario, [as_changes(what)], seed, replications, workers, progress)
    return found[0]


def compared(
    scenario: Scenario,
    alternatives: Sequence[tuple[Change, ...]],
    seed: int | None = None,
    replications: int = 1,
    workers: int = 1,
    progress: Progress | None = None,
    by: str | None = None,
) -> tuple[list[Comparison], list[Outcome]]:
    """Compare a scenario with several others, each run once.

    Parameters
    ----------
    scenario, seed, replications, workers, progress
        As `counterfactual` takes them.
    alternatives : sequence of tuple of Change
        What is changed in each of the others.
    by : str, optional
        Whose network the factual outcomes have, ``venue`` or ``cohort``.

    Returns
    -------
    list of Comparison
        One for each alternative.
    list of Outcome, length R
        The factual ones.
    """
    seeds = seeds_of(scenario, seed, replications)
    others = [changed(scenario, changes) for changes in alternatives]
    tasks = [Task(plain(scenario), at, by) for at in seeds]
    tasks += [Task(written, at) for written in map(plain, others) for at in seeds]
    found = outcomes(tasks, workers, progress)
    before, *after = frames(found, seeds)
    comparisons = [
        Comparison(changes, other, seeds, before, figures)
        for changes, other, figures in zip(alternatives, others, after, strict=True)
    ]
    return comparisons, found[: len(seeds)]


def seeds_of(scenario: Scenario, seed: int | None, replications: int) -> tuple[int, ...]:
    """Return the seeds of the replications.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """
    first = whole("seed", scenario.seed if seed is None else seed, 0)
    replications = whole("replications", replications, 1)
    return tuple(range(first, first + replications))


def frames(found: Sequence[Outcome], seeds: Sequence[int]) -> list[pd.DataFrame]:
    """Return the figures of worlds, one after another, as a frame each with equal columns."""
    rows = [outcome.figures for outcome in found]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    count = len(seeds)
    return [
        pd.DataFrame(
            rows[start : start + count], index=pd.Index(seeds, name="seed"), columns=columns
        )
        for start in range(0, len(rows), count)
    ]


def interval(differences: pd.DataFrame, level: float) -> tuple[pd.Series, pd.Series]:
    """Return the ends of the t interval of each column's mean; NaN with one row.

    Raises
    ------
    ValueError
        If the level is not between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level!r}; allowed: a number between 0 and 1")
    count = len(differences)
    mean = differences.mean(skipna=False)
    if count < 2:
        return mean * np.nan, mean * np.nan
    half = differences.std(ddof=1, skipna=False) / np.sqrt(count)
    half = half * float(stats.t.ppf(0.5 + level / 2.0, count - 1))
    return mean - half, mean + half


def _correlation(one: pd.DataFrame, other: pd.DataFrame) -> pd.Series:
    """Return the correlation of each column; NaN with less than 3 rows or without variance."""
    if len(one) < 3:
        return pd.Series(np.nan, index=one.columns)
    first, second = one - one.mean(), other - other.mean()
    product = (first * second).sum(skipna=False)
    squares = (first**2).sum(skipna=False) * (second**2).sum(skipna=False)
    correlation: pd.Series = product / squares.where(squares > 0.0) ** 0.5
    return correlation
