"""The summary of a run as tables for a human."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sim.cli.console import amount, emit_table

GROUPS: dict[str, tuple[str, ...]] = {
    "run": ("scenario", "run_id", "seed", "ticks", "wall_seconds", "conservation_error"),
    "accounts": ("accounts", "accounts_liquidated", "traders_liquidated"),
    "cascade": ("generations", "branching_ratio"),
    "money": (
        "liquidated_notional",
        "backstop_notional",
        "adl_notional",
        "shortfall",
        "insurance_fund_used",
        "socialised_loss",
    ),
}
"""Figures of a summary by group, in the order they are shown."""


def emit_summary(summary: Mapping[str, Any]) -> None:
    """Write the summary of a run to stdout: one table of groups, one of markets, one of venues."""
    rows: list[tuple[str, str, str]] = []
    for group, names in groups(summary).items():
        for number, name in enumerate(names):
            rows.append((group if number == 0 else "", name, cell(name, summary[name])))
    emit_table(None, ("", "figure", "value"), rows, left=2)
    for table in ("markets", "venues"):
        nested = summary.get(table)
        if isinstance(nested, Mapping) and nested:
            _emit_nested(table, nested)


def groups(summary: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the single figures of a summary by group; those without a group come last."""
    grouped = {
        group: [name for name in names if name in summary] for group, names in GROUPS.items()
    }
    known = {name for names in GROUPS.values() for name in names}
    others = [
        name
        for name, value in summary.items()
        if name not in known and not isinstance(value, (Mapping, list, tuple))
    ]
    return {group: names for group, names in {**grouped, "other": others}.items() if names}


def cell(name: str, value: object) -> str:
    """Format a figure; identifiers are left as they are."""
    if isinstance(value, str):
        return value
    if name == "seed":
        return str(value)
    return amount(value)


def _emit_nested(name: str, nested: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a table with a row per market or venue."""
    columns: Sequence[str] = list(dict.fromkeys(key for row in nested.values() for key in row))
    rows = [
        (key, *(cell(column, row.get(column)) for column in columns)) for key, row in nested.items()
    ]
    emit_table(None, (name.removesuffix("s"), *columns), rows)
