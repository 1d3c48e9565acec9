"""Experiments whose runs are a formula: known answers through an ordinary store and executor."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from sim.experiments.plan import Plan, prepare
from sim.experiments.task import Row, Task

SCENARIO = """\
schema_version: 1
name: empty
clock: {tick: 1s, horizon: 1s}
assets: {USD: {price: 1}, X: {price: 1}}
venues: {one: {margin: {kind: cross, maintenance_rate: 0}, liquidation: {kind: full}}}
markets:
  - {venue: one, symbol: X, kind: perpetual, base: X, quote: USD,
     impact: {kind: linear, coefficient: 0.4}}
"""

Formula = Callable[[dict[str, Any], int], dict[str, float | None]]
"""From the values of a cell and a seed to the metrics; an exception is a failed run."""


class Substitute(Executor):
    """Answers tasks with a formula, at once and in this process."""

    def __init__(self, plan: Plan, formula: Formula) -> None:
        self.plan, self.formula, self.runs = plan, formula, 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return the row of the task, made by the formula."""
        task: Task = args[0]
        self.runs += 1
        future: Future[Any] = Future()
        row: Row = {
            "cell": task.cell, "replication": task.replication, "seed": task.seed,
            "status": "ok", "stage": "done", "message": None, "run_id": None,
            "wall_seconds": 0.0, "worker": 0,
        }  # fmt: skip
        try:
            values = self.plan.cells[task.cell].values
            row["metrics"] = self.formula(values, task.seed)
        except ArithmeticError as error:
            row |= {"status": "failed", "stage": "run", "message": str(error)}
            row["metrics"] = {name: None for name, _ in task.metrics}
        future.set_result(row)
        return future


def factors(count: int, low: float, high: float) -> list[str]:
    """Return lines of factors x1, x2, ... that take any number between two bounds.

    They are prices of assets, of which nothing depends: only the formula counts.
    """
    return [
        f"  - {{path: assets.X{k}.price, name: x{k}, range: [{low}, {high}]}}"
        for k in range(1, count + 1)
    ]


def planned(
    folder: Path, block: str, lines: list[str], metrics: str = "[shortfall]", head: str = ""
) -> Plan:
    """Return the plan of an experiment on a world in which nothing happens."""
    extra = "".join(f", X{k}: {{price: 1}}" for k in range(1, 21))
    scenario = SCENARIO.replace("X: {price: 1}}", f"X: {{price: 1}}{extra}}}")
    (folder / "world.yaml").write_text(scenario)
    first = "factors:" if lines else "factors: []"
    text = "\n".join(
        ["schema_version: 1", "name: known", "scenario: world.yaml", head, block, first,
         *lines, f"metrics: {metrics}", ""]
    )  # fmt: skip
    path = folder / "experiment.yaml"
    path.write_text(text)
    return prepare(path)
