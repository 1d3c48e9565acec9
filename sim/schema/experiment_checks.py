"""Checks of an experiment: its size, the columns of its table of runs, the paths it sets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sim.schema.base import Finding

if TYPE_CHECKING:
    from sim.schema.experiment import Experiment, Factor, ListDesign, Metric

MOST_RUNS = 10_000_000
"""Runs of the largest experiment."""

TAKEN = (
    "cell", "replication", "seed", "status", "stage", "message", "run_id", "wall_seconds",
    "runs", "failed",
)  # fmt: skip
"""Columns of the table of runs, or of that by cell, that no factor or metric may be named like."""


def name_findings(
    factors: Sequence[Factor], metrics: Sequence[Metric], design: ListDesign | None
) -> Iterator[Finding]:
    """Yield columns without a name and columns that are named twice.

    Capitals make no other column: SQL does not tell them apart.

    Parameters
    ----------
    factors, metrics : sequence
        Those of the experiment.
    design : ListDesign, optional
        Its cells, if they are listed; the paths in them are columns.
    """
    seen: dict[str, str] = dict.fromkeys(TAKEN, "the table of runs itself")
    for number, factor in enumerate(factors):
        key = "name" if factor.name else "path"
        yield from _twice(factor.column, ("factors", number, key), seen)
        seen[factor.column.lower()] = f"factor {number}"
    listed: dict[str, int] = {}
    for number, cell in enumerate(design.cells if design is not None else ()):
        for path in cell:
            listed.setdefault(path, number)
    for path, number in listed.items():
        yield from _twice(path, ("design", "cells", number, path), seen)
        seen[path.lower()] = "the cells"
    for number, metric in enumerate(metrics):
        if not metric.name.strip():
            yield Finding(("metrics", number), "a metric without a name", "a name of its own")
        yield from _twice(metric.name, ("metrics", number), seen)
        for name in (metric.name, f"{metric.name} ±"):
            seen[name.lower()] = f"metric {number}"


def _twice(name: str, place: tuple[str | int, ...], seen: dict[str, str]) -> Iterator[Finding]:
    if name.lower() in seen:
        found = f"'{name}', a column of {seen[name.lower()]}"
        yield Finding(place, found, "a name of its own")


def path_findings(factors: Sequence[Factor]) -> Iterator[Finding]:
    """Yield paths whose values would never count: replaced by a later factor's, or the seed."""
    before: list[tuple[int, str]] = []
    for number, factor in enumerate(factors):
        for path in factor.path:
            if path == "seed" and factor.name is not None:  # else its column is taken
                allowed = "replications, or the key seed of the experiment"
                yield Finding(("factors", number, "path"), "the seed as a factor", allowed)
            for other, earlier in before:
                if f"{earlier}.".startswith(f"{path}."):
                    found = f"'{path}', which replaces what factor {other} sets"
                    allowed = "each path once, blocks before what is set within them"
                    yield Finding(("factors", number, "path"), found, allowed)
        before += [(number, path) for path in factor.path]


def size_findings(experiment: Experiment) -> Iterator[Finding]:
    """Yield that a design asks for more runs than can be; its cells are not made for that."""
    design, cells = experiment.design, 1
    if experiment.sensitivity is not None:
        return
    if design.kind == "grid":
        levels = (len(factor.values or ()) or factor.levels or 1 for factor in experiment.factors)
        cells = math.prod(levels)
    elif design.kind in ("latin_hypercube", "sobol"):
        cells = design.cells
    runs = cells * experiment.replications
    if runs > MOST_RUNS:
        place = ("factors",) if design.kind == "grid" else ("design", "cells")
        yield Finding(place, f"{runs:,} runs of {cells:,} cells", f"at most {MOST_RUNS:,} runs")
