"""An experiment: many runs of one scenario, its factors set by a design."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, StrictBool, model_validator

from sim.schema.base import Finding, Model, attribute, no_switch, refuse
from sim.schema.distributions import Distribution
from sim.schema.experiment_calibrate import Calibrate
from sim.schema.experiment_checks import (
    MOST_RUNS,
    name_findings,
    path_findings,
    size_findings,
)
from sim.schema.experiment_compare import Compare, compare_findings
from sim.schema.experiment_optimise import Optimise
from sim.schema.experiment_reverse import Reverse
from sim.schema.experiment_sensitivity import Sensitivity, sensitivity_findings
from sim.schema.locator import Source
from sim.schema.units import Count, FilePath, Quantity, Slug

SEEDS_OF_CELL = 1_000_000
"""Distance between the seeds of neighbouring cells where they do not share theirs."""


def _one_or_many(value: Any) -> Any:
    """Return a path, or a list of them, as a list."""
    return [value] if isinstance(value, str) else value


class Factor(Model):
    """Something that differs between the cells of an experiment."""

    path: Annotated[
        list[str], BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])
    ] = attribute(
        "Where the value goes in the scenario: keys joined by dots, items of lists by number. A "
        "list of paths gets the same value everywhere.",
        "-",
        min_length=1,
    )
    name: Slug | None = attribute(
        "Name of its column in the table of runs. Left out: its first path.", "-", None
    )
    values: list[Any] | None = attribute(
        "The values it takes: numbers, words or whole blocks of the scenario.",
        "of the key",
        None,
        min_length=1,
    )
    range: tuple[Quantity, Quantity] | None = attribute(
        "Lowest and highest value, instead of `values`.", "of the key", None
    )
    scale: Literal["linear", "log"] = attribute(
        "Whether a range is cut into equal differences or equal ratios.", "-", "linear"
    )
    distribution: Distribution | None = attribute(
        "What its values are drawn from, instead of `values`.", "of the key", None
    )
    levels: Count | None = attribute(
        "Number of values that a grid takes from a range or distribution.", "-", None, ge=2
    )
    whole: StrictBool = attribute("Whether values of a range are made whole numbers.", "-", False)

    @property
    def column(self) -> str:
        """Name of the factor's column in the table of runs."""
        return self.name or self.path[0]

    @model_validator(mode="after")
    def _one_source(self) -> Factor:
        refuse("factor", self._findings())
        return self

    def _findings(self) -> Iterator[Finding]:
        sources = ("values", "range", "distribution")
        given = [key for key in sources if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            yield Finding((), found, f"one of {', '.join(sources)}")
        if self.values is not None and self.levels is not None:
            yield Finding(("levels",), f"{self.levels} beside values", "no levels with values")
        if self.values is not None and len({repr(value) for value in self.values}) < len(
            self.values
        ):
            yield Finding(("values",), "the same value twice", "values that differ")
        if self.scale == "log" and self.range is None:
            yield Finding(("scale",), "log without a range", "linear, or a range beside it")
        if self.whole and self.values is not None:
            yield Finding(("whole",), "whole beside values", "a range or a distribution with whole")
        if self.range is None:
            return
        low, high = self.range
        if not low < high:
            yield Finding(("range",), f"{low:g} to {high:g}", "the lower value first")
        elif self.scale == "log" and not low > 0 and not high < 0:
            found = f"{low:g} to {high:g} on a log scale"
            yield Finding(("range",), found, "bounds of one sign, neither of them 0")
        elif self.whole and not (low.is_integer() and high.is_integer()):
            found = f"{low:g} to {high:g} with whole numbers alone"
            yield Finding(("range",), found, "whole bounds")


class Grid(Model):
    """Every combination of the factors' values."""

    kind: Literal["grid"] = attribute("Design.", "-", "grid")


class LatinHypercube(Model):
    """Each factor's range is cut into as many equal parts as there are cells, each used once."""

    kind: Literal["latin_hypercube"] = attribute("Design.", "-", "latin_hypercube")
    cells: Count = attribute("Number of cells.", "cells", ge=1, le=MOST_RUNS)
    seed: Count = attribute("Seed of the design itself.", "-", 0, ge=0)


class SobolPoints(Model):
    """Points of a scrambled Sobol sequence; numbers of cells that are powers of 2 are best."""

    kind: Literal["sobol"] = attribute("Design.", "-", "sobol")
    cells: Count = attribute("Number of cells.", "cells", ge=1, le=MOST_RUNS)
    seed: Count = attribute("Seed of the scrambling.", "-", 0, ge=0)


class ListDesign(Model):
    """The cells, one by one."""

    kind: Literal["list"] = attribute("Design.", "-", "list")
    cells: list[dict[str, Any]] = attribute(
        "Value by path for each cell; what a cell leaves out stays as the scenario has it.",
        "-",
        min_length=1,
    )


class Paired(Model):
    """The k-th values of all factors belong together."""

    kind: Literal["paired"] = attribute("Design.", "-", "paired")


Design = Annotated[
    Grid | LatinHypercube | SobolPoints | ListDesign | Paired, Field(discriminator="kind")
]
"""Any design."""


class Metric(Model):
    """A figure of each run."""

    name: str = attribute("Name of its column in the table of runs.", "-")
    value: str = attribute(
        "A key of the summary, or an expression over them, such as "
        "``liquidated_notional / venues.beta.equity``; a condition counts as 0 or 1.",
        "-",
    )


def _metric(value: Any) -> Any:
    """Return a metric that is written as its expression alone as a block."""
    return {"name": value, "value": value} if isinstance(value, str) else value


class Experiment(Model):
    """An experiment file."""

    schema_version: Annotated[Literal[1], BeforeValidator(no_switch)] = attribute(
        "Version of this file format.", "-"
    )
    name: Slug = attribute("Name of the experiment, also of its folder of results.", "-")
    description: str = attribute("What the experiment asks.", "-", "")
    scenario: FilePath = attribute("Scenario file, relative to this file.", "-")
    seed: Count | None = attribute(
        "Seed of replication 0; the k-th has seed + k. Left out: the scenario's own.",
        "-",
        None,
        ge=0,
    )
    replications: Count = attribute("Runs of each cell.", "runs", 1, ge=1, le=MOST_RUNS)
    common_random_numbers: StrictBool = attribute(
        "Whether all cells share their seeds, so that a difference between cells is not luck.",
        "-",
        True,
    )
    design: Design = attribute("How cells are made of the factors.", "-", factory=Grid)
    sensitivity: Sensitivity | None = attribute(
        "Which factors matter; takes the place of the design.", "-", None
    )
    factors: list[Factor] = attribute("What differs between cells.", "-", factory=list)
    metrics: list[
        Annotated[Metric, BeforeValidator(_metric, json_schema_input_type=str | Metric)]
    ] = attribute("What is written down of each run.", "-", min_length=1)
    keep: Literal["metrics", "summary", "runs"] = attribute(
        "What is kept of each run: the metrics alone, its whole summary too, or its folder.",
        "-",
        "metrics",
    )
    reverse: Reverse | None = attribute(
        "Question of ``liqsim reverse``: the smallest shock.", "-", None
    )
    optimise: Optimise | None = attribute(
        "Question of ``liqsim optimise``: the best settings.", "-", None
    )
    compare: Compare | None = attribute(
        "Variants that are run at every cell of the design, on the same draws.", "-", None
    )
    calibrate: Calibrate | None = attribute(
        "Targets that the factors are fitted to by ``liqsim calibrate``.", "-", None
    )

    _source: Source = PrivateAttr(default_factory=lambda: Source("<memory>", Path()))

    @property
    def source(self) -> Source:
        """Where the experiment was read: file name, base folder and places of its keys."""
        return self._source

    @model_validator(mode="after")
    def _coherent(self) -> Experiment:
        refuse(
            "experiment",
            [
                *self._names(),
                *self._seeds(),
                *size_findings(self),
                *self._design_findings(),
                *self._compared(),
            ],
        )
        return self

    def _compared(self) -> Iterator[Finding]:
        if self.compare is not None:
            metrics = [metric.name for metric in self.metrics]
            common = self.common_random_numbers
            yield from compare_findings(self.compare, self.factors, metrics, common=common)
            for verb in ("sensitivity", "reverse", "optimise", "calibrate"):
                if getattr(self, verb, None) is not None:
                    yield Finding(("compare",), f"compare beside {verb}", "one of them")
        if self.calibrate is not None and not self.factors:
            allowed = "the parameters that are fitted"
            yield Finding(("factors",), "no factors beside calibrate", allowed)

    def _seeds(self) -> Iterator[Finding]:
        if not self.common_random_numbers and self.replications > SEEDS_OF_CELL:
            found = f"{self.replications:,} runs of a cell without common random numbers"
            yield Finding(("replications",), found, f"at most {SEEDS_OF_CELL:,}")

    def _names(self) -> Iterator[Finding]:
        listed = self.design if self.design.kind == "list" else None
        yield from name_findings(self.factors, self.metrics, listed)
        yield from path_findings(self.factors)

    def _design_findings(self) -> Iterator[Finding]:
        kind = self.design.kind
        if self.sensitivity is not None:
            stated = "design" in self.model_fields_set
            yield from sensitivity_findings(self.sensitivity, self.factors, design=stated)
            return
        if kind == "list":
            yield from self._list_findings()
            return
        searched = (self.reverse, self.optimise, self.calibrate)
        if kind == "grid" and not any(searched):
            for number, factor in enumerate(self.factors):
                if factor.values is None and factor.levels is None:
                    allowed = "values, or the number of levels beside a range or distribution"
                    yield Finding(("factors", number), "no levels for a grid", allowed)
        if kind == "paired":
            yield from self._paired_findings()

    def _paired_findings(self) -> Iterator[Finding]:
        counts = {len(factor.values or ()) for factor in self.factors}
        for number, factor in enumerate(self.factors):
            if factor.values is None:
                yield Finding(("factors", number), "no values", "values in a paired design")
            elif len(counts) > 1:
                found = f"{len(factor.values)} values"
                yield Finding(
                    ("factors", number, "values"), found, "as many as the other factors have"
                )

    def _list_findings(self) -> Iterator[Finding]:
        if self.factors:
            found = "factors beside a list of cells"
            yield Finding(("factors",), found, "no factors: each cell names its own paths")
