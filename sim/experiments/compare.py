"""Variants on the same draws: what each changes against the first, and whether that is luck."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.core.errors import ScenarioError
from sim.experiments.check import problem_at
from sim.experiments.differences import (
    SAMPLES,
    Difference,
    holm,
    paired_difference,
)
from sim.experiments.plan import Plan, prepare
from sim.experiments.sweep import SweepResult, Watch, sweep
from sim.experiments.verdicts import least_pairs, needed_of, remarks_of, verdict_of
from sim.schema.experiment_compare import VARIANT, Compare

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TABLE = "comparison.csv"
"""File of the folder with the differences."""


@dataclass(frozen=True)
class CompareResult:
    """Variants compared with the first of them.

    Attributes
    ----------
    sweep : SweepResult
        The runs.
    settings : Compare
        How they are judged.
    """

    sweep: SweepResult
    settings: Compare

    @property
    def factors(self) -> list[str]:
        """Columns of the factors that vary, without the variant."""
        fixed = {f.column for f in self.sweep.plan.experiment.factors if len(f.values or ()) == 1}
        return [name for name in self.sweep.factors if name != VARIANT and name not in fixed]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per point of the design, variant and metric.

        ``point``, the factors, ``variant``, ``against``, ``metric``, ``runs`` (pairs that both
        have a value), ``missing`` (pairs that do not), ``first``, ``other`` (means),
        ``difference``, ``low``, ``high``, ``d``, ``worse``, ``worse_low``, ``worse_high``
        (share of pairs), ``p``, ``p_adjusted``, ``told`` (whether the difference is told from
        none), ``needed`` (replications that may tell it), ``gain``, ``verdict``.
        """
        import pandas as pd

        rows = list(_rows(self))
        adjusted = [row["p"] for row in rows]
        if self.settings.correction == "holm":
            adjusted = holm(adjusted)
        family = sum(not math.isnan(row["p"]) for row in rows)
        least = least_pairs(self.settings, family)
        for row, p in zip(rows, adjusted, strict=True):
            row["p_adjusted"] = p
            row["told"] = bool(p < 1 - self.settings.confidence)
            row["needed"] = needed_of(row, self.settings, least)
            row["verdict"] = verdict_of(row)
        frame = pd.DataFrame(rows)
        return frame.astype({"needed": "Int64"}) if len(frame) else frame

    @cached_property
    def _series(self) -> dict[str, dict[int, dict[int, float]]]:
        """Value of each metric by cell and replication, of runs that have one."""
        runs = self.sweep.frame[self.sweep.frame["status"] == "ok"]
        found: dict[str, dict[int, dict[int, float]]] = {}
        for metric in self.sweep.metrics:
            known = runs[runs[metric].notna()]
            found[metric] = {}
            columns = (known[name].tolist() for name in ("cell", "replication", metric))
            for cell, replication, value in zip(*columns, strict=True):
                found[metric].setdefault(cell, {})[replication] = value
        return found

    def pairs(self, point: int, variant: str, metric: str) -> FloatArray:
        """Return the differences of one comparison, (N,) float64, by replication."""
        first, other, _ = _values(self, point, variant, metric)
        return np.asarray(other - first)

    def figure(self) -> Figure:
        """Draw every pair, the means and their intervals; a map where two factors are numbers."""
        from sim.report.differences import figure

        return figure(self.frame, self._dots(), self.factors)

    def _dots(self) -> list[FloatArray]:
        rows = self.frame[["point", "variant", "metric"]].itertuples(index=False)
        return [self.pairs(int(str(point)), str(v), str(m)) for point, v, m in rows]

    def save(self) -> list[Path]:
        """Write the table and the figures beside the runs and return their paths."""
        from sim.report.regions import region_figures
        from sim.report.style import save

        table = self.sweep.folder / TABLE
        self.frame.to_csv(table, index=False, lineterminator="\n")
        written = [table, *save(self.figure(), self.sweep.folder, "comparison")]
        for name, drawn in region_figures(self.frame, self.factors, self.settings.better).items():
            written += save(drawn, self.sweep.folder, name)
        return written

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader has to know beside the figures."""
        return tuple(remarks_of(self))


def compare(
    experiment: str | Path | Plan,
    *,
    out: str | Path = "results",
    workers: int | None = None,
    executor: Executor | None = None,
    watch: Watch | None = None,
    retry_failed: bool = False,
) -> CompareResult:
    """Run the variants of an experiment on common draws and compare them with the first.

    Parameters
    ----------
    experiment, out, workers, executor, watch, retry_failed
        As of `sim.experiments.sweep.sweep`.

    Raises
    ------
    ScenarioError
        The experiment cannot be used or compares nothing, or the folder is another's.
    RunError
        The folder cannot be written.
    """
    plan = experiment if isinstance(experiment, Plan) else prepare(experiment)
    settings_of(plan)
    return compared(
        sweep(
            plan,
            out=out,
            workers=workers,
            executor=executor,
            watch=watch,
            retry_failed=retry_failed,
        )
    )


def settings_of(plan: Plan) -> Compare:
    """Return how a plan compares; one that does not is refused."""
    settings = plan.experiment.compare
    if settings is None:
        allowed = "a block compare with variants or scenarios"
        raise ScenarioError(problem_at(plan.experiment, ("compare",), "nothing", allowed))
    return settings


def compared(result: SweepResult) -> CompareResult:
    """Return the comparison of runs that are there."""
    return CompareResult(result, settings_of(result.plan))


def _rows(result: CompareResult) -> Iterator[dict[str, Any]]:
    settings = result.settings
    first, *others = settings.names
    count = len(settings.names)
    for point in range(len(result.sweep.plan.cells) // count):
        values = result.sweep.plan.cells[point * count].values
        for metric in result.sweep.metrics:
            for variant in others:
                row: dict[str, Any] = {"point": point}
                row |= {name: values.get(name) for name in result.factors}
                row |= {VARIANT: variant, "against": first, "metric": metric}
                yield row | _judged(result, point, variant, metric)


def _judged(result: CompareResult, point: int, variant: str, metric: str) -> dict[str, Any]:
    """Return the figures of one comparison."""
    settings = result.settings
    one, two, missing = _values(result, point, variant, metric)
    row: dict[str, Any] = {"runs": one.size, "missing": missing}
    if not one.size:
        names = ("first", "other", "difference", "low", "high", "d", "worse", "worse_low",
                 "worse_high", "p", "gain")  # fmt: skip
        return row | dict.fromkeys(names, math.nan)
    found: Difference = paired_difference(
        one, two, settings.confidence, settings.seed, _flips(result)
    )
    worse = found.lower if settings.better.get(metric) == "higher" else found.higher
    return row | {
        "first": float(one.mean()),
        "other": float(two.mean()),
        "difference": found.mean.value,
        "low": found.mean.low,
        "high": found.mean.high,
        "d": found.effect,
        "worse": worse.value,
        "worse_low": worse.low,
        "worse_high": worse.high,
        "p": found.p,
        "gain": found.gain,
    }


def _flips(result: CompareResult) -> int:
    """Return how many changes of sign let a verdict pass the correction for all comparisons."""
    settings = result.settings
    points = len(result.sweep.plan.cells) // len(settings.names)
    comparisons = points * (len(settings.names) - 1) * len(result.sweep.metrics)
    return max(SAMPLES, math.ceil(5 * comparisons / (1 - settings.confidence)))


def _values(
    result: CompareResult, point: int, variant: str, metric: str
) -> tuple[FloatArray, FloatArray, int]:
    """Return a metric of the first variant and of another, and how many pairs lack a value."""
    names = result.settings.names
    series = result._series
    first, other = (
        series[metric].get(point * len(names) + names.index(name), {})
        for name in (names[0], variant)
    )
    both = [r for r in sorted(first) if r in other]
    one, two = (np.array([side[r] for r in both], dtype=np.float64) for side in (first, other))
    return one, two, result.sweep.plan.experiment.replications - len(both)
