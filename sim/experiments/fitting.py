"""Losses and figures of a calibration, looked up or run as they are asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim.core.arrays import FloatArray
from sim.experiments.calibrate_plan import CalibrationPlan
from sim.experiments.design import values_at
from sim.experiments.posterior import BLOCKS, Sample, sample_posterior
from sim.experiments.search import Search, Values

NOWHERE = 1000.0
"""Tolerances by which a figure without a value is said to miss."""


class Fitting:
    """A calibration under way.

    Parameters
    ----------
    plan : CalibrationPlan
        The experiment with its targets.
    search : Search
        Its runs.
    """

    def __init__(self, plan: CalibrationPlan, search: Search) -> None:
        self.plan, self.search = plan, search
        self.targets = np.array([target.target for target in plan.targets])
        self.tolerances = np.array([target.tolerance for target in plan.targets])
        self.weights = np.array([target.weight for target in plan.targets])
        self.tried: list[tuple[FloatArray, float]] = []
        """Every setting of the search: (F,) in the unit cube, and its loss."""

    def values(self, point: FloatArray) -> Values:
        """Return the values of the factors at a point of the unit cube."""
        factors = self.plan.experiment.factors
        return tuple(
            values_at(factor, np.array([share]))[0]
            for factor, share in zip(factors, point, strict=True)
        )

    def figures(self, values: Values, replication: int) -> FloatArray:
        """Return the figures of the targets in a run, (T,) float64; NaN where there is none."""
        found = [self.search.figure(values, replication, name) for name in self.plan.columns]
        return np.array([math.nan if value is None else value for value in found])

    def losses(self, points: Sequence[FloatArray]) -> list[float]:
        """Run points and return their losses."""
        settings = [self.values(np.clip(point, 0.0, 1.0)) for point in points]
        runs = range(self.plan.replications)
        self.search.measure([(values, r) for values in settings for r in runs])
        found = []
        for point, values in zip(points, settings, strict=True):
            mean = np.mean([self.figures(values, r) for r in runs], axis=0)
            miss = np.nan_to_num((mean - self.targets) / self.tolerances, nan=NOWHERE)
            found.append(float((self.weights * miss**2).sum()))
            self.tried.append((np.clip(point, 0.0, 1.0), found[-1]))
        return found

    def sample(self) -> Sample | None:
        """Sample the parameters that fit."""
        posterior = self.plan.settings.posterior
        if posterior is None:
            return None
        return sample_posterior(
            self._drawn,
            self._measure,
            len(self.plan.experiment.factors),
            self.targets,
            self.tolerances**2 / self.weights,
            particles=posterior.particles,
            evaluations=posterior.evaluations,
            seed=self.plan.settings.seed,
        )

    def _replications(self, block: int) -> range:
        """Return the replications of a set of seeds."""
        assert 0 <= block < BLOCKS
        first = 2 * self.plan.replications + block * self.plan.runs_of_particle
        return range(first, first + self.plan.runs_of_particle)

    def _measure(self, wanted: Sequence[tuple[FloatArray, int]]) -> None:
        self.search.measure(
            [(self.values(point), r) for point, block in wanted for r in self._replications(block)]
        )

    def _drawn(self, point: FloatArray, block: int) -> FloatArray | None:
        values = self.values(point)
        if any(self.search.row(values, r) is None for r in self._replications(block)):
            return None
        mean = np.mean([self.figures(values, r) for r in self._replications(block)], axis=0)
        far = self.targets + NOWHERE * self.tolerances
        return np.where(np.isnan(mean), far, mean)
