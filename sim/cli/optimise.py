"""``liqsim optimise``: the best settings, and the trade-off between several objectives."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.cli.options import Json, Quiet
from sim.cli.run import Out, Overrides
from sim.cli.sweep import Dask, ExperimentFile, RetryFailed, Workers

if TYPE_CHECKING:
    from sim.experiments.optimise import OptimiseResult
    from sim.experiments.scores import Finalist
    from sim.experiments.statistics import Estimate


def optimise(
    file: ExperimentFile,
    overrides: Overrides = None,
    out: Out = Path("results"),
    workers: Workers = None,
    dask: Dask = None,
    retry_failed: RetryFailed = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the best settings, judged on fresh seeds.

    With several objectives it is the trade-off between them that is found.

    The same command again goes on where this one stopped.
    """
    from sim.cli.searching import Settings, run_search, show_result
    from sim.experiments.optimise import optimise as search
    from sim.experiments.optimise import prepare_optimise

    asked = Settings(file, overrides, out, workers, dask, retry_failed, as_json, quiet)
    result = run_search(prepare_optimise, search, asked)
    show_result(result, _document(result), "optimise", _print, asked)


def _document(result: OptimiseResult) -> dict[str, Any]:
    return {
        "experiment": result.plan.experiment.name,
        "objectives": [goal.title for goal in result.goals],
        "tried": len(result.scores),
        "without_score": [{"cell": score.cell, "reason": score.reason} for score in result.failed],
        "runs": len(result.runs),
        "finalists": [_finalist(finalist, result) for finalist in result.finalists],
        "remarks": list(result.remarks),
    }


def _finalist(finalist: Finalist, result: OptimiseResult) -> dict[str, Any]:
    pairs_of = zip(result.goals, finalist.fresh, finalist.score.estimates, strict=True)
    return {
        "cell": finalist.score.cell,
        "factors": finalist.score.named,
        "objectives": {
            goal.title: {"fresh": _estimate(fresh), "in_search": _estimate(before)}
            for goal, fresh, before in pairs_of
        },
        "led_in_search": finalist.led,
        "dominated_on_fresh_seeds": not finalist.stays,
    }


def _estimate(found: Estimate) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high, "runs": found.runs}


def _print(result: OptimiseResult) -> None:
    from sim.cli.console import emit_table, say

    columns = ["cell", *result.factors]
    for goal in result.goals:
        columns += [goal.title, "in search"]
    rows = [_row(finalist, result.factors) for finalist in result.finalists]
    emit_table(None, [*columns, "fresh seeds"], rows, left=1 + len(result.factors))
    for remark in result.remarks:
        say(remark)


def _row(finalist: Finalist, factors: list[str]) -> list[str]:
    from sim.cli.console import amount

    line = [str(finalist.score.cell)]
    for name in factors:
        value = finalist.score.named[name]
        line.append(f"{value:.6g}" if isinstance(value, float) else str(value))
    for fresh, before in zip(finalist.fresh, finalist.score.estimates, strict=True):
        between = f" ({amount(fresh.low)} to {amount(fresh.high)})"
        line.append(amount(fresh.value) + ("" if math.isnan(fresh.low) else between))
        line.append(amount(before.value))
    return [*line, "undominated" if finalist.stays else "dominated"]
