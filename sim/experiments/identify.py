"""Which parameters targets pin down, which only together, and which not at all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.experiments.design import values_at

if TYPE_CHECKING:
    import pandas as pd

    from sim.experiments.calibrate import CalibrateResult
    from sim.experiments.posterior import Sample
    from sim.report.fits import Drawn
    from sim.schema import Factor

PINNED, LOOSE = 0.5, 0.8
"""Widths, over that of the prior, up to which a parameter is pinned and from which it is not."""

TIED = 0.8
"""Rank correlation from which only a combination of two parameters is pinned."""

EDGE = 0.005
"""Share of a range from its end within which a best value is said to lie at the end."""

FEW = 50.0
"""Effective particles below which a sample is called thin."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What is known of a parameter.

    Attributes
    ----------
    name : str
        Its factor.
    best : object
        Value of the best fit.
    middle, low, high : object
        Weighted median and interval of the sample; None without one.
    width : float
        Standard deviation of the sample over that of the prior, in probabilities of the prior;
        NaN without a sample.
    said : str
        ``pinned``, ``hardly pinned``, ``not pinned``, ``pinned only together with ...``, or ``-``.
    """

    name: str
    best: Any
    middle: Any
    low: Any
    high: Any
    width: float
    said: str

    def row(self) -> dict[str, Any]:
        """Return it as a row of a table."""
        return {"name": self.name, "best": self.best, "middle": self.middle, "low": self.low,
                "high": self.high, "width": self.width, "said": self.said}  # fmt: skip


def parameters_of(
    factors: Sequence[Factor], best: Mapping[str, Any], sample: Sample | None, level: float
) -> tuple[Parameter, ...]:
    """Return what is known of each parameter.

    Parameters
    ----------
    factors : sequence of Factor
        F of them.
    best : mapping
        Best value by column.
    sample : Sample or None
        Points that fit.
    level : float
        Probability of the interval.

    Notes
    -----
    The prior is uniform in probability, with standard deviation ``1 / sqrt(12)``, so that
    ``width = sqrt(12) sd``: up to 0.5 is pinned, from 0.8 not pinned. A parameter that is not
    pinned alone and whose rank correlation with another is at least 0.8 in size is pinned only
    together with it.
    """
    if sample is None:
        return tuple(
            Parameter(f.column, best[f.column], None, None, None, math.nan, "-") for f in factors
        )
    ties = ties_of(factors, sample)
    found = []
    for k, factor in enumerate(factors):
        points = sample.points[:, k]
        ends = weighted_quantiles(points, sample.weights, [0.5, (1 - level) / 2, (1 + level) / 2])
        middle, low, high = values_at(factor, ends)
        width = math.sqrt(12.0) * _deviation(points, sample.weights)
        said = _said(factor.column, width, ties)
        name = factor.column
        found.append(Parameter(name, best[name], middle, low, high, width, said))
    return tuple(found)


def _said(name: str, width: float, ties: pd.DataFrame) -> str:
    if width <= PINNED:
        return "pinned"
    tied = ties[ties["tied"] & ((ties["one"] == name) | (ties["other"] == name))]
    if len(tied):
        others = [a if b == name else b for a, b in zip(tied["one"], tied["other"], strict=True)]
        return f"pinned only together with {', '.join(others)}"
    return "not pinned" if width >= LOOSE else "hardly pinned"


def ties_of(factors: Sequence[Factor], sample: Sample | None) -> pd.DataFrame:
    """Return the weighted rank correlation of every pair of parameters."""
    import pandas as pd

    rows = []
    if sample is not None:
        ranks = [_ranks(column, sample.weights) for column in sample.points.T]
        for a, b in itertools.combinations(range(len(factors)), 2):
            r = _correlation(ranks[a], ranks[b], sample.weights)
            rows.append(
                {"one": factors[a].column, "other": factors[b].column, "r": r,
                 "tied": bool(abs(r) >= TIED)}
            )  # fmt: skip
    return pd.DataFrame(rows, columns=["one", "other", "r", "tied"])


def weighted_quantiles(
    values: FloatArray, weights: FloatArray, shares: Sequence[float]
) -> FloatArray:
    """Return the least values below which weighted shares of a sample lie, (S,) float64."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    places = np.searchsorted(total, np.asarray(shares) * total[-1] - 1e-12)
    return np.asarray(values[order][np.minimum(places, values.size - 1)])


def _deviation(values: FloatArray, weights: FloatArray) -> float:
    mean = float(weights @ values)
    return math.sqrt(float(weights @ (values - mean) ** 2))


def _ranks(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the share of weight below each value, half of its own and its equals' included."""
    distinct, place = np.unique(values, return_inverse=True)
    mass = np.bincount(place, weights, minlength=distinct.size)
    return np.asarray((np.cumsum(mass) - mass / 2)[place])


def _correlation(one: FloatArray, other: FloatArray, weights: FloatArray) -> float:
    a, b = one - weights @ one, other - weights @ other
    size = math.sqrt(float(weights @ a**2) * float(weights @ b**2))
    return float(weights @ (a * b)) / size if size > 0 else 0.0


def drawn_of(result: CalibrateResult) -> list[Drawn]:
    """Return what a figure shows of each parameter; words are drawn by their number."""
    from sim.report.fits import Drawn

    losses = np.array([loss for _, loss in result.tried])
    points = np.array([point for point, _ in result.tried])
    none = np.zeros((0, points.shape[1]))
    sample, weights = none, none[:, 0]
    if result.sample is not None:
        sample, weights = result.sample.points, result.sample.weights
    middles = (np.arange(960) + 0.5) / 960
    found = []
    for k, (factor, said) in enumerate(
        zip(result.plan.experiment.factors, result.parameters, strict=True)
    ):
        tried, best, prior, held = (
            _numbers(factor, shares)
            for shares in (points[:, k], result.shares[k : k + 1], middles, sample[:, k])
        )
        log = factor.scale == "log" and bool((prior > 0).all())
        words = tuple(str(value) for value in factor.values or ())
        found.append(
            Drawn(
                said.name,
                log,
                tried,
                losses,
                float(best[0]),
                prior,
                held,
                weights,
                said.said,
                words,
            )
        )
    return found


def pairs_of(result: CalibrateResult) -> list[tuple[int, int]]:
    """Return the pairs of parameters that hang together most, the strongest first."""
    names = [factor.column for factor in result.plan.experiment.factors]
    ties = result.ties
    order = np.argsort(-ties["r"].abs().to_numpy(dtype=np.float64), kind="stable")
    rows = ties.iloc[order].to_dict("records")
    return [(names.index(row["one"]), names.index(row["other"])) for row in rows]


def _numbers(factor: Factor, shares: FloatArray) -> FloatArray:
    values = values_at(factor, shares)
    if factor.values is None:
        return np.asarray(values, dtype=np.float64)
    return np.array([factor.values.index(value) for value in values], dtype=np.float64)


def _numeric(values: Sequence[Any]) -> bool:
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def remarks_of(result: CalibrateResult) -> Iterator[str]:
    """Yield what a reader has to know beside the figures of a calibration."""
    frame, plan = result.frame, result.plan
    for row in frame.to_dict("records"):
        if math.isnan(row["fitted"]):
            yield f"{row['metric']} has no value in some run at the best fit"
        elif row["inside"] and not row["fresh_inside"]:
            yield f"{row['metric']} is met on the fitted seeds and missed on fresh ones"
        if row["error"] > 0.5 * row["tolerance"]:
            yield (
                f"{row['metric']}: the standard error of the mean of {plan.replications} runs is "
                f"{row['error'] / row['tolerance']:.2g} tolerances; more replications are needed"
            )
    if plan.replications == 1:
        yield "one run of each setting: how much is luck is not known"
    words = [f.column for f in plan.experiment.factors if f.values and not _numeric(f.values)]
    if words and plan.settings.optimiser == "cmaes" and len(plan.experiment.factors) > 1:
        yield f"{', '.join(words)}: words have no order that cmaes could follow; try optimiser: tpe"
    for factor, share in zip(plan.experiment.factors, result.shares, strict=True):
        if factor.values is None and not EDGE < share < 1 - EDGE:
            yield f"the best {factor.column} is at the end of its range; a wider one may fit better"
    sample = result.sample
    if sample is None:
        asked = plan.settings.posterior
        why = "was asked for" if asked is None else f"came of {asked.evaluations:,} evaluations"
        yield f"no sample of parameters {why}: what the targets pin is not known"
        return
    wider = math.sqrt(sample.temperature)
    if wider > 1.0 + 1e-9:
        yield (
            f"the sample ended after {sample.evaluations:,} settings at temperature "
            f"{sample.temperature:.3g}: it is that of tolerances {wider:.3g} times as wide"
        )
    if sample.effective < FEW:
        yield f"the sample is thin: as good as {sample.effective:.0f} particles of equal weight"
