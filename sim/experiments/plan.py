"""An experiment made ready: its scenario read, every cell checked before anything runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.core.errors import Problem, ScenarioError
from sim.core.expression import parse_formula
from sim.core.figures import UnknownNameError
from sim.core.lexer import ExpressionError
from sim.core.version import code_version
from sim.engine.figure_names import known_figures
from sim.experiments.design import Cell, cells_of
from sim.schema import Experiment, Scenario, canonical, load_experiment, load_mapping
from sim.schema.base import show
from sim.schema.locator import OVERRIDES, KeyPath
from sim.schema.yamlfile import dotted, parse_yaml, plain, read_text

GROWS = ("replications", "description", "name", "sensitivity")
"""Keys of an experiment that may change without making it another one."""


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
        return load_mapping(self.data, self.folder, {k: _raw(v) for k, v in overrides.items()})


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
    """

    experiment: Experiment
    base: Base
    cells: tuple[Cell, ...]
    seed: int

    @property
    def runs(self) -> int:
        """Number of runs."""
        return len(self.cells) * self.experiment.replications

    def seed_of(self, cell: int, replication: int) -> int:
        """Return the seed of a run; all cells share theirs where random numbers are common."""
        if self.experiment.common_random_numbers:
            return self.seed + replication
        return self.seed + cell * 1_000_000 + replication

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
    base = _base(experiment, find, overrides or {})
    scenario = base.scenario({})
    problems = [*_factor_problems(experiment, base)]
    if problems:
        raise ScenarioError(problems)
    cells = tuple(cells_of(experiment))
    seed = scenario.seed if experiment.seed is None else experiment.seed
    plan = Plan(experiment, base, cells, seed)
    problems = [*_cell_problems(plan), *_metric_problems(plan, scenario)]
    if problems:
        raise ScenarioError(problems)
    return plan


def _base(experiment: Experiment, find: Callable[[str], Path], overrides: dict[str, Any]) -> Base:
    path = experiment.source.base_dir / experiment.scenario
    if not path.exists():
        path = find(experiment.scenario)
    if not path.exists():
        found = f"'{experiment.scenario}', which does not exist"
        allowed = "a scenario file, relative to this file"
        raise ScenarioError(_problem(experiment, ("scenario",), found, allowed))
    file = str(path)
    data, _ = plain(parse_yaml(read_text(path, file), file), file)
    base = Base(file, str(path.parent.resolve()), data)
    load_mapping(data, path.parent)  # a scenario that is not one is refused before it is changed
    if overrides:
        from sim.schema.overrides import apply_overrides

        base = Base(file, base.folder, apply_overrides(data, overrides)[0])
    return base


def _raw(value: Any) -> Any:
    """Return a value as overrides take it: text is read as YAML there, so it is quoted."""
    return json.dumps(value) if isinstance(value, str) else value


def _problem(
    experiment: Experiment,
    path: KeyPath,
    found: str,
    allowed: str,
    hint: str | None = None,
) -> Problem:
    source = experiment.source
    line, column = source.place(path)
    return Problem(source.file_of(path), line, column, dotted(path), found, allowed, hint)


def _factor_problems(experiment: Experiment, base: Base) -> Iterator[Problem]:
    """Yield paths that lead nowhere, each looked at by itself with a harmless value.

    Only problems with the path count here: a value may be bad alone and good beside others.
    """
    named: list[tuple[KeyPath, str, Any]] = []
    for number, factor in enumerate(experiment.factors):
        value = factor.values[0] if factor.values else None
        named += [(("factors", number, "path"), path, value) for path in factor.path]
    if experiment.design.kind == "list":
        for number, cell in enumerate(experiment.design.cells):
            named += [(("design", "cells", number), path, cell[path]) for path in cell]
    known: dict[str, Problem | None] = {}
    for place, path, value in named:
        if path not in known:
            known[path] = _path_problem(base, path, value)
        wrong = known[path]
        if wrong is not None:
            said = (place, f"{path}: {wrong.found}", wrong.allowed, wrong.hint)
            yield _problem(experiment, *said)


def _path_problem(base: Base, path: str, value: Any) -> Problem | None:
    """Return what is wrong with a path itself, or None."""
    try:
        base.scenario({path: 0.5 if value is None else value})
    except ScenarioError as error:
        for problem in error.problems:
            unknown = problem.found.startswith(("unknown key", "unknown name"))
            nowhere = problem.path == path and problem.file == OVERRIDES and problem.line is None
            inside = path == problem.path or path.startswith(f"{problem.path}.")
            if (unknown and inside) or (nowhere and " as an item of " in problem.found):
                return problem
            if nowhere and " below " in problem.found:
                return problem
    return None


def _cell_problems(plan: Plan) -> Iterator[Problem]:
    """Yield what is wrong with every cell that cannot be run."""
    for cell in plan.cells:
        try:
            plan.base.scenario(cell.overrides)
        except ScenarioError as error:
            for problem in error.problems:
                found = f"{problem.found} at {problem.path}"
                place: KeyPath = ("design",)
                if plan.experiment.design.kind == "list":
                    place = ("design", "cells", cell.number)
                line, column = plan.experiment.source.place(place)
                yield Problem(
                    plan.experiment.source.file,
                    line,
                    column,
                    f"cell {cell.number} ({describe(cell.values)})",
                    found,
                    problem.allowed,
                    problem.hint,
                )


def describe(values: dict[str, Any]) -> str:
    """Return the values of a cell on one line."""
    return ", ".join(f"{name} = {show(value, 40)}" for name, value in values.items()) or "as it is"


def _metric_problems(plan: Plan, scenario: Scenario) -> Iterator[Problem]:
    """Yield metrics that cannot be read or name a figure that no run will have."""
    tables = [known_figures(scenario)]
    for number, metric in enumerate(plan.experiment.metrics):
        path: KeyPath = ("metrics", number)
        try:
            formula = parse_formula(metric.value)
            formula.check_names(tables[0])
        except UnknownNameError as error:
            if not _in_a_cell(plan, metric.value):
                yield _problem(plan.experiment, path, f"'{metric.value}'", str(error))
        except ExpressionError as error:
            yield _problem(plan.experiment, path, f"'{metric.value}'", f"a formula; {error}")


def _in_a_cell(plan: Plan, text: str) -> bool:
    """Whether some cell has every figure of a formula, as a layer that only it has."""
    formula = parse_formula(text)
    for cell in plan.cells:
        try:
            formula.check_names(known_figures(plan.base.scenario(cell.overrides)))
        except (UnknownNameError, ScenarioError):
            continue
        return True
    return False


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def columns_of(plan: Plan) -> Sequence[str]:
    """Return the columns of the factors."""
    if plan.experiment.design.kind == "list":
        return list(dict.fromkeys(name for cell in plan.cells for name in cell.values))
    return [factor.column for factor in plan.experiment.factors]


def _kind(values: Sequence[Any]) -> str:
    """Return the SQL type that holds all values of a factor."""
    given = [value for value in values if value is not None]
    if given and all(isinstance(value, bool) for value in given):
        return "BOOLEAN"
    if any(isinstance(value, bool) for value in given):
        return "VARCHAR"
    if given and all(isinstance(value, int) for value in given):
        return "BIGINT"
    if given and all(isinstance(value, (int, float)) for value in given):
        return "DOUBLE"
    return "VARCHAR"
