"""A small experiment, and what tests need to change and run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from sim.core.errors import Problem, ScenarioError
from sim.experiments.plan import Plan, prepare
from tests.cli.command import SMALL

TIMING = ["wall_seconds"]
"""Columns of the table of runs that differ from run to run."""


def experiment(**keys: Any) -> dict[str, Any]:
    """Return the keys of an experiment on the small scenario; None leaves one out."""
    said: dict[str, Any] = {
        "schema_version": 1,
        "name": "falls",
        "scenario": "small.yaml",
        "factors": [
            {"path": "shocks.0.return", "name": "fall", "values": [-0.04, -0.08]},
            {"path": "venues.alpha.waterfall.0.size", "name": "fund", "values": [1e3, 1e5]},
        ],
        "metrics": ["shortfall", {"name": "sold", "value": "accounts_liquidated"}],
        **keys,
    }
    return {key: value for key, value in said.items() if value is not None}


def write(folder: Path, *, text: str = SMALL, **keys: Any) -> Path:
    """Write the small scenario and an experiment on it; return the experiment's file."""
    (folder / "small.yaml").write_text(text, encoding="utf-8")
    file = folder / "experiment.yaml"
    with file.open("w", encoding="utf-8") as stream:
        YAML(typ="safe").dump(experiment(**keys), stream)
    return file


def plan(folder: Path, **keys: Any) -> Plan:
    """Return the plan of an experiment on the small scenario."""
    return prepare(write(folder, **keys))


def problems(folder: Path, **keys: Any) -> tuple[Problem, ...]:
    """Return what is wrong with an experiment on the small scenario."""
    try:
        plan(folder, **keys)
    except ScenarioError as error:
        return error.problems
    return ()


def said(folder: Path, **keys: Any) -> str:
    """Return what is wrong with an experiment as text, a line for each problem."""
    return "\n".join(str(problem) for problem in problems(folder, **keys))


def untimed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of runs without its timings."""
    return frame.drop(columns=TIMING)
