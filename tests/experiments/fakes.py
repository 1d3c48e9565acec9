"""Tasks whose outcome is known, in place of runs of the simulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sim.core.expression import parse_formula
from sim.experiments.execute import Perform
from sim.experiments.task import Row, Task, figure_of

SCENARIO = Path(__file__).resolve().parents[2] / "scenarios" / "analytic" / "linear-cascade.yaml"


def performing(outcome: Callable[[dict[str, Any], int], dict[str, Any]]) -> Perform:
    """Return what does a task: its figures are those of a function of factors and seed."""

    def perform(task: Task) -> Row:
        summary = outcome(task.overrides, task.seed)
        metrics = {name: figure_of(parse_formula(text), summary) for name, text in task.metrics}
        return {
            "cell": task.cell,
            "replication": task.replication,
            "seed": task.seed,
            "status": "ok",
            "stage": "done",
            "message": None,
            "run_id": f"{task.cell}-{task.seed}",
            "metrics": metrics,
            "wall_seconds": 0.0,
            "worker": 0,
        }

    return perform


def normal(seed: int) -> float:
    """Return a standard normal number that belongs to a seed."""
    return float(np.random.Generator(np.random.PCG64(seed)).standard_normal())


def written(folder: Path, text: str, name: str = "experiment.yaml") -> Path:
    """Write an experiment file on the linear cascade and return its path."""
    file = folder / name
    file.write_text(f"schema_version: 1\nscenario: {SCENARIO}\n{text}", encoding="utf-8")
    return file
