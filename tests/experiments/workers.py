"""What workers do in tests: tasks without an engine, some of which end their worker."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from sim.experiments.plan import Base
from sim.experiments.task import Row, Task

EMPTY = Base("none", ".", {})


def tasks(number: int, **overrides: Any) -> list[Task]:
    """Return tasks that are told apart by their cell."""
    return [Task(EMPTY, overrides, cell, 0, cell, (("m", "m"),)) for cell in range(number)]


def easy(task: Task) -> Row:
    """Return a row at once."""
    return {"cell": task.cell, "replication": task.replication, "seed": task.seed,
            "status": "ok", "stage": "done", "message": None, "run_id": "-",
            "metrics": {"m": float(task.cell)}}  # fmt: skip


def slow(task: Task) -> Row:
    """Return a row after a moment."""
    time.sleep(0.05)
    return easy(task)


def deadly_once(task: Task) -> Row:
    """Kill the worker at its cell 3, but not a second time; the marker says which it is."""
    marker = Path(task.overrides["marker"])
    if task.cell == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return easy(task)


def deadly(task: Task) -> Row:
    """Kill the worker at cell 3, always."""
    if task.cell == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return easy(task)


def defective(task: Task) -> Row:
    """Raise at cell 3."""
    if task.cell == 3:
        raise RuntimeError("a defect\nin two lines")
    return easy(task)
