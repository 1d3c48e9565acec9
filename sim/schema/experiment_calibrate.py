"""What a calibration asks: which figures a model is to reach, how nearly, and by whose word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, PrivateAttr, model_validator

from sim.schema.base import Finding, Model, attribute, no_switch, refuse
from sim.schema.locator import Source
from sim.schema.units import Count, FilePath, Fraction, Number


class Target(Model):
    """A figure that is known from elsewhere."""

    metric: str = attribute(
        "A metric of the experiment by name, or an expression over the summary of a run.", "-"
    )
    target: Number = attribute("What it should be.", "of the metric")
    tolerance: Number = attribute(
        "How far off still counts as right: the standard error of the target.",
        "of the metric",
        gt=0,
    )
    weight: Number = attribute("How much it counts beside the others.", "1", 1.0, gt=0)
    source: str = attribute("Where the figure is from.", "-")


class Scorecard(Model):
    """A scorecard file."""

    schema_version: Annotated[Literal[1], BeforeValidator(no_switch)] = attribute(
        "Version of this file format.", "-"
    )
    description: str = attribute("What the figures are of.", "-", "")
    targets: list[Target] = attribute("The figures.", "-", min_length=1)

    _source: Source = PrivateAttr(default_factory=lambda: Source("<memory>", Path()))

    @property
    def source(self) -> Source:
        """Where the scorecard was read."""
        return self._source

    @model_validator(mode="after")
    def _coherent(self) -> Scorecard:
        refuse("scorecard", target_findings(self.targets))
        return self


LEAST_PER_PARTICLE = 4
"""Settings that a sample needs for each of its particles, of which one is for the first guess."""


class Posterior(Model):
    """How the parameters that fit are sampled."""

    particles: Count = attribute("Size of the sample.", "-", 200, ge=50, le=100_000)
    evaluations: Count = attribute("Most settings that are run for it.", "cells", 10_000, ge=100)
    runs: Count | None = attribute(
        "Runs whose mean is held against a target. Left out: `replications`.", "runs", None, ge=1
    )

    @model_validator(mode="after")
    def _enough(self) -> Posterior:
        if self.evaluations < LEAST_PER_PARTICLE * self.particles:
            found = f"{self.evaluations:,} for {self.particles:,} particles"
            allowed = f"at least {LEAST_PER_PARTICLE} for each particle"
            refuse("posterior", [Finding(("evaluations",), found, allowed)])
        return self


class Calibrate(Model):
    """Parameters that are fitted to targets; the factors are the parameters, with their ranges."""

    scorecard: FilePath | None = attribute("File of the targets, relative to this file.", "-", None)
    targets: list[Target] | None = attribute(
        "The targets themselves, instead of a file.", "-", None, min_length=1
    )
    optimiser: Literal["cmaes", "tpe"] = attribute(
        "``cmaes`` for numbers, ``tpe`` where some factors are words.", "-", "cmaes"
    )
    trials: Count = attribute("Settings that are tried for the best fit.", "cells", 100, ge=8)
    posterior: Posterior | None = attribute(
        "The sample of parameters that fit; ``null`` for none.", "-", factory=Posterior
    )
    seed: Count = attribute("Seed of the search and of the sample.", "-", 0, ge=0)
    confidence: Fraction = attribute("Probability of the intervals.", "1", 0.95, gt=0, lt=1)

    @model_validator(mode="after")
    def _one_source(self) -> Calibrate:
        refuse("calibrate", self._findings())
        return self

    def _findings(self) -> Iterator[Finding]:
        if (self.scorecard is None) == (self.targets is None):
            found = "none of them" if self.scorecard is None else "both"
            yield Finding((), found, "one of scorecard, targets")
        yield from target_findings(self.targets or ())


def target_findings(targets: Sequence[Target]) -> Iterator[Finding]:
    """Yield targets that stand twice or have no source."""
    seen: set[str] = set()
    for number, target in enumerate(targets):
        if target.metric in seen:
            found = f"'{target.metric}' twice"
            yield Finding(("targets", number, "metric"), found, "one target for each metric")
        seen.add(target.metric)
        if not target.source.strip():
            found = "an empty text"
            yield Finding(("targets", number, "source"), found, "where the figure is from")
