"""Everything that is wrong with an experiment, found before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sim.core.errors import Problem, ScenarioError
from sim.core.expression import Formula, parse_formula
from sim.core.figures import UnknownNameError
from sim.core.lexer import ExpressionError
from sim.schema.base import show
from sim.schema.locator import KeyPath
from sim.schema.overrides import apply_overrides
from sim.schema.yamlfile import dotted

if TYPE_CHECKING:
    from sim.experiments.design import Cell
    from sim.experiments.plan import Plan
    from sim.schema import Experiment, Scenario

MOST_LISTED = 40
"""Cells, or stretches of cells, that one message names."""


def problems_of_plan(plan: Plan, scenario: Scenario) -> list[Problem]:
    """Return what is wrong with the cells and the metrics of a plan.

    Parameters
    ----------
    plan : Plan
        What is to be checked.
    scenario : Scenario
        Its scenario without factors.

    Notes
    -----
    Every cell is made once. What several cells have in common, such as a misspelt path, is one
    problem that names them all, at the factor in the experiment file that it comes from.
    """
    metrics = _Metrics(plan.experiment)
    metrics.look(scenario)
    wrong: dict[tuple[str, str, str | None], list[tuple[Cell, Problem]]] = {}
    for cell in plan.cells:
        try:
            found = plan.base_of(cell).scenario(cell.overrides)
        except ScenarioError:
            for problem in _problems_of_cell(plan, cell):
                key = (problem.path, problem.allowed, problem.hint)
                wrong.setdefault(key, []).append((cell, problem))
        else:
            metrics.look(found)
    of_cells = [_of_cells(plan, found) for found in wrong.values()]
    return sorted([*of_cells, *metrics.problems()], key=lambda p: (p.line or 0, p.column or 0))


def _problems_of_cell(plan: Plan, cell: Cell) -> list[Problem]:
    """Return what is wrong with a cell; paths that lead nowhere do not hide the rest."""
    overrides = dict(cell.overrides)
    problems: list[Problem] = []
    try:
        apply_overrides(plan.base_of(cell).data, overrides, typed=False)
    except ScenarioError as error:
        problems += error.problems
        for problem in error.problems:
            overrides.pop(problem.path, None)
    try:
        plan.base_of(cell).scenario(overrides)
    except ScenarioError as error:
        problems += error.problems
    return problems


def problem_at(
    experiment: Experiment, path: KeyPath, found: str, allowed: str, hint: str | None = None
) -> Problem:
    """Return a problem with a key of an experiment file."""
    source = experiment.source
    line, column = source.place(path)
    return Problem(source.file_of(path), line, column, dotted(path), found, allowed, hint)


def describe(values: dict[str, Any]) -> str:
    """Return the values of a cell on one line."""
    return ", ".join(f"{name} = {show(value, 40)}" for name, value in values.items()) or "as it is"


def _of_cells(plan: Plan, found: Sequence[tuple[Cell, Problem]]) -> Problem:
    """Return one problem for all the cells that have it."""
    first, problem = found[0]
    numbers = list(dict.fromkeys(cell.number for cell, _ in found))
    said = f"{problem.found} at {problem.path}"
    if len(numbers) == len(plan.cells) > 1:
        said += f" in all {len(numbers):,} cells"
    elif len(numbers) > 1:
        said += f" in cell {first.number} ({describe(first.values)}) and the like in "
        said += f"{len(numbers):,} cells of {len(plan.cells):,}: {stretches(numbers)}"
    elif len(plan.cells) > 1:
        said += f" in cell {first.number} ({describe(first.values)})"
    return problem_at(
        plan.experiment, _origin(plan, first, problem.path), said, problem.allowed, problem.hint
    )


def _origin(plan: Plan, cell: Cell, path: str) -> KeyPath:
    """Return the key of the experiment from which a problem at a path of the scenario comes."""
    compare = plan.experiment.compare
    if compare is not None and compare.variants is not None:
        name = compare.names[cell.number % len(compare.names)]
        near = [key for key in compare.variants[name] if _leads(key, path)]
        if near:
            return ("compare", "variants", name, near[0])
    if plan.experiment.design.kind == "list":
        near = [name for name in cell.overrides if _leads(name, path)]
        point = cell.number // (1 if compare is None else len(compare.names))
        return ("design", "cells", point, *near[:1])
    for related in (_leads, _neighbours):
        for number, factor in enumerate(plan.experiment.factors):
            if any(related(name, path) for name in factor.path):
                return ("factors", number)
    return ("factors",)


def _leads(one: str, other: str) -> bool:
    """Whether one of two paths leads to the other."""
    ours, theirs = one.split("."), other.split(".")
    shared = min(len(ours), len(theirs))
    return ours[:shared] == theirs[:shared]


def _neighbours(one: str, other: str) -> bool:
    """Whether two paths lead to keys of the same block."""
    return "." in one and one.rpartition(".")[0] == other.rpartition(".")[0]


def stretches(numbers: Sequence[int]) -> str:
    """Return ascending numbers as text, neighbours together, such as ``0-2, 5``."""
    pieces: list[list[int]] = []
    for number in numbers:
        if pieces and number == pieces[-1][1] + 1:
            pieces[-1][1] = number
        else:
            pieces.append([number, number])
    texts = [f"{low}-{high}" if low < high else str(low) for low, high in pieces[:MOST_LISTED]]
    more = len(pieces) - MOST_LISTED
    return ", ".join(texts) + (f" and {more:,} more" if more > 0 else "")


class _Metrics:
    """The metrics of an experiment: which of them are figures of some cell."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._wrong: dict[int, Problem] = {}
        self._sought: dict[int, tuple[Formula, Problem | None]] = {}
        from sim.engine.figure_names import TEXTS

        for number, metric in enumerate(experiment.metrics):
            try:
                formula = parse_formula(metric.value)
            except ExpressionError as error:
                self._wrong[number] = self._problem(number, metric.value, f"a formula; {error}")
                continue
            text = next((path[0] for path in formula.names if path[0] in TEXTS), None)
            if text is None:
                self._sought[number] = (formula, None)
            else:
                said = f"figures that are numbers; '{text}' is text"
                self._wrong[number] = self._problem(number, metric.value, said)

    def look(self, scenario: Scenario) -> None:
        """Strike off the metrics that a scenario has all figures of."""
        if not self._sought:
            return
        from sim.engine.figure_names import known_figures

        table = known_figures(scenario)
        for number, (formula, problem) in list(self._sought.items()):
            try:
                formula.check_names(table)
            except UnknownNameError as error:
                found = problem or self._problem(number, formula.text, f"figures of a run; {error}")
                self._sought[number] = (formula, found)
            else:
                del self._sought[number]

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the metrics, in their order."""
        missing = {number: problem for number, (_, problem) in self._sought.items()}
        for _, problem in sorted({**self._wrong, **missing}.items()):
            if problem is not None:
                yield problem

    def _problem(self, number: int, text: str, allowed: str) -> Problem:
        return problem_at(self.experiment, ("metrics", number), f"'{text}'", allowed)
