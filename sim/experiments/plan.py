"""An experiment made ready: its scenario read, every cell checked before anything runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.core.errors import ScenarioError
from sim.core.nearest import nearest
from sim.core.version import code_version
from sim.experiments.check import problem_at, problems_of_plan
from sim.experiments.design import Cell, cells_of
from sim.schema import Experiment, Scenario, canonical, load_experiment, load_mapping
from sim.schema.experiment import SEEDS_OF_CELL
from sim.schema.experiment_compare import VARIANT
from sim.schema.locator import KeyPath, Source
from sim.schema.overrides import apply_overrides
from sim.schema.yamlfile import parse_yaml, plain, read_text

GROWS = ("replications", "description", "name", "sensitivity")
"""Keys of an experiment that may change without making it another one."""

LARGEST = 2**63 - 1
"""Largest whole number of the table of runs."""


@dataclass(frozen=True, slots=True)
class Base:
    """The scenario of an experiment as plain values, before any factor is set.

    Attributes
    ----------
    file : str
        Its file as messages name it.
    folder : str
        Folder that its own paths are relative to.
    data : dict
        What the file says.
    """

    file: str
    folder: str
    data: dict[str, Any]

    def scenario(self, overrides: dict[str, Any]) -> Scenario:
        """Return the scenario with values replaced.

        Raises
        ------
        ScenarioError
            If it cannot be used so.
        """
        data, changed = apply_overrides(self.data, overrides, typed=False)
        return load_mapping(data, source=Source(self.file, Path(self.folder), {}, changed))


@dataclass(frozen=True, slots=True)
class Plan:
    """What an experiment is going to run.

    Attributes
    ----------
    experiment : Experiment
        As its file says.
    base : Base
        Its scenario.
    cells : tuple of Cell
        In order.
    seed : int
        Seed of replication 0.
    bases : tuple of Base
        Scenarios of the variants, where these are files of their own; else empty.
    """

    experiment: Experiment
    base: Base
    cells: tuple[Cell, ...]
    seed: int
    bases: tuple[Base, ...] = ()

    def base_of(self, cell: Cell) -> Base:
        """Return the scenario that a cell changes."""
        return self.bases[cell.number % len(self.bases)] if self.bases else self.base

    @property
    def runs(self) -> int:
        """Number of runs."""
        return len(self.cells) * self.experiment.replications

    def seed_of(self, cell: int, replication: int) -> int:
        """Return the seed of a run; all cells share theirs where random numbers are common."""
        if self.experiment.common_random_numbers:
            return self.seed + replication
        return self.seed + cell * SEEDS_OF_CELL + replication

    def order(self) -> Iterator[tuple[Cell, int]]:
        """Yield cell and replication of every run, cell by cell."""
        for cell in self.cells:
            for replication in range(self.experiment.replications):
                yield cell, replication

    def identity(self) -> dict[str, Any]:
        """Return what makes this experiment itself; its store belongs to no other.

        More replications do not make it another one: they are run in addition.
        """
        said = self.experiment.model_dump(mode="json", by_alias=True, exclude=set(GROWS))
        said["scenario"] = _digest(canonical(self.base.scenario({})))
        said.pop("compare", None)  # what of it changes runs is in the cells and scenarios
        if self.bases:
            said["scenarios"] = [_digest(canonical(base.scenario({}))) for base in self.bases]
        return {
            "experiment": said,
            "cells": _digest([[cell.values, cell.overrides] for cell in self.cells]),
            "seed": self.seed,
            "code_version": code_version(),
            "columns": {
                "factors": {
                    name: _kind([cell.values.get(name) for cell in self.cells])
                    for name in columns_of(self)
                },
                "metrics": {metric.name: "DOUBLE" for metric in self.experiment.metrics},
            },
        }


def prepare(
    file: str | Path, find: Callable[[str], Path] = Path, overrides: dict[str, Any] | None = None
) -> Plan:
    """Read an experiment file and check all of its cells.

    Parameters
    ----------
    file : path
        Experiment file.
    find : callable
        Returns the path of a scenario that is named other than by a path beside the file.
    overrides : dict, optional
        Values by path of the scenario that are set in every cell, before its factors.

    Raises
    ------
    ScenarioError
        With every mistake of the experiment, of its scenario, and of every cell.
    """
    return plan_of(load_experiment(file), find, overrides)


def plan_of(
    experiment: Experiment,
    find: Callable[[str], Path] = Path,
    overrides: dict[str, Any] | None = None,
) -> Plan:
    """Return the plan of an experiment, as `prepare` does."""
    base = _base(experiment, ("scenario",), experiment.scenario, find, overrides or {})
    files = experiment.compare.scenarios if experiment.compare is not None else None
    bases = tuple(
        _base(experiment, ("compare", "scenarios", name), file, find, overrides or {})
        for name, file in (files or {}).items()
    )
    scenario = base.scenario({})
    seed = scenario.seed if experiment.seed is None else experiment.seed
    plan = Plan(experiment, base, tuple(cells_of(experiment)), seed, bases)
    problems = problems_of_plan(plan, scenario)
    largest = plan.seed_of(len(plan.cells) - 1, experiment.replications - 1)
    if largest > LARGEST:
        allowed = f"seeds of all runs up to {LARGEST}"
        problems.append(problem_at(experiment, ("seed",), f"a seed of {largest}", allowed))
    if problems:
        raise ScenarioError(problems)
    return plan


def _base(
    experiment: Experiment,
    key: KeyPath,
    name: str,
    find: Callable[[str], Path],
    overrides: dict[str, Any],
) -> Base:
    """Return the scenario that a key of an experiment names."""
    here = experiment.source.base_dir / name
    path = here if here.exists() else find(name)
    if not path.exists():
        found = f"'{name}', which does not exist"
        allowed = "a scenario file, relative to this file"
        near = nearest(here.name, sorted(file.name for file in here.parent.glob("*.y*ml")))
        hint = None if near is None else str(Path(name).with_name(near))
        raise ScenarioError(problem_at(experiment, key, found, allowed, hint))
    file = str(path)
    data, _ = plain(parse_yaml(read_text(path, file), file), file)
    base = Base(file, str(path.parent.resolve()), data)
    load_mapping(data, path.parent)  # a scenario that is not one is refused before it is changed
    if overrides:
        base = Base(file, base.folder, apply_overrides(data, overrides)[0])
    return base


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def columns_of(plan: Plan) -> Sequence[str]:
    """Return the columns of the factors."""
    if plan.experiment.design.kind == "list":
        return list(dict.fromkeys(name for cell in plan.cells for name in cell.values))
    factors = [factor.column for factor in plan.experiment.factors]
    return factors if plan.experiment.compare is None else [*factors, VARIANT]


def _kind(values: Sequence[Any]) -> str:
    """Return the SQL type that holds all values of a factor."""
    given = [value for value in values if value is not None]
    if given and all(isinstance(value, bool) for value in given):
        return "BOOLEAN"
    if any(isinstance(value, bool) for value in given):
        return "VARCHAR"
    if given and all(isinstance(value, int) and abs(value) <= LARGEST for value in given):
        return "BIGINT"
    if given and all(isinstance(value, (int, float)) for value in given):
        return "DOUBLE"
    return "VARCHAR"
