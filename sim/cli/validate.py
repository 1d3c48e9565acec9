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


COUNTED = ("cells", "runs", "factors", "replications", "venues", "markets", "accounts", "ticks")
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
    """Check all that an experiment asks, build the world of a first cell and count what there is.

    A search makes its cells itself: of one without a design there are none to count.
    """
    from sim.cli.bundled import find_experiment, find_scenario
    from sim.experiments.calibrate_plan import prepare_calibration
    from sim.experiments.optimise import prepare_optimise
    from sim.experiments.plan import prepare
    from sim.experiments.reverse_plan import prepare_reverse
    from sim.schema import load_experiment

    path = find_experiment(file)
    experiment = load_experiment(path)
    makers = {"reverse": prepare_reverse, "optimise": prepare_optimise,
              "calibrate": prepare_calibration}  # fmt: skip
    asked = [make for key, make in makers.items() if getattr(experiment, key) is not None]
    searches = [make(path, find_scenario) for make in asked]
    if searches and "design" not in experiment.model_fields_set:
        plan = searches[0]
        sizes = _counts(plan.base.scenario(plan.probes[0].overrides))
        return {"factors": len(experiment.factors), "replications": experiment.replications} | sizes
    swept = prepare(path, find_scenario)
    sizes = _counts(swept.base_of(swept.cells[0]).scenario(swept.cells[0].overrides))
    return {"cells": len(swept.cells), "runs": swept.runs, **sizes}


def _counts(scenario: Scenario) -> dict[str, int]:
    """Build everything a run starts from, with every file it reads, and count what there is."""
    from sim.engine.build import build_world

    world = build_world(scenario, scenario.seed)
    sizes = {"venues": len(scenario.venues), "markets": len(scenario.markets)}
    return {**sizes, "accounts": world.accounts, "ticks": world.clock.ticks}
