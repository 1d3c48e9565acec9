"""``liqsim sensitivity``: which factors of an experiment its metrics depend on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.cli.options import Json, Quiet, pairs, result_folder
from sim.cli.run import SET_EXAMPLE, Out, Overrides
from sim.cli.sweep import Dask, ExperimentFile, RetryFailed, Workers, run_plan, say_failures

if TYPE_CHECKING:
    from sim.experiments.sensitivity import SensitivityResult


def sensitivity(
    file: ExperimentFile,
    overrides: Overrides = None,
    out: Out = Path("results"),
    workers: Workers = None,
    dask: Dask = None,
    retry_failed: RetryFailed = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell which factors of an experiment matter.

    By Sobol indices, Morris effects or PAWN, as its block sensitivity says. The same command
    again goes on where this one stopped.
    """
    from sim.cli.bundled import find_experiment, find_scenario
    from sim.cli.console import say
    from sim.experiments.plan import prepare
    from sim.experiments.sensitivity import analysed, settings_of

    values = pairs(overrides or (), "--set", SET_EXAMPLE)
    result_folder(out)
    plan = prepare(find_experiment(file), find_scenario, values)
    settings_of(plan)
    swept = run_plan(plan, out, workers, dask, quiet=quiet, retry_failed=retry_failed)
    say_failures(swept)  # before the analysis may be refused because of them
    result = analysed(swept)
    files = result.save()
    if as_json:
        _emit_json(result, files)
    else:
        _emit_tables(result)
    for text in result.warnings:
        say(f"warning: {text}")


def _emit_json(result: SensitivityResult, files: list[Path]) -> None:
    from sim.cli.console import emit_json

    document: dict[str, Any] = {
        "experiment": result.sweep.plan.experiment.name,
        "folder": str(result.sweep.folder),
        "method": result.settings.model_dump(mode="json"),
        "cells": len(result.sweep.plan.cells),
        "runs": len(result.sweep.frame),
        "failed": len(result.sweep.failures),
        "done_before": result.sweep.done_before,
        "indices": result.frame.to_dict("records"),
        "interactions": result.interactions.to_dict("records"),
        "noise": result.noise.to_dict("records"),
        "warnings": list(result.warnings),
        "files": [str(path) for path in files],
    }
    emit_json(document)


def _emit_tables(result: SensitivityResult) -> None:
    from sim.cli.console import emit, emit_table
    from sim.experiments.sensitivity import columns_shown

    names = columns_shown(result.settings)
    extra = ["floor"] if "floor" in result.frame else []
    for metric in result.metrics:
        rows = result.frame[result.frame["metric"] == metric]
        sort_by = {"sobol": "ST", "morris": "mu_star", "pawn": "median"}[result.settings.kind]
        rows = rows.sort_values([sort_by, "factor"], ascending=[False, True])
        emit_table(metric, ["factor", *names, *extra], _lines(rows.to_dict("records"), names))
        pairs = result.interactions[result.interactions["metric"] == metric]
        if len(pairs):
            lines = [
                [row["factor"], row["other"], _told(row, "S2")] for row in pairs.to_dict("records")
            ]
            emit_table(None, ["factor", "with", "S2"], lines, left=2)
    level = f"{result.settings.level:.6g}"
    emit(f"{len(result.sweep.frame):,} runs; intervals at {level}; {result.sweep.folder}\n")


def _lines(rows: list[dict[Any, Any]], names: tuple[str, ...]) -> Iterator[list[str]]:
    for row in rows:
        floor = [_number(row["floor"])] if "floor" in row else []
        yield [row["factor"], *(_told(row, name) for name in names), *floor]


def _told(row: dict[Any, Any], name: str) -> str:
    """Return an index with half of its interval."""
    return f"{_number(row[name])} ± {_number(row[f'{name}_high'] - row[name])}"


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.3g}"
