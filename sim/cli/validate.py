"""``liqsim validate``: check scenario and experiment files without running them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.guard import INVALID, count, one_line
from sim.cli.options import Json

if TYPE_CHECKING:
    from sim.schema import Scenario


def validate(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Scenario or experiment files, or bundled names."),
    ],
    as_json: Json = False,
) -> None:
    """Check scenarios and experiments; run nothing."""
    from sim.cli.console import emit, emit_json, say

    rows: list[dict[str, Any]] = []
    for file in files:
        row = _examine(file)
        rows.append(row)
        if not as_json and row["ok"]:
            counts = (count(row[noun], noun[:-1]) for noun in COUNTED if noun in row)
            emit(f"{file}: ok ({', '.join(counts)})\n")
        for problem in row["problems"]:
            say(problem)
    if as_json:
        emit_json({"ok": all(row["ok"] for row in rows), "files": rows})
    problems = sum(len(row["problems"]) for row in rows)
    if problems:
        say(count(problems, "problem"))
        raise typer.Exit(INVALID)


COUNTED = ("cells", "runs", "venues", "markets", "accounts", "ticks")
"""What an ``ok`` line counts."""


def _examine(file: str) -> dict[str, Any]:
    """Return whether a file is usable, its counts or its problems."""
    from sim.cli.bundled import find, is_experiment
    from sim.core.errors import ScenarioError, SimError
    from sim.schema import load

    try:
        counts = _cells(file) if is_experiment(file) else _counts(load(find(file)))
    except ScenarioError as error:
        problems = [one_line(str(problem)) for problem in error.problems]
        return {"file": file, "ok": False, "problems": problems}
    except SimError as error:  # a scenario whose accounts cannot be drawn
        return {"file": file, "ok": False, "problems": [f"{file}: {one_line(str(error))}"]}
    return {"file": file, "ok": True, "problems": [], **counts}


def _cells(file: str) -> dict[str, int]:
    """Check every cell of an experiment, build the world of the first and count what there is."""
    from sim.cli.bundled import find_experiment, find_scenario
    from sim.experiments.calibrate_plan import prepare_calibration
    from sim.experiments.optimise import prepare_optimise
    from sim.experiments.plan import prepare
    from sim.experiments.reverse_plan import prepare_reverse

    path = find_experiment(file)
    plan = prepare(path, find_scenario)
    if plan.experiment.reverse is not None:
        prepare_reverse(path, find_scenario)
    if plan.experiment.optimise is not None:
        prepare_optimise(path, find_scenario)
    if plan.experiment.calibrate is not None:
        prepare_calibration(path, find_scenario)
    sizes = _counts(plan.base.scenario(plan.cells[0].overrides))
    return {"cells": len(plan.cells), "runs": plan.runs, **sizes}


def _counts(scenario: Scenario) -> dict[str, int]:
    """Build everything a run starts from, with every file it reads, and count what there is."""
    from sim.engine.build import build_world

    world = build_world(scenario, scenario.seed)
    sizes = {"venues": len(scenario.venues), "markets": len(scenario.markets)}
    return {**sizes, "accounts": world.accounts, "ticks": world.clock.ticks}
