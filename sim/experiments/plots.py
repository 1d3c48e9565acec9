"""What the figures of a sweep show: means with intervals along one factor, or over two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.core.nearest import nearest
from sim.experiments.aggregate import intervals_of
from sim.experiments.statistics import LEVEL, Estimator

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from sim.experiments.sweep import SweepResult
    from sim.report.sweeps import Curve

MOST_MEANS = 40
"""Different values of a factor up to which each has its mean; of more only the runs are drawn."""

MOST_CURVES = 8
"""Values of the factor that tells curves apart."""

MOST_FIELDS = 200
"""Values along one side of a heat map."""


@dataclass(frozen=True)
class Plots:
    """Figures of the runs of an experiment; failed runs are left out.

    Attributes
    ----------
    result : SweepResult
        From `sweep`.
    """

    result: SweepResult

    def factor(self, metric: str, factor: str, by: str | None = None) -> Figure:
        """Return the figure of a metric along a factor.

        Parameters
        ----------
        metric, factor : str
            Columns of the table of runs.
        by : str, optional
            Another factor, each of whose values gets a curve; else all runs share one.

        Raises
        ------
        ValueError
            If a column is not there, or `by` has more values than can be told apart.

        Notes
        -----
        Grey dots are runs. A mean over the replications of one cell has Student's interval at
        95 %, or Clopper and Pearson's if the metric is a condition; one over several cells has
        none, since these differ by design and not by chance.
        """
        from sim.report.sweeps import along

        runs = self._runs(metric, [factor, *([by] if by else [])])
        words = None if _numeric(runs[factor]) else _ordered(runs[factor])
        x = _places(runs[factor], words)
        groups = _ordered(runs[by]) if by else []
        if len(groups) > MOST_CURVES:
            raise ValueError(f"{by} has {len(groups)} values; at most {MOST_CURVES} can be curves")
        y = runs[metric].to_numpy(dtype=np.float64)
        cells = runs["cell"].to_numpy()
        interval = intervals_of(self.result.plan.experiment)[metric]
        curves = [
            _curve(f"{by} = {_word(group)}", x[mask], y[mask], cells[mask], interval)
            for group in groups
            for mask in [(runs[by] == group).to_numpy()]
        ] or [_curve("", x, y, cells, interval)]
        shown = [curve for curve in curves if len(curve.x)]
        names = None if words is None else [_word(word) for word in words]
        return along(shown, (x, y), (factor, metric), names, log=_by_ratios(np.unique(x), names))

    def heatmap(self, metric: str, x: str, y: str) -> Figure:
        """Return the heat map of a metric's mean over two factors.

        Parameters
        ----------
        metric, x, y : str
            Columns of the table of runs.

        Raises
        ------
        ValueError
            If a column is not there, or a factor has too many values for fields.
        """
        from sim.report.sweeps import over

        runs = self._runs(metric, [x, y])
        sides = [_ordered(runs[name]) for name in (x, y)]
        for name, side in zip((x, y), sides, strict=True):
            if len(side) > MOST_FIELDS:
                raise ValueError(
                    f"{name} has {len(side)} values; a heat map takes at most {MOST_FIELDS}"
                )
        means = runs.groupby([y, x])[metric].mean().unstack(x)
        values = means.reindex(index=sides[1], columns=sides[0]).to_numpy(dtype=np.float64)
        words = [_word(value) for value in sides[0]], [_word(value) for value in sides[1]]
        return over(values, words, (x, y, f"mean of {metric}"))

    def save(self) -> list[Path]:
        """Write figures into the folder ``figures`` beside the runs and return their paths.

        Every metric along every factor, as SVG and PNG; of two factors each tells the curves of
        the other apart if its values are few enough, and a heat map shows both.
        """
        from sim.experiments.sensitivity_figure import file_names
        from sim.report.style import save

        drawn: dict[str, Figure] = {}
        factors = self.result.factors
        counts = {name: self.result.frame[name].nunique() for name in factors}
        for metric in self.result.metrics:
            for name in factors:
                others = [other for other in factors if other != name]
                tells = len(others) == 1 and counts[others[0]] <= MOST_CURVES
                drawn[f"{metric}-{name}"] = self.factor(metric, name, others[0] if tells else None)
            if len(factors) == 2 and max(counts.values()) <= MOST_FIELDS:
                drawn[f"{metric}-map"] = self.heatmap(metric, *factors)
        folder = self.result.folder / "figures"
        folder.mkdir(exist_ok=True)
        names = file_names("sweep", list(drawn))
        return [path for key, figure in drawn.items() for path in save(figure, folder, names[key])]

    def _runs(self, metric: str, factors: Sequence[str]) -> pd.DataFrame:
        """Return the runs that have a value of a metric."""
        for kind, name, known in (
            ("metric", metric, self.result.metrics),
            *(("factor", factor, self.result.factors) for factor in factors),
        ):
            if name not in known:
                near = nearest(name, known)
                hint = f"; did you mean '{near}'?" if near else f"; there are: {', '.join(known)}"
                raise ValueError(f"no {kind} '{name}'{hint}")
        frame = self.result.frame
        good = (frame["status"] == "ok") & frame[metric].notna()
        return frame[good].dropna(subset=list(factors)).reset_index(drop=True)


def _curve(label: str, x: FloatArray, y: FloatArray, cells: IntArray, interval: Estimator) -> Curve:
    from sim.report.sweeps import Curve

    places = np.unique(x)
    if len(places) > MOST_MEANS:
        places = places[:0]
    found = [_mean(y[x == place], cells[x == place], interval) for place in places]
    mean, low, high = np.array(found, dtype=np.float64).reshape(-1, 3).T
    return Curve(label, places, mean, low, high)


def _mean(values: FloatArray, cells: IntArray, interval: Estimator) -> tuple[float, float, float]:
    """Return a mean with the ends of its interval, NaN where the runs are of several cells."""
    found = interval(values, LEVEL)
    if len(np.unique(cells)) > 1:
        return found.value, np.nan, np.nan
    return found.value, found.low, found.high


def _numeric(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "iuf"


def _ordered(column: pd.Series[Any]) -> list[Any]:
    """Return the values of a factor: numbers ascending, words as they come in the design."""
    values = list(dict.fromkeys(column.tolist()))
    return sorted(values) if _numeric(column) else values


def _places(column: pd.Series[Any], words: Sequence[Any] | None) -> FloatArray:
    if words is None:
        return column.to_numpy(dtype=np.float64)
    return column.map({word: number for number, word in enumerate(words)}).to_numpy(np.float64)


def _by_ratios(places: FloatArray, words: Sequence[str] | None) -> bool:
    """Whether values are nearer to equal ratios than to equal steps, over more than a decade."""
    if words is not None or len(places) < 3 or places[0] <= 0 or places[-1] < 10 * places[0]:
        return False
    middle = float(np.median(places))
    logs = np.log([places[0], middle, places[-1]])
    step = (middle - places[0]) / (places[-1] - places[0])
    return bool(abs((logs[1] - logs[0]) / (logs[2] - logs[0]) - 0.5) < abs(step - 0.5))


def _word(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 24 else text[:21] + "..."
