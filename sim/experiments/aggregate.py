"""The table of runs by cell: means with intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sim.core.expression import parse_formula
from sim.experiments.statistics import LEVEL, Estimator, mean_interval, share_of

if TYPE_CHECKING:
    import pandas as pd

    from sim.experiments.sweep import SweepResult
    from sim.schema import Experiment


def intervals_of(experiment: Experiment) -> dict[str, Estimator]:
    """Return what gives the mean of each metric its interval: Student's, or that of a share."""
    logical = {metric.name: parse_formula(metric.value).logical for metric in experiment.metrics}
    return {name: share_of if answer else mean_interval for name, answer in logical.items()}


def by_cell(result: SweepResult, level: float = LEVEL) -> pd.DataFrame:
    """Return one row per cell: its factors, and the mean of each metric with half its interval.

    Parameters
    ----------
    result : SweepResult
        From `sweep`.
    level : float
        Confidence of the intervals.

    Returns
    -------
    pandas.DataFrame
        ``cell``, the factors, ``runs`` that succeeded, ``failed``, and for each metric its mean
        over those of them in which it has a value and, as ``<metric> ±``, the distance to the
        farther end of its interval: Student's (NaN with one run), or for a condition that of
        Clopper and Pearson.
    """
    import pandas as pd

    frame, intervals = result.frame, intervals_of(result.plan.experiment)
    rows: list[dict[str, Any]] = []
    for cell, runs in frame.groupby("cell", sort=True):
        good = runs[runs["status"] == "ok"]
        row: dict[str, Any] = {"cell": cell}
        row |= {name: runs[name].iloc[0] for name in result.factors}
        row |= {"runs": len(good), "failed": len(runs) - len(good)}
        for name in result.metrics:
            values = good[name].dropna()
            if values.empty:
                row[name], row[f"{name} ±"] = math.nan, math.nan
                continue
            found = intervals[name](values, level)
            row[name] = found.value
            row[f"{name} ±"] = max(found.high - found.value, found.value - found.low)
        rows.append(row)
    return pd.DataFrame(rows)
