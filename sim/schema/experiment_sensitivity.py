"""The block ``sensitivity`` of an experiment: which factors matter, and by which method."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StrictBool, model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.units import Count, Fraction

if TYPE_CHECKING:
    from sim.schema.experiment import Factor

MOST_SAMPLES = 1_000_000
"""Samples of the largest analysis."""


class _Method(Model):
    """What all methods share."""

    seed: Count = attribute("Seed of the samples and of the intervals.", "-", 0, ge=0)
    level: Fraction = attribute("Confidence of the intervals.", "1", 0.95, gt=0, lt=1)
    resamples: Count = attribute(
        "Bootstrap samples behind each interval.", "-", 500, ge=20, le=100_000
    )


class SobolIndices(_Method):
    """Shares of the variance: N (F + 2) cells for F factors, N (2 F + 2) with second order."""

    kind: Literal["sobol"] = attribute("Method.", "-", "sobol")
    samples: Count = attribute(
        "Base samples N; powers of 2 are best.", "samples", ge=4, le=MOST_SAMPLES
    )
    second_order: StrictBool = attribute(
        "Whether the interaction of each two factors is told too.", "-", False
    )


class MorrisEffects(_Method):
    """Elementary effects along r random trajectories: r (F + 1) cells for F factors."""

    kind: Literal["morris"] = attribute("Method.", "-", "morris")
    samples: Count = attribute("Trajectories r.", "trajectories", ge=2, le=MOST_SAMPLES)
    levels: Count = attribute(
        "Values that each factor takes, an even number.", "-", 4, ge=2, le=1000
    )

    @model_validator(mode="after")
    def _even(self) -> MorrisEffects:
        if self.levels % 2:
            found = Finding(("levels",), str(self.levels), "an even number")
            refuse("morris", [found])
        return self


class PawnIndices(_Method):
    """Distances between distributions: N cells, each factor's range cut into slices."""

    kind: Literal["pawn"] = attribute("Method.", "-", "pawn")
    samples: Count = attribute("Cells N.", "samples", ge=20, le=MOST_SAMPLES)
    slices: Count = attribute(
        "Parts that a factor's range is cut into; one with fewer values has a slice for each.",
        "-",
        10,
        ge=2,
        le=1000,
    )

    @model_validator(mode="after")
    def _enough(self) -> PawnIndices:
        if self.samples < 5 * self.slices:
            allowed = f"at least 5 for each of the {self.slices} slices"
            refuse("pawn", [Finding(("samples",), str(self.samples), allowed)])
        return self


Sensitivity = Annotated[SobolIndices | MorrisEffects | PawnIndices, Field(discriminator="kind")]
"""Any method."""


def sensitivity_findings(
    settings: Sensitivity, factors: list[Factor], *, design: bool
) -> Iterator[Finding]:
    """Yield what is wrong with factors and design beside a sensitivity analysis.

    Parameters
    ----------
    settings : Sensitivity
        The block.
    factors : list of Factor
        Those of the experiment.
    design : bool
        Whether the file states a design too.
    """
    if design:
        found = "a design beside sensitivity"
        yield Finding(("design",), found, "one of them: the method makes the cells itself")
    if not factors:
        yield Finding(("factors",), "no factors", "at least one for a sensitivity analysis")
    for number, factor in enumerate(factors):
        if factor.values is None:
            continue
        if len(factor.values) < 2:
            place = ("factors", number, "values")
            yield Finding(place, "one value", "two or more in a sensitivity analysis")
        elif settings.kind == "morris" and not _ascending(factor.values):
            place = ("factors", number, "values")
            found = "values that are not numbers in ascending order"
            yield Finding(place, found, "such numbers for morris; sobol and pawn take any values")


def _ascending(values: list[object]) -> bool:
    """Whether values are numbers, each above the one before."""
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) < len(values):
        return False
    return all(a < b for a, b in pairwise(numbers))
