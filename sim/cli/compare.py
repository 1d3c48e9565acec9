"""``liqsim compare``: two or more scenarios on the same draws."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.options import Json, Quiet, pairs, result_folder
from sim.cli.run import SET_EXAMPLE, Out, Overrides
from sim.cli.sweep import Dask, RetryFailed, Workers, run_plan, say_failures

if TYPE_CHECKING:
    from sim.experiments.compare import CompareResult
    from sim.experiments.plan import Plan

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="Two or more scenarios, the first is compared with; or an experiment with a block "
        "compare. Files or bundled names.",
    ),
]
Replications = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Runs of each scenario; 20 for scenarios."),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option("--metric", metavar="EXPR", help="Figure to compare; may be repeated."),
]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="Name of the folder of results.")]

METRICS = ("shortfall", "liquidated_notional", "accounts_liquidated", "generations")
"""Figures that are compared where none are named."""

REPLICATIONS = 20
"""Runs of each scenario where nobody says otherwise."""

MOST_ROWS = 60
"""Comparisons that are printed; all of them are in the table."""


def compare(
    files: Files,
    replications: Replications = None,
    metrics: Metrics = None,
    overrides: Overrides = None,
    name: Name = None,
    out: Out = Path("results"),
    workers: Workers = None,
    dask: Dask = None,
    retry_failed: RetryFailed = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare scenarios on common random numbers.

    The same command again goes on where this one stopped.
    """
    from sim.experiments.compare import compared, settings_of

    values = pairs(overrides or (), "--set", SET_EXAMPLE)
    result_folder(out)
    plan = _plan(files, replications, metrics, name, values)
    settings_of(plan)
    result = compared(run_plan(plan, out, workers, dask, quiet=quiet, retry_failed=retry_failed))
    written = result.save()
    if as_json:
        _emit_json(result, written)
    else:
        _emit_table(result)
    _say(result)


def _plan(
    files: Sequence[str],
    replications: int | None,
    metrics: Sequence[str] | None,
    name: str | None,
    values: dict[str, Any],
) -> Plan:
    """Return the plan of an experiment file, or of scenarios that are named one by one."""
    from sim.cli.bundled import find_experiment, find_scenario, is_experiment
    from sim.experiments.plan import plan_of
    from sim.schema import load_experiment

    if len(files) == 1:
        if not is_experiment(files[0]):
            message = "one scenario alone; name another one, or an experiment with a block compare"
            raise typer.BadParameter(message, param_hint="FILE...")
        if metrics or name:
            word = "--metric" if metrics else "--name"
            message = "an experiment file says that itself"
            raise typer.BadParameter(message, param_hint=word)
        experiment = load_experiment(find_experiment(files[0]))
        if replications is not None:
            experiment = experiment.model_copy(update={"replications": replications})
        return plan_of(experiment, find_scenario, values)
    return plan_of(_experiment(files, replications, metrics, name), find_scenario, values)


def _experiment(
    files: Sequence[str], replications: int | None, metrics: Sequence[str] | None, name: str | None
) -> Any:
    from pydantic import ValidationError

    from sim.cli.bundled import find, is_experiment
    from sim.core.errors import ScenarioError
    from sim.schema.experiment import Experiment
    from sim.schema.locator import Source
    from sim.schema.problems import problems_of

    for file in files:
        if is_experiment(file):
            message = f"'{file}' is an experiment; it stands alone"
            raise typer.BadParameter(message, param_hint="FILE...")
    named = _named([find(file) for file in files])
    data: dict[str, Any] = {
        "schema_version": 1,
        "name": name or "-vs-".join(named)[:60].rstrip("-"),
        "scenario": next(iter(named.values())),
        "replications": replications or REPLICATIONS,
        "metrics": list(metrics or METRICS),
        "compare": {"scenarios": named},
    }
    source = Source("<command>", Path())
    try:
        experiment = Experiment.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise ScenarioError(problems_of(error, data, source, Experiment)) from None
    experiment._source = source
    return experiment


def _named(paths: Sequence[Path]) -> dict[str, str]:
    """Return the scenarios by name; those of one name are numbered."""
    found: dict[str, str] = {}
    for path in paths:
        name, number = path.stem, 1
        while name in found:
            number += 1
            name = f"{path.stem}-{number}"
        found[name] = str(path.resolve())
    return found


def _emit_json(result: CompareResult, written: Sequence[Path]) -> None:
    from sim.cli.console import emit_json

    emit_json(
        {
            "experiment": result.sweep.plan.experiment.name,
            "folder": str(result.sweep.folder),
            "settings": result.settings.model_dump(mode="json"),
            "runs": len(result.sweep.frame),
            "failed": len(result.sweep.failures),
            "done_before": result.sweep.done_before,
            "comparisons": [
                {**row, "needed": int(row["needed"]) if row["needed"] > 0 else None}
                for row in result.frame.fillna({"needed": 0}).to_dict("records")
            ],
            "remarks": list(result.remarks),
            "files": [str(path) for path in written],
        }
    )


def _emit_table(result: CompareResult) -> None:
    from sim.cli.console import emit, emit_table

    first = result.settings.names[0]
    left = ["metric", "variant", *result.factors]
    columns = [*left, "pairs", first, "variant's", "difference", "interval", "d", "worse in", "p",
               "pairing gains", "verdict"]  # fmt: skip
    emit_table(f"differences to {first}", columns, _lines(result), left=len(left))
    emit(f"{len(result.sweep.frame):,} runs; results: {result.sweep.folder}\n")


def _lines(result: CompareResult) -> Iterator[list[str]]:
    from sim.cli.console import amount

    for row in result.frame.head(MOST_ROWS).to_dict("records"):
        factors = [amount(row[name]) for name in result.factors]
        interval = "-"
        if math.isfinite(row["low"]):
            interval = f"{amount(row['low'])} to {amount(row['high'])}"
        yield [
            row["metric"], row["variant"], *factors, f"{row['runs']:,}", amount(row["first"]),
            amount(row["other"]), amount(row["difference"]), interval, _short(row["d"]),
            "-" if math.isnan(row["worse"]) else f"{100 * row['worse']:.0f} %",
            _short(row["p_adjusted"]), "-" if math.isnan(row["gain"]) else f"{row['gain']:.3g}x",
            row["verdict"],
        ]  # fmt: skip


def _short(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"


def _say(result: CompareResult) -> None:
    from sim.cli.console import say

    if len(result.frame) > MOST_ROWS:
        say(f"{len(result.frame) - MOST_ROWS:,} more comparisons are in comparison.csv")
    say_failures(result.sweep)
    for text in result.remarks:
        say(f"note: {text}")
