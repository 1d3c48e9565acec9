"""The identity of a scenario: what it says, resolved, and nothing of where it is kept."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from sim.core.errors import Problem, ScenarioError
from sim.schema.checks import margined_names
from sim.schema.counterfactual import Counterfactual
from sim.schema.locator import KeyPath
from sim.schema.scenario import Scenario
from sim.schema.shocks import PathShock
from sim.schema.traders import BookSource
from sim.schema.yamlfile import dotted


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def referenced_files(scenario: Scenario) -> dict[KeyPath, Path]:
    """Return every file a scenario reads, by the key path that names it."""
    base = scenario.source.base_dir
    files: dict[KeyPath, Path] = {}
    for number, entry in enumerate(scenario.traders):
        if isinstance(entry, BookSource):
            for table in ("accounts", "balances", "positions"):
                files["traders", number, "book", table] = base / getattr(entry.book, table)
    for number, shock in enumerate(scenario.shocks):
        if isinstance(shock, PathShock) and shock.file is not None:
            files["shocks", number, "file"] = base / shock.file
    return files


def file_digests(scenario: Scenario) -> dict[str, dict[str, str]]:
    """Return every file a scenario reads: its absolute path and sha256, by dotted key path.

    Raises
    ------
    ScenarioError
        If a file cannot be read.
    """
    canonical(scenario)
    return {
        dotted(path): {"file": str(file.resolve()), "sha256": file_digest(file)}
        for path, file in referenced_files(scenario).items()
    }


def resolved(scenario: Scenario) -> dict[str, Any]:
    """Return the scenario with presets merged and defaults written, JSON-able.

    `load_mapping` reads it again; files keep the paths they were written with. What a preset
    says about assets that the scenario does not have is left out, and so is a counterfactual that
    changes nothing.
    """
    data: dict[str, Any] = scenario.model_dump(mode="json", by_alias=True)
    if scenario.counterfactual == Counterfactual():
        del data["counterfactual"]
    names = margined_names(scenario)
    for key, venue in data["venues"].items():
        venue["preset"] = None
        listed = {name for m in scenario.markets if m.venue == key for name in (m.base, m.symbol)}
        caps = venue["open_interest_caps"]
        venue["open_interest_caps"] = {name: caps[name] for name in caps if name in listed}
        haircuts, margin = venue["collateral"], venue["margin"]
        venue["collateral"] = {a: haircuts[a] for a in haircuts if a in scenario.assets}
        if isinstance(margin["tiers"], dict):
            tiers = margin["tiers"]
            margin["tiers"] = {name: tiers[name] for name in tiers if name in names} or None
    return data


def canonical(scenario: Scenario) -> dict[str, Any]:
    """Return what identifies a scenario: resolved, each file by its name and sha256.

    Raises
    ------
    ScenarioError
        If a file cannot be read.
    """
    data = resolved(scenario)
    problems = []
    for path, file in referenced_files(scenario).items():
        node: Any = data
        for part in path[:-1]:
            node = node[part]
        try:
            node[path[-1]] = {"name": file.name, "sha256": file_digest(file)}
        except (OSError, ValueError):
            source = scenario.source
            line, column = source.place(path)
            problems.append(
                Problem(
                    source.file_of(path),
                    line,
                    column,
                    dotted(path),
                    f"'{node[path[-1]]}', which cannot be read",
                    "an existing file, relative to the scenario file",
                )
            )
    if problems:
        raise ScenarioError(problems)
    return data


def scenario_id(scenario: Scenario) -> str:
    """Return the sha256 of the canonical scenario, in hexadecimal."""
    text = json.dumps(
        canonical(scenario),
        separators=(",", ":"),
        ensure_ascii=True,
        allow_nan=False,
    )
    return hashlib.sha256(text.encode()).hexdigest()
