"""Systemic importance: what would not have happened without a venue or a cohort.

Every venue is silenced, ring-fenced and emptied in turn, every cohort left out, each in a world of
its own on the same seeds as the factual one. The avoided damage is measured, not inferred; network
measures of the factual runs stand beside it, and rank correlations say how well they would have
told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pandas as pd

from sim.cascade.measures import network_measures, rank_correlations
from sim.core.errors import Problem, ScenarioError
from sim.experiments.changes import Absent, Change, RingFence, Silence, Without
from sim.experiments.counterfactuals import LEVEL, Comparison, compared, interval
from sim.experiments.workers import Progress
from sim.schema.checks_counterfactual import group_names

if TYPE_CHECKING:
    from sim.schema import Scenario

By = Literal["venue", "cohort"]

CHANGES: dict[str, dict[str, Callable[[str], Change]]] = {
    "venue": {"silence": Silence, "fence": RingFence, "absent": Absent},
    "cohort": {"without": Without},
}
"""What is done to each venue or cohort, by the word of its text."""

DAMAGE = ("liquidated_notional", "adl_notional", "shortfall", "accounts_liquidated")
"""Figures of the damage in a whole world and at each venue or cohort."""


@dataclass(frozen=True, eq=False)
class Importance:
    """What each venue or cohort did to a system.

    Attributes
    ----------
    by : str
        ``venue`` or ``cohort``.
    comparisons : mapping
        The comparison with each counterfactual world, by name and word of the change.
    network : pandas.DataFrame
        Who hit whom in the factual runs, the mean over the replications; see
        `sim.experiments.outcome.network_of`.
    """

    by: By
    comparisons: Mapping[tuple[str, str], Comparison]
    network: pd.DataFrame

    @property
    def names(self) -> list[str]:
        """The venues or cohorts, as the scenario orders them."""
        return list(dict.fromkeys(name for name, _ in self.comparisons))

    def effects(self, level: float = LEVEL) -> pd.DataFrame:
        """Return what was avoided, a row per name, change and figure.

        Parameters
        ----------
        level : float
            Confidence of the intervals, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            `name`, `change`, `figure`; `factual`, the mean over the replications; `avoided`, the
            mean of factual less counterfactual; `low`, `high`, its t interval, NaN with one
            replication. Figures: ``liquidated_notional`` (sold to the market),
            ``adl_notional``, ``shortfall`` [numeraire] and ``accounts_liquidated`` [accounts] of
            everybody; the same with ``_elsewhere``, of all but the name itself (but no
            ``adl_notional_elsewhere`` by cohort); ``markets.<m>.deepest_fall`` [1] of every market.

        Raises
        ------
        ValueError
            If the level is not between 0 and 1.
        """
        rows = []
        for (name, change), pair in self.comparisons.items():
            factual = self._damage(pair.factual, name)
            avoided = factual - self._damage(pair.counterfactual, name)
            low, high = interval(avoided, level)
            part = pd.DataFrame(
                {
                    "name": name,
                    "change": change,
                    "figure": avoided.columns,
                    "factual": factual.mean(skipna=False).to_numpy(),
                    "avoided": avoided.mean(skipna=False).to_numpy(),
                    "low": low.to_numpy(),
                    "high": high.to_numpy(),
                }
            )
            rows.append(part)
        return pd.concat(rows, ignore_index=True)

    def _damage(self, figures: pd.DataFrame, name: str) -> pd.DataFrame:
        """Return the damage in each replication (R rows) of one world."""
        parts: dict[str, pd.Series] = {key: figures[key] for key in DAMAGE}
        for key in DAMAGE:
            others = [f"{self.by}s.{other}.{key}" for other in self.names if other != name]
            if set(others) <= set(figures):
                parts[f"{key}_elsewhere"] = figures[others].sum(axis=1)
        falls = [key for key in map(str, figures) if key.endswith(".deepest_fall")]
        return pd.DataFrame(parts | {key: figures[key] for key in falls})

    def measures(self) -> pd.DataFrame:
        """Return network measures of the factual runs; see `sim.cascade.network_measures`."""
        return network_measures(self.network).rename_axis("name").reindex(self.names)

    def table(self) -> pd.DataFrame:
        """Return a row per name: what each change avoided, and network measures beside it.

        Returns
        -------
        pandas.DataFrame
            Index `name`; columns ``<change>.<figure>``, `avoided` of `effects`, then the columns
            of `measures` without ranks.
        """
        measures = self.measures()
        shown = [column for column in measures if not str(column).endswith("_rank")]
        return self.avoided().join(measures[shown])

    def avoided(self) -> pd.DataFrame:
        """Return a row per name: what each change avoided, columns ``<change>.<figure>``."""
        found = self.effects()
        found["column"] = found["change"] + "." + found["figure"]
        columns = list(dict.fromkeys(found["column"]))
        wide = found.pivot(index="name", columns="column", values="avoided")
        return wide.reindex(index=self.names, columns=columns).rename_axis(columns=None)

    def correlations(self) -> pd.DataFrame:
        """Return how well each network measure orders the names as each avoided damage does.

        Returns
        -------
        pandas.DataFrame
            `change`, `figure`, `measure`, then `spearman`, `kendall`, `n` and `note` as
            `sim.cascade.rank_correlations` returns them.
        """
        measures, avoided = self.measures(), self.avoided()
        parts = []
        for column in map(str, avoided):
            change, _, figure = column.partition(".")
            part = rank_correlations(measures, avoided[column]).reset_index()
            part.insert(0, "figure", figure)
            part.insert(0, "change", change)
            parts.append(part)
        return pd.concat(parts, ignore_index=True)


def systemic_importance(
    scenario: Scenario,
    by: By = "venue",
    *,
    seed: int | None = None,
    replications: int = 1,
    workers: int = 1,
    progress: Progress | None = None,
) -> Importance:
    """Run a scenario without each venue or cohort in turn and compare.

    Parameters
    ----------
    scenario : Scenario
    by : {"venue", "cohort"}
    seed, replications, workers, progress
        As `sim.experiments.counterfactuals` takes them. There are
        ``replications * (1 + 3 * venues)`` runs by venue, ``replications * (1 + cohorts)`` by
        cohort.

    Returns
    -------
    Importance

    Raises
    ------
    ValueError
        If `by` is unknown or a number out of its range.
    ScenarioError
        If there is nobody to leave out, or cohorts are compared in a scenario that does not record
        losses.
    RunError
        A run failed.
    """
    if by not in CHANGES:
        raise ValueError(f"by is {by!r}; allowed: {', '.join(CHANGES)}")
    names = list(scenario.venues) if by == "venue" else group_names(scenario)
    if not names:
        raise _refused(scenario, "traders" if by == "cohort" else "venues", f"no {by}", "some")
    if by == "cohort" and not scenario.record.breaks:
        lacking = "false, and so no record of which cohort cost which"
        raise _refused(scenario, "record.breaks", lacking, "true, by cohort")
    keys = [(name, word) for name in names for word in CHANGES[by]]
    alternatives = [(CHANGES[by][word](name),) for name, word in keys]
    found, factual = compared(scenario, alternatives, seed, replications, workers, progress, by)
    networks = [one.network for one in factual if one.network is not None]
    network = sum(networks[1:], start=networks[0]) / len(networks)
    return Importance(by, dict(zip(keys, found, strict=True)), network)


def _refused(scenario: Scenario, path: str, found: str, allowed: str) -> ScenarioError:
    return ScenarioError(Problem(scenario.source.file, None, None, path, found, allowed))
