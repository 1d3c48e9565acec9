"""The table of runs by cell: means with intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sim.experiments.statistics import LEVEL, mean_interval

if TYPE_CHECKING:
    import pandas as pd

    from sim.experiments.sweep import SweepResult


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
        ``cell``, the factors, ``runs`` that succeeded and have a value, ``failed``, and for each
        metric its mean and, as ``<metric> ±``, half of Student's interval (NaN with one run).
    """
    import pandas as pd

    frame = result.frame
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
            estimate = mean_interval(values, level)
            row[name], row[f"{name} ±"] = estimate.value, estimate.high - estimate.value
        rows.append(row)
    return pd.DataFrame(rows)
