"""Parameters fitted to targets: the best fit, what it misses, and what the targets do not pin."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.experiments.calibrate_plan import CalibrationPlan, prepare_calibration
from sim.experiments.design import values_at
from sim.experiments.execute import Perform
from sim.experiments.fit import least
from sim.experiments.fitting import Fitting
from sim.experiments.identify import Parameter, parameters_of, ties_of
from sim.experiments.posterior import Sample
from sim.experiments.search import Search, SearchResult, Watch, opened
from sim.experiments.task import perform as perform_task

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class CalibrateResult(SearchResult):
    """The parameters that reach the targets best.

    Attributes
    ----------
    plan : CalibrationPlan
        The experiment with its targets.
    point : dict
        Best value of each factor.
    loss : float
        ``sum of weight x (miss / tolerance)**2`` there.
    means, fresh : (T,) float64
        Mean of each target's figure there, over the runs that were fitted and over as many on
        seeds that the fit has not seen; NaN without a value.
    errors : (T,) float64
        Standard error of `means`; NaN with one run.
    shares : (F,) float64 [1]
        The best point in the unit cube.
    tried : tuple of (point, loss)
        Every setting of the search: (F,) in the unit cube, and its loss.
    sample : Sample or None
        The parameters that fit.
    """

    plan: CalibrationPlan
    point: dict[str, Any]
    loss: float
    means: FloatArray
    fresh: FloatArray
    errors: FloatArray
    shares: FloatArray
    tried: tuple[tuple[FloatArray, float], ...]
    sample: Sample | None

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per target.

        ``metric``, ``target``, ``tolerance``, ``weight``, ``source``, ``fitted``, ``error``,
        ``miss`` (in tolerances), ``inside`` (whether within one), ``fresh``, ``fresh_miss``,
        ``fresh_inside``.
        """
        import pandas as pd

        rows = []
        columns = zip(self.plan.targets, self.means, self.errors, self.fresh, strict=True)
        for target, mean, error, fresh in columns:
            miss, again = ((x - target.target) / target.tolerance for x in (mean, fresh))
            rows.append(
                {
                    **target.model_dump(),
                    "fitted": mean,
                    "error": error,
                    "miss": miss,
                    "inside": bool(abs(miss) <= 1),
                    "fresh": fresh,
                    "fresh_miss": again,
                    "fresh_inside": bool(abs(again) <= 1),
                }
            )
        return pd.DataFrame(rows)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Each factor: its best value, its interval, and whether the targets pin it."""
        factors, level = self.plan.experiment.factors, self.plan.settings.confidence
        return parameters_of(factors, self.point, self.sample, level)

    @cached_property
    def ties(self) -> pd.DataFrame:
        """Rank correlation of each pair of parameters in the sample: ``one, other, r, tied``."""
        return ties_of(self.plan.experiment.factors, self.sample)

    @property
    def posterior(self) -> pd.DataFrame:
        """The sample: a column for each factor, and ``weight``; empty if there is none."""
        import pandas as pd

        if self.sample is None:
            return pd.DataFrame()
        factors = self.plan.experiment.factors
        columns = {
            factor.column: values_at(factor, self.sample.points[:, k])
            for k, factor in enumerate(factors)
        }
        return pd.DataFrame({**columns, "weight": self.sample.weights})

    @property
    def remarks(self) -> tuple[str, ...]:
        """What speaks against the fit, and what it rests on."""
        from sim.experiments.identify import remarks_of

        return tuple(remarks_of(self))

    def figure(self) -> Figure:
        """Draw the misses, the loss along each parameter, and the sample."""
        from sim.experiments.identify import drawn_of, pairs_of
        from sim.report.fits import figure

        return figure(self.frame, drawn_of(self), pairs_of(self))

    def save(self) -> list[Path]:
        """Write tables and figures beside the runs and return their paths."""
        import pandas as pd

        from sim.report.style import save

        tables = {
            "targets": self.frame,
            "parameters": pd.DataFrame([p.row() for p in self.parameters]),
            "posterior": self.posterior,
        }
        written = []
        for name, table in tables.items():
            if not table.empty:
                written.append(self.folder / f"{name}.csv")
                table.to_csv(written[-1], index=False, lineterminator="\n")
        return written + save(self.figure(), self.folder, "calibration")


def calibrate(
    experiment: str | Path | CalibrationPlan,
    *,
    out: str | Path = "results",
    workers: int | None = None,
    executor: Executor | None = None,
    watch: Watch | None = None,
    retry_failed: bool = False,
    perform: Perform = perform_task,
) -> CalibrateResult:
    """Fit the factors of an experiment to targets.

    Parameters
    ----------
    experiment : path or CalibrationPlan
        Experiment file with a `calibrate` block, or what `prepare_calibration` made of it.
    out, workers, executor, watch, retry_failed, perform
        As of `sim.experiments.reverse.reverse`.

    Raises
    ------
    ScenarioError
        The experiment cannot be used, or the folder belongs to another one.
    RunError
        A run failed, so that there is no answer, or the folder cannot be written.

    Notes
    -----
    The loss is ``sum_i w_i ((mean_i - target_i) / tolerance_i)**2`` over means of replications on
    common seeds; a figure without a value misses by 1,000 tolerances. `sim.experiments.fit.least`
    minimises it; the best point is run again on fresh seeds; `sim.experiments.posterior` samples
    the parameters that fit, from the factors' ranges (of the logarithm on a log scale) or
    distributions as prior. Called again it goes on where it stopped.
    """
    plan = (
        experiment if isinstance(experiment, CalibrationPlan) else prepare_calibration(experiment)
    )
    with opened(plan, out, workers, executor, watch, retry_failed, perform) as search:
        before = search.finished
        search.expected = _expected(plan)
        return _result(plan, search, before)


def _result(plan: CalibrationPlan, search: Search, before: int) -> CalibrateResult:
    """Fit, run the best again on fresh seeds, sample."""
    block, count = plan.settings, plan.replications
    fitting, dimension = Fitting(plan, search), len(plan.experiment.factors)
    least(
        fitting.losses,
        dimension,
        optimiser=block.optimiser,
        trials=block.trials,
        seed=block.seed,
    )
    shares, loss = min(fitting.tried, key=lambda entry: entry[1])
    values = fitting.values(shares)
    search.measure([(values, count + r) for r in range(count)])
    found = np.array([fitting.figures(values, r) for r in range(count)])
    again = np.array([fitting.figures(values, count + r) for r in range(count)])
    none = np.full(len(plan.targets), math.nan)
    names = [factor.column for factor in plan.experiment.factors]
    return CalibrateResult(
        plan,
        search.folder,
        point=dict(zip(names, values, strict=True)),
        loss=loss,
        means=found.mean(axis=0),
        fresh=again.mean(axis=0),
        errors=found.std(axis=0, ddof=1) / math.sqrt(count) if count > 1 else none,
        shares=shares,
        tried=tuple(fitting.tried),
        sample=fitting.sample(),
        done_before=before,
    )


def _expected(plan: CalibrationPlan) -> int:
    """Return about how many runs it takes."""
    posterior = plan.settings.posterior
    particles = 5 * posterior.particles if posterior else 0
    most = min(particles, posterior.evaluations) if posterior else 0
    return (plan.settings.trials + 1) * plan.replications + most * plan.runs_of_particle
