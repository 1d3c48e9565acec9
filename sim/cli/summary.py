"""The summary of a run as tables for a human."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sim.cli.console import amount, emit_table
from sim.engine.figure_names import GROUPS

if TYPE_CHECKING:
    import pandas as pd

CAUSE_ORDER = (
    "exogenous",
    "liquidation:",
    "liquidation:other",
    "trade:",
    "arbitrage:",
    "reversion",
)
"""One cause of each family, in the order of the columns."""

SIDE_BY_SIDE = 4
"""Most markets or venues that stand side by side."""


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


def emit_causes(moves: pd.DataFrame) -> None:
    """Write what moved each market over the run, in log price, by family of causes.

    Parameters
    ----------
    moves : pandas.DataFrame
        Index cause, columns market, as `sim.cascade.Cascade.price_moves_by_cause` gives it.
    """
    if moves.empty:
        return
    named = [*CAUSE_ORDER, *moves.index]
    families = list(dict.fromkeys(_family(str(cause), "") for cause in named))
    rows = []
    for market in moves.columns:
        venue = str(market).partition("/")[0]
        parts = dict.fromkeys(families, 0.0)
        for cause, move in moves[market].items():
            parts[_family(str(cause), venue)] += float(move)
        figures = [f"{parts[family]:+.4f}" for family in families]
        rows.append((str(market), *figures, f"{sum(parts.values()):+.4f}"))
    headings = [family.replace(" ", "\n") for family in families]
    emit_table("price moves by cause [log price]", ("market", *headings, "total"), rows)


def _family(cause: str, venue: str) -> str:
    """Return the heading under which a cause is shown for a market of `venue`."""
    kind, _, source = cause.partition(":")
    if kind == "liquidation":
        return "own liquidations" if source == venue else "others' liquidations"
    return {"trade": "voluntary trades"}.get(kind, kind)


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
    """Write a table of markets or venues: side by side if they are few, else one per row.

    With one per row, figures that are mappings have a table each: all in one would be too wide.
    """
    if len(nested) <= SIDE_BY_SIDE:
        flat = {key: _flat(row) for key, row in nested.items()}
        rows = [
            (figure, *(cell(figure, row.get(figure)) for row in flat.values()))
            for figure in _names(flat)
        ]
        emit_table(None, (name, *nested), rows)
        return
    parts = {key: {k: v for k, v in row.items() if _is_table(v)} for key, row in nested.items()}
    plain = {key: {k: v for k, v in row.items() if not _is_table(v)} for key, row in nested.items()}
    _emit_rows(None, name, plain)
    for part in _names(parts):
        _emit_rows(part, name, {key: row.get(part, {}) for key, row in parts.items()})


def _emit_rows(title: str | None, name: str, nested: Mapping[str, Mapping[str, Any]]) -> None:
    figures = _names(nested)
    headings = [figure.replace("_", "\n") for figure in figures]
    lines = [(key, *(cell(fig, row.get(fig)) for fig in figures)) for key, row in nested.items()]
    emit_table(title, (name, *headings), lines)


def _names(nested: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of all figures, in the order in which they come first."""
    return list(dict.fromkeys(key for row in nested.values() for key in row))


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) and len(value) > 0


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures with those of a mapping in it each on its own, as ``layers.adl``."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        parts = value.items() if isinstance(value, Mapping) else ()
        found |= {f"{name}.{part}": x for part, x in parts} if parts else {name: value}
    return found
