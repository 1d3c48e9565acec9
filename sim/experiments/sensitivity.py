"""Which factors of an experiment its metrics depend on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.core.errors import RunError, ScenarioError
from sim.experiments.check import problem_at
from sim.experiments.indices import INDICES, Indices, indices_of
from sim.experiments.noise import TOLERATED, Noise, noise_of
from sim.experiments.plan import Plan, prepare
from sim.experiments.samples import points_of
from sim.experiments.sweep import SweepResult, Watch, sweep

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from sim.schema.experiment import Factor
    from sim.schema.experiment_sensitivity import Sensitivity

ALIKE = 0.1
"""Share of cells that differ from the commonest value under which they are few."""


@dataclass(frozen=True)
class SensitivityResult:
    """Sensitivity indices of the metrics of an experiment.

    Attributes
    ----------
    sweep : SweepResult
        The runs, and the store they are in.
    settings : Sensitivity
        Method, samples, confidence.
    frame : pandas.DataFrame
        One row per metric and factor: each index of the method (``S1``, ``ST``; ``mu``,
        ``mu_star``, ``sigma``; ``median``, ``maximum``, ``cv``), its interval from ``_low`` to
        ``_high``, and for PAWN the ``floor`` that a factor without effect stays below.
    interactions : pandas.DataFrame
        One row per metric and two factors: ``S2`` with its interval. Empty without second order.
    noise : pandas.DataFrame
        One row per metric: ``replications``, ``share`` of luck in the variance between cells,
        and replications ``needed`` to bring it to 5 %.
    warnings : tuple of str
        What stands against trusting the numbers.
    """

    sweep: SweepResult
    settings: Sensitivity
    frame: pd.DataFrame
    interactions: pd.DataFrame
    noise: pd.DataFrame
    warnings: tuple[str, ...]

    @property
    def metrics(self) -> list[str]:
        """Metrics that could be analysed."""
        return list(dict.fromkeys(self.frame["metric"]))

    def figure(self, metric: str | None = None) -> Figure:
        """Draw the indices of a metric, the first one by default.

        Raises
        ------
        ValueError
            If the metric was not analysed.
        """
        from sim.experiments.sensitivity_figure import figure

        return figure(self, self.metrics[0] if metric is None else metric)

    def save(self) -> list[Path]:
        """Write tables and figures beside the runs and return their paths."""
        from sim.experiments.sensitivity_figure import save

        return save(self)


def sensitivity(
    experiment: str | Path | Plan,
    *,
    out: str | Path = "results",
    workers: int | None = None,
    executor: Executor | None = None,
    watch: Watch | None = None,
    retry_failed: bool = False,
) -> SensitivityResult:
    """Run what is missing of a sensitivity analysis and analyse it.

    Parameters
    ----------
    experiment, out, workers, executor, watch, retry_failed
        As for `sim.experiments.sweep.sweep`; the experiment has a block ``sensitivity``.

    Returns
    -------
    SensitivityResult
        The same whatever the number of workers, and however often it was stopped.

    Raises
    ------
    ScenarioError
        The experiment cannot be used or has no such block.
    MissingExtraError
        SALib is not installed.
    RunError
        No metric can be analysed: runs failed, or the metrics are the same everywhere.
    """
    plan = experiment if isinstance(experiment, Plan) else prepare(experiment)
    settings_of(plan)
    return analysed(
        sweep(
            plan,
            out=out,
            workers=workers,
            executor=executor,
            watch=watch,
            retry_failed=retry_failed,
        )
    )


def settings_of(plan: Plan) -> Sensitivity:
    """Return the block ``sensitivity`` of an experiment.

    Raises
    ------
    ScenarioError
        If there is none, or the cells are not those of its method.
    """
    settings, key = plan.experiment.sensitivity, ("sensitivity",)
    if settings is None:
        allowed = "a block with kind sobol, morris or pawn, and samples"
        raise ScenarioError(problem_at(plan.experiment, key, "nothing", allowed))
    cells = len(points_of(settings, len(plan.experiment.factors)))
    if len(plan.cells) != cells:
        found = f"{len(plan.cells):,} cells"
        allowed = f"the {cells:,} that {settings.kind} makes, and no block that adds others"
        raise ScenarioError(problem_at(plan.experiment, key, found, allowed))
    return settings


def analysed(result: SweepResult) -> SensitivityResult:
    """Return the analysis of the runs of an experiment with a block ``sensitivity``.

    A metric without a value in some run is left out and named in `warnings`: estimators need every
    sample, and runs that fail are rarely those that fail by chance.
    """
    import pandas as pd

    plan = result.plan
    settings, factors = settings_of(plan), plan.experiment.factors
    warnings = [*_about_samples(settings, factors)]
    if plan.experiment.replications == 1:
        warnings.append("1 replication cannot tell luck from the factors; 2 or more can")
    rows: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    luck: list[dict[str, Any]] = []
    refused: list[str] = []
    for metric in result.metrics:
        values, problem = _values(result, metric)
        if values is None:
            refused.append(f"{metric}: {problem}")
            continue
        noise = noise_of(values, common=plan.experiment.common_random_numbers)
        found = indices_of(settings, result.factors, [*map(_size, factors)], values.mean(axis=1))
        rows += [{"metric": metric, **row} for row in found.rows]
        pairs += [{"metric": metric, **row} for row in found.pairs]
        luck.append({"metric": metric, "replications": noise.replications,
                     "share": noise.share, "needed": noise.needed})  # fmt: skip
        warnings += _about_noise(metric, noise)
        warnings += _about_alike(metric, values.mean(axis=1))
        warnings += _about_zero(metric, settings, found)
    if not rows:
        raise RunError(f"nothing to analyse; {'; '.join(refused)}; the runs are kept")
    columns = ["metric", "factor", "other", "S2", "S2_low", "S2_high"]
    return SensitivityResult(
        result,
        settings,
        pd.DataFrame(rows),
        pd.DataFrame(pairs, columns=columns),
        pd.DataFrame(luck),
        (*refused, *warnings),
    )


def _values(result: SweepResult, metric: str) -> tuple[FloatArray | None, str]:
    """Return a metric by cell and replication, or None and why it cannot be analysed."""
    plan = result.plan
    cells, replications = len(plan.cells), plan.experiment.replications
    frame = result.frame[result.frame["replication"] < replications]
    good = frame[(frame["status"] == "ok") & frame[metric].notna()]
    missing = cells * replications - len(good)
    if missing:
        failed = int((frame["status"] != "ok").sum())
        return None, (
            f"not analysed, {missing:,} of {cells * replications:,} runs have no value "
            f"({failed:,} failed); a sensitivity analysis needs them all"
        )
    values = good[metric].to_numpy(dtype=np.float64).reshape(cells, replications)
    means = values.mean(axis=1)
    if float(np.ptp(means)) <= 1e-12 * float(np.abs(means).max()):
        return None, f"not analysed, it is {means[0]:.6g} in all cells"
    return values, ""


def _size(factor: Factor) -> int:
    """Return the number of values that a factor can take, 0 for any number."""
    return 0 if factor.values is None else len(factor.values)


def _about_samples(settings: Sensitivity, factors: Sequence[Factor]) -> list[str]:
    """Return what is wrong with the number of samples."""
    found = []
    samples = settings.samples
    if settings.kind == "sobol" and samples & (samples - 1):
        near = 1 << (samples.bit_length() - 1)
        found.append(
            f"{samples:,} samples are no power of 2; a Sobol sequence is balanced only at powers "
            f"of 2, such as {near:,} or {2 * near:,}"
        )
    if settings.kind == "morris":
        found += [
            f"{factor.column}: its {_size(factor)} values do not divide the {settings.levels} "
            "levels evenly; steps between them differ in size"
            for factor in factors
            if _size(factor) and settings.levels % _size(factor)
        ]
    return found


def _about_noise(metric: str, noise: Noise) -> list[str]:
    """Return a warning where luck hides what factors do."""
    runs = f"{noise.replications:,} replications"
    if not noise.share > TOLERATED:
        return []
    more = f"; {noise.needed:,} would leave 5 %" if noise.needed else ""
    return [
        f"{metric}: luck is {noise.share:.0%} of the variance between the means of cells, "
        f"which raises total effects by up to as much; {runs} are too few{more}"
    ]


def _about_alike(metric: str, means: FloatArray) -> list[str]:
    """Return a warning where a metric is the same in nearly all cells, such as no loss."""
    found, counts = np.unique(means, return_counts=True)
    others = len(means) - int(counts.max())
    if others > ALIKE * len(means):
        return []
    return [
        f"{metric}: it is {found[counts.argmax()]:.6g} in all but {others:,} of {len(means):,} "
        "cells; the indices and their intervals rest on these few"
    ]


def _about_zero(metric: str, settings: Sensitivity, found: Indices) -> list[str]:
    """Return a warning for each index whose intervals reach zero (the floor) for all factors."""
    samples = f"{settings.samples:,} samples are too few, or no factor matters"
    if settings.kind == "pawn":
        if all(row["median_low"] <= row["floor"] for row in found.rows):
            return [f"{metric}: no factor is told from one without effect; {samples}"]
        return []
    names = {"sobol": ("S1", "ST"), "morris": ("mu_star",)}[settings.kind]
    return [
        f"{metric}: the intervals of {name} reach 0 for all factors; {samples}"
        for name in names
        if all(not row[f"{name}_low"] > 0 for row in found.rows)
    ]


def columns_shown(settings: Sensitivity) -> tuple[str, ...]:
    """Return the indices of the method, in the order in which they are shown."""
    return INDICES[settings.kind]
