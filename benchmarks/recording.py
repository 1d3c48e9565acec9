"""A job that times what recording who broke adds to a run."""

from __future__ import annotations

import gc
import statistics
import time
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import sim
from benchmarks.places import ROOT
from sim.engine import recorder
from sim.engine.breaks import Breaks


def recording(scenario: str, times: int) -> dict[str, Any]:
    """Time a run of a bundled scenario, and within it what records the breaks.

    Both are processor time of one run: whole runs with and without the record differ by less than
    two runs of the same kind do. Copies of fills and transfers, which the ledger keeps, are left
    out.
    """
    loaded = sim.load(ROOT / "scenarios" / f"{scenario}.yaml", {"record.breaks": True})
    sim.run(loaded)
    runs = []
    for _ in range(times):
        gc.collect()
        spent = [0.0]
        with ExitStack() as stack:
            for owner, name in _PARTS:
                timed = _timed(getattr(owner, name), spent)
                stack.enter_context(patch.object(owner, name, timed))
            began = time.process_time()
            result = sim.run(loaded)
            runs.append((time.process_time() - began, spent[0]))
    return {
        "scenario": scenario,
        "breaks": len(result.breaks),
        "runs": runs,
        "share": statistics.median(part / (whole - part) for whole, part in runs),
    }


_PARTS: tuple[tuple[Any, str], ...] = (
    (Breaks, "__init__"),
    (Breaks, "check"),
    (Breaks, "row"),
    (recorder, "break_tables"),
)
"""What works for the record only."""


def _timed(work: Any, spent: list[float]) -> Any:
    """Return a function that adds its processor time to the first of `spent` [s]."""

    def wrapped(*arguments: Any, **named: Any) -> Any:
        began = time.process_time()
        try:
            return work(*arguments, **named)
        finally:
            spent[0] += time.process_time() - began

    return wrapped
