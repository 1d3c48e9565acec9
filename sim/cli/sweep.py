"""``liqsim sweep``: all runs of an experiment; ``liqsim query``: questions to its table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.guard import BREACHED, INTERRUPTED, RUN_FAILED, count
from sim.cli.options import Json, Quiet, pairs, result_folder
from sim.cli.run import SET_EXAMPLE, Out, Overrides

if TYPE_CHECKING:
    from sim.core.expression import Condition
    from sim.experiments.gate import Verdict
    from sim.experiments.plan import Plan
    from sim.experiments.sweep import SweepResult

ExperimentFile = Annotated[
    str,
    typer.Argument(metavar="FILE", help="Experiment file, or the name of a bundled experiment."),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Processes at work; as many as cores by default."),
]
Dask = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Work on the Dask cluster with this scheduler."),
]
FailIf = Annotated[
    str | None,
    typer.Option(
        metavar="EXPR",
        help="Exit with 4 if this holds in any cell, such as 'p99(shortfall) > 1e6'.",
    ),
]
Figures = Annotated[
    bool, typer.Option("--figures", help="Draw the metrics into DIR/NAME/figures as SVG and PNG.")
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Run those again that failed.")]


def sweep(
    file: ExperimentFile,
    overrides: Overrides = None,
    out: Out = Path("results"),
    workers: Workers = None,
    dask: Dask = None,
    retry_failed: RetryFailed = False,
    as_json: Json = False,
    quiet: Quiet = False,
    fail_if: FailIf = None,
    figures: Figures = False,
) -> None:
    """Run an experiment and write its table of runs to DIR/NAME.

    The same command again goes on where this one stopped.
    """
    from sim.cli.bundled import find_experiment, find_scenario
    from sim.experiments.plan import prepare

    values = pairs(overrides or (), "--set", SET_EXAMPLE)
    result_folder(out)
    plan = prepare(find_experiment(file), find_scenario, values)
    gate = _gate(fail_if, plan)
    result = run_plan(plan, out, workers, dask, quiet=quiet, retry_failed=retry_failed)
    verdict = None if gate is None else _judge(gate, result)
    drawn = [str(path) for path in result.plot.save()] if figures else []
    _print(result, drawn, fail_if, verdict, as_json=as_json)
    _decide(fail_if, verdict)


def run_plan(
    plan: Plan,
    out: Path,
    workers: int | None,
    dask: str | None,
    *,
    quiet: bool,
    retry_failed: bool = False,
) -> SweepResult:
    """Run what is missing of a plan, here or on a cluster; Ctrl-C keeps what is finished."""
    from sim.cli.console import say
    from sim.cli.progress import watching
    from sim.experiments.cluster import dask_executor
    from sim.experiments.sweep import sweep as run_sweep

    done = [0]
    size = f"{count(len(plan.cells), 'cell')}, {count(plan.runs, 'run')}"
    line = f"running {plan.experiment.name}: {size}"
    try:
        with watching(plan.experiment.name, line, done, quiet=quiet) as watch:
            if dask is None:
                return run_sweep(
                    plan, out=out, workers=workers, watch=watch, retry_failed=retry_failed
                )
            with dask_executor(dask) as (executor, cores):
                return run_sweep(
                    plan,
                    out=out,
                    workers=cores if workers is None else workers,
                    executor=executor,
                    watch=watch,
                    retry_failed=retry_failed,
                )
    except KeyboardInterrupt:
        say(
            f"interrupted; {done[0]:,} of {plan.runs:,} runs are kept in "
            f"{out / plan.experiment.name}, the same command goes on"
        )
        raise typer.Exit(INTERRUPTED) from None


def _gate(text: str | None, plan: Plan) -> Condition | None:
    if text is None:
        return None
    from sim.core.lexer import ExpressionError
    from sim.experiments.gate import parse_gate
    from sim.experiments.plan import columns_of

    columns = [*(metric.name for metric in plan.experiment.metrics), *columns_of(plan)]
    try:
        return parse_gate(text, columns, plan.experiment.replications)
    except ExpressionError as error:
        raise typer.BadParameter(str(error), param_hint="--fail-if") from None


def _judge(gate: Condition, result: SweepResult) -> Verdict:
    from sim.experiments.gate import judge

    return judge(gate, result.frame)


def _print(
    result: SweepResult,
    figures: list[str],
    fail_if: str | None,
    verdict: Verdict | None,
    *,
    as_json: bool,
) -> None:
    from sim.cli.console import emit, emit_json, emit_table
    from sim.experiments.aggregate import by_cell

    cells = by_cell(result)
    if as_json:
        document: dict[str, Any] = {
            "experiment": result.plan.experiment.name,
            "folder": str(result.folder),
            "runs": len(result.frame),
            "failed": len(result.failures),
            "done_before": result.done_before,
            "cells": cells.to_dict("records"),
            "figures": figures,
        }
        if verdict is not None:
            document["fail_if"] = {
                "expression": fail_if,
                "breached": list(verdict.breached),
                "unanswered": [{"cell": cell, "reason": why} for cell, why in verdict.unanswered],
            }
        emit_json(document)
        return
    columns = ["cell", *result.factors, "runs", *result.metrics]
    emit_table(None, columns, _rows(result, cells), left=1 + len(result.factors))
    _say_remarks(result)
    say_failures(result)
    emit(f"results: {result.folder}\n")
    for figure in figures:
        emit(f"figure:  {figure}\n")


MOST_ROWS = 40
"""Cells that are printed; all of them are in the table."""


def _rows(result: SweepResult, cells: Any) -> Iterator[list[str]]:
    from sim.cli.console import amount

    for row in cells.head(MOST_ROWS).to_dict("records"):
        line = [str(row["cell"]), *(_cell(row[name]) for name in result.factors)]
        line.append(f"{row['runs']:,}")
        for name in result.metrics:
            value, half = _whole(row[name]), row[f"{name} ±"]
            known = half is not None and half == half
            line.append(f"{amount(value)} ± {amount(half)}" if known else amount(value))
        yield line


def _whole(value: object) -> object:
    """Return a whole number as one, so that it is shown without decimals."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def _cell(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _say_remarks(result: SweepResult) -> None:
    """Say what the printed table does not show."""
    from sim.cli.console import say

    if len(result.plan.cells) > MOST_ROWS:
        say(f"{len(result.plan.cells) - MOST_ROWS:,} more cells are in the table of runs")
    if result.dropped:
        say(f"{result.dropped:,} broken lines of the journal were done again")
    succeeded = result.frame[result.frame["status"] == "ok"]
    for name in result.metrics:
        missing = int(succeeded[name].isna().sum())
        if missing:
            counts = f"{missing:,} of {len(succeeded):,}"
            say(f"{name} has no value in {counts} runs; its means are those of the others")


def say_failures(result: SweepResult) -> None:
    """Name the first runs that failed, and say how many did."""
    from sim.cli.console import say

    failures = result.failures
    for row in failures.head(5).to_dict("records"):
        run = f"cell {row['cell']}, replication {row['replication']}"
        say(f"{run}: {row['stage']}: {row['message']}")
    if len(failures):
        counts = f"{len(failures):,} of {len(result.frame):,}"
        say(f"{counts} runs failed; --retry-failed runs them again")


def _decide(fail_if: str | None, verdict: Verdict | None) -> None:
    """End with the exit code of the gate: breached in a cell, or without an answer in one."""
    from sim.cli.console import say

    if verdict is None:
        return
    if verdict.breached:
        cells = ", ".join(map(str, verdict.breached[:20]))
        say(f"--fail-if breached in cell {cells}: {fail_if}")
        raise typer.Exit(BREACHED)
    if verdict.unanswered:
        cell, why = verdict.unanswered[0]
        say(f"error: --fail-if has no answer in cell {cell}: {why}")
        raise typer.Exit(RUN_FAILED)


def query(
    folder: Annotated[Path, typer.Argument(metavar="EXPERIMENT", help="Folder of an experiment.")],
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="Question to the table `runs`, in SQL.")
    ],
    as_json: Json = False,
) -> None:
    """Ask the table of runs of an experiment.

    For example: "SELECT cell, avg(shortfall) FROM runs GROUP BY cell".
    """
    from sim.cli.console import emit_json, emit_table
    from sim.experiments.query import ask

    frame = ask(folder, sql)
    if as_json:
        emit_json(frame.to_dict("records"))
        return
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    emit_table(None, [str(column) for column in frame.columns], rows, left=0)
