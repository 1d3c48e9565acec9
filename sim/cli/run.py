"""``liqsim run``: one run of a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.guard import BREACHED, RUN_FAILED
from sim.cli.options import Json, Quiet, ScenarioFile, pairs, result_folder

if TYPE_CHECKING:
    from sim.core.expression import Condition
    from sim.engine import Result
    from sim.schema import Scenario

SET_EXAMPLE = "path=value, such as shocks.0.return=-0.2"


Seed = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Seed instead of the scenario's own.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Replace a value of the scenario; may be repeated."
    ),
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder for results.")]
Check = Annotated[
    bool, typer.Option("--check", help="Check conservation of money and quantity throughout.")
]
FailIf = Annotated[
    str | None,
    typer.Option(
        metavar="EXPR",
        help="Exit with 4 if this holds, such as 'shortfall > 1e6 or generations > 10'.",
    ),
]
NoFigures = Annotated[bool, typer.Option("--no-figures", help="Draw no figures.")]


def run(
    file: ScenarioFile,
    seed: Seed = None,
    overrides: Overrides = None,
    out: Out = Path("results"),
    check: Check = False,
    as_json: Json = False,
    quiet: Quiet = False,
    fail_if: FailIf = None,
    no_figures: NoFigures = False,
) -> None:
    """Run a scenario and write its results to DIR/NAME/RUN-ID."""
    gate = _gate(fail_if)
    values = pairs(overrides or (), "--set", SET_EXAMPLE)
    result_folder(out)
    scenario = _load(file, values)
    if gate is not None:
        _check_names(gate, scenario)
    result = _simulate(scenario, seed, check=check, quiet=quiet)
    folder = result.save(out, figures=not no_figures)
    breached, reason = (None, None) if gate is None else _answer(gate, result.summary)
    _print(result, folder, fail_if, breached, as_json=as_json)
    _decide(fail_if, breached, reason)


def _gate(text: str | None) -> Condition | None:
    if text is None:
        return None
    from sim.core.expression import parse_condition
    from sim.core.lexer import ExpressionError

    try:
        return parse_condition(text)
    except ExpressionError as error:
        raise typer.BadParameter(str(error), param_hint="--fail-if") from None


def _load(file: str, values: dict[str, str]) -> Scenario:
    from sim.cli.bundled import find
    from sim.schema import load

    return load(find(file), values)


def _check_names(gate: Condition, scenario: Scenario) -> None:
    """Refuse a gate that names a figure the run will not have."""
    from sim.core.figures import UnknownNameError
    from sim.engine.figure_names import known_figures

    try:
        gate.check_names(known_figures(scenario))
    except UnknownNameError as error:
        raise typer.BadParameter(str(error), param_hint="--fail-if") from None


def _simulate(scenario: Scenario, seed: int | None, *, check: bool, quiet: bool) -> Result:
    from sim.cli.console import say
    from sim.cli.progress import ticking
    from sim.engine import run as run_scenario
    from sim.kernels.compiling import slow_backend

    slow = slow_backend()
    if slow is not None and not quiet:
        say(f"note: {slow}")
    used = scenario.seed if seed is None else seed
    ticks = round(scenario.clock.horizon / scenario.clock.tick)
    line = f"running {scenario.name}: {ticks:,} ticks, seed {used}"
    with ticking(scenario.name, line, quiet=quiet) as progress:
        return run_scenario(scenario, seed=seed, check=check, progress=progress)


def _answer(gate: Condition, summary: dict[str, Any]) -> tuple[bool | None, str | None]:
    """Return whether the gate is breached, or None and why that has no answer."""
    from sim.core.lexer import ExpressionError

    try:
        return gate.holds(summary), None
    except ExpressionError as error:
        return None, str(error)


def _print(
    result: Result,
    folder: Path,
    fail_if: str | None,
    breached: bool | None,
    *,
    as_json: bool,
) -> None:
    from sim.cli.console import emit, emit_json
    from sim.cli.summary import emit_causes, emit_summary

    figures = sorted(str(path) for path in (folder / "figures").glob("*.*"))
    if as_json:
        extra = {"folder": str(folder), "figures": figures}
        gate = {} if fail_if is None else {"fail_if": {"expression": fail_if, "breached": breached}}
        emit_json({**result.summary, **extra, **gate})
    else:
        emit_summary(result.summary)
        emit_causes(result.cascade.price_moves_by_cause())
        emit(f"results: {folder}\n")
        for figure in figures:
            emit(f"figure:  {figure}\n")


def _decide(fail_if: str | None, breached: bool | None, reason: str | None) -> None:
    """End with the exit code of the gate: breached, or without an answer."""
    from sim.cli.console import say

    if breached:
        say(f"--fail-if breached: {fail_if}")
        raise typer.Exit(BREACHED)
    if reason is not None:
        say(f"error: --fail-if has no answer: {reason}")
        raise typer.Exit(RUN_FAILED)
