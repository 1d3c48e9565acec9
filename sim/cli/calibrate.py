"""``liqsim calibrate``: factors fitted to targets, and what these do not pin."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.cli.options import Json, Quiet
from sim.cli.run import Out, Overrides
from sim.cli.sweep import Dask, ExperimentFile, RetryFailed, Workers

if TYPE_CHECKING:
    from sim.experiments.calibrate import CalibrateResult


def calibrate(
    file: ExperimentFile,
    overrides: Overrides = None,
    out: Out = Path("results"),
    workers: Workers = None,
    dask: Dask = None,
    retry_failed: RetryFailed = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit the factors of an experiment to targets.

    It says which of them the targets pin, and which only together or not at all.

    The same command again goes on where this one stopped.
    """
    from sim.cli.console import say
    from sim.cli.searching import Settings, run_search, show_result
    from sim.experiments.calibrate import calibrate as search
    from sim.experiments.calibrate_plan import prepare_calibration

    asked = Settings(file, overrides, out, workers, dask, retry_failed, as_json, quiet)
    result = run_search(prepare_calibration, search, asked)
    result.save()
    show_result(result, _document(result), "calibration", _print, asked)
    for text in result.remarks:
        say(f"note: {text}")


def _document(result: CalibrateResult) -> dict[str, Any]:
    sample = result.sample
    return {
        "experiment": result.plan.experiment.name,
        "settings": result.plan.settings.model_dump(mode="json"),
        "point": result.point,
        "loss": result.loss,
        "runs": len(result.runs),
        "settings_tried": len(result.tried),
        "targets": result.frame.to_dict("records"),
        "parameters": [parameter.row() for parameter in result.parameters],
        "ties": result.ties.to_dict("records"),
        "sample": None if sample is None else {
            "particles": len(sample.weights),
            "effective": sample.effective,
            "temperature": sample.temperature,
            "evaluations": sample.evaluations,
        },
        "remarks": list(result.remarks),
    }  # fmt: skip


def _print(result: CalibrateResult) -> None:
    from sim.cli.console import amount, emit, emit_table

    rows = [
        [
            row["metric"], amount(row["target"]), amount(row["tolerance"]), amount(row["fitted"]),
            f"{row['miss']:+.3g}", "yes" if row["inside"] else "no", amount(row["fresh"]),
            f"{row['fresh_miss']:+.3g}",
        ]
        for row in result.frame.to_dict("records")
    ]  # fmt: skip
    columns = [
        "target",
        "value",
        "tolerance",
        "fitted",
        "miss",
        "inside",
        "on fresh seeds",
        "miss ",
    ]
    emit_table("targets; misses in tolerances", columns, rows)
    lines = [
        [
            p.name, amount(p.best), amount(p.middle),
            "-" if p.low is None else f"{amount(p.low)} to {amount(p.high)}",
            "-" if math.isnan(p.width) else f"{p.width:.2f}", p.said,
        ]
        for p in result.parameters
    ]  # fmt: skip
    level = f"{100 * result.plan.settings.confidence:.6g} %"
    heads = ["parameter", "best", "middle", f"{level} interval", "width / prior", "the targets say"]
    emit_table("parameters", heads, lines)
    ties = [
        [row["one"], row["other"], f"{row['r']:+.2f}"] for row in result.ties.to_dict("records")
    ]
    if ties:
        emit_table("rank correlations in the sample", ["parameter", "with", "r"], ties, left=2)
    emit(f"{len(result.runs):,} runs, {len(result.tried):,} settings tried for the fit; ")
