"""``liqsim reverse``: the smallest shock at which a condition holds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.cli.options import Json, Quiet
from sim.cli.run import Out, Overrides
from sim.cli.sweep import Dask, ExperimentFile, RetryFailed, Workers

if TYPE_CHECKING:
    from sim.experiments.answers import Answer
    from sim.experiments.reverse import ReverseResult
    from sim.experiments.statistics import Estimate


def reverse(
    file: ExperimentFile,
    overrides: Overrides = None,
    out: Out = Path("results"),
    workers: Workers = None,
    dask: Dask = None,
    retry_failed: RetryFailed = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the smallest shock at which conditions hold.

    The same command again goes on where this one stopped.
    """
    from sim.cli.searching import Settings, run_search, show_result
    from sim.experiments.reverse import reverse as search
    from sim.experiments.reverse_plan import prepare_reverse

    asked = Settings(file, overrides, out, workers, dask, retry_failed, as_json, quiet)
    result = run_search(prepare_reverse, search, asked)
    show_result(result, _document(result), "reverse", _print, asked)


def _document(result: ReverseResult) -> dict[str, Any]:
    return {
        "experiment": result.plan.experiment.name,
        "replications": result.plan.experiment.replications,
        "runs": len(result.runs),
        "answers": [_answer(answer) for answer in result.answers],
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "name": answer.name,
        "condition": answer.condition,
        "probability": answer.probability,
        "status": answer.status,
        "point": answer.point,
        "below": answer.below,
        "size": answer.size,
        "axis": answer.axis,
        "interval": [answer.low, answer.high],
        "share": _share(answer.share),
        "share_below": _share(answer.share_below),
        "cell": answer.cell,
        "cell_below": answer.cell_below,
        "monotone": answer.monotone,
        "runs": answer.runs,
        "remarks": list(answer.remarks),
    }


def _share(share: Estimate | None) -> dict[str, float] | None:
    if share is None:
        return None
    return {"value": share.value, "low": share.low, "high": share.high, "runs": share.runs}


def _print(result: ReverseResult) -> None:
    from sim.cli.console import emit_table, say

    several = len(result.factors) > 1
    columns = ["condition", "answer", *result.factors]
    columns += ["distance"] if several else []
    columns += ["interval", "not yet at", "share", "runs"]
    rows = [_row(answer, result.factors, several) for answer in result.answers]
    emit_table(None, columns, rows, left=2)
    for answer in result.answers:
        for remark in answer.remarks:
            say(f"{answer.name}: {remark}")


def _row(answer: Answer, factors: list[str], several: bool) -> list[str]:
    line = [answer.name, answer.status]
    line += [_number(answer.point.get(name)) for name in factors]
    line += [_number(answer.size)] if several else []
    known = not math.isnan(answer.low)
    line.append(f"{_number(answer.low)} to {_number(answer.high)}" if known else "-")
    line.append(", ".join(_number(answer.below[name]) for name in factors if answer.below) or "-")
    return [*line, _of(answer.share), f"{answer.runs:,}"]


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    return "beyond" if math.isinf(value) else f"{value:.6g}"


def _of(share: Estimate | None) -> str:
    if share is None:
        return "-"
    return f"{share.value:.3g} ({share.low:.3g} to {share.high:.3g})"
