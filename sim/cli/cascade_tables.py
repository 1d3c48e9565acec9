"""The document of ``liqsim cascade`` as tables for a human."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim.cli.console import amount, emit, emit_table

ROUNDS = 12
"""Generations shown; the rest is one row."""

_HEADINGS = {
    "next_accounts": "next per\naccount", "next_notional": "next per\nnotional",
    "liquidated_notional": "notional\nsold", "price_move": "log move\nforced",
    "loss_caused": "loss\ncaused", "by_whom": "most by", "clearer": "venue",
    "account_id": "account",
}  # fmt: skip
_LABELS = {
    "accounts": "accounts broken", "depth": "depth [generations]", "breadth": "breadth [accounts]",
    "duration": "duration [s]", "loss": "loss [numeraire]", "children": "broken per broken account",
    "largest_cluster": "largest cluster [breaks]",
}  # fmt: skip
_TEXTS = ("account", "cohort", "clearer", "venue", "account_id", "group", "by_whom", "source")


def emit_document(document: Mapping[str, Any]) -> None:
    """Write the tables of a cascade to stdout."""
    emit(_opening(document))
    if not document["generations"]:
        return
    _emit_rows("what broke first", document.get("first", []))
    _emit_rows("generations", _shortened(document["generations"]))
    if "spillover" in document:
        _emit_spillover(document["spillover"])
    order = "dearest to others" if document["recorded"] else "largest"
    _emit_rows(f"sellers, {order} first", document["sellers"])
    _emit_rows("victims, by what they lost since healthy", document.get("victims", []))
    _emit_statistics(document)
    for file in document["exports"]:
        emit(f"graph written to {file}\n")
    for file in document["figures"]:
        emit(f"figure written to {file}\n")


def _opening(document: Mapping[str, Any]) -> str:
    lines = [document["folder"]]
    if document["window"] is not None:
        start, end = document["window"]
        lines.append(f"only {start:g} s <= time < {end:g} s after the start")
    if document["missing"]:
        tables = ", ".join(f"{name}.parquet" for name in document["missing"])
        lines.append(f"without losses: the folder has no {tables}; run the scenario again for them")
    elif document["generations"] and not document["recorded"]:
        lines.append("without losses: the scenario has record.breaks off")
    if not document["generations"]:
        lines.append("nobody was liquidated")
    return "\n".join(lines) + "\n\n"


def _shortened(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return at most `ROUNDS` generations and one row for those after them."""
    if len(rows) <= ROUNDS + 1:
        return rows
    rest = rows[ROUNDS:]
    sums = {key: sum(row[key] for row in rest) for key in rest[0] if not key.startswith("next_")}
    name = f"{rest[0]['generation']} to {rest[-1]['generation']}"
    return [*rows[:ROUNDS], {**dict.fromkeys(rest[0]), **sums, "generation": name, "markets": None}]


def _emit_rows(title: str, rows: list[dict[str, Any]]) -> None:
    """Write a table whose columns of text come first."""
    if not rows:
        return
    names = list(rows[0])
    texts = [name for name in names if name in _TEXTS]
    ordered = [*texts, *(name for name in names if name not in _TEXTS)]
    headings = [_HEADINGS.get(name, name.replace("_", "\n")) for name in ordered]
    cells = ([_cell(row[name]) for name in ordered] for row in rows)
    emit_table(title, headings, cells, left=len(texts))


def _emit_spillover(spillover: Mapping[str, Any]) -> None:
    """Write the matrix with its margins, and what is left of it between groups."""
    loss = spillover["loss"]
    totals = [sum(column) for column in zip(*loss, strict=True)]
    rows = [
        (source, *(_cell(value) for value in (*row, sum(row))))
        for source, row in zip(spillover["sources"], loss, strict=True)
    ]
    rows.append(("total", *(_cell(value) for value in (*totals, sum(totals)))))
    title = f"loss by {spillover['by']}: rows caused it, columns bore it"
    emit_table(title, ("caused by", *spillover["targets"], "total"), rows)
    if len(spillover["net"]) > 1:
        _emit_rows("own: caused and borne; net: outflow less inflow", spillover["net"])


def _emit_statistics(document: Mapping[str, Any]) -> None:
    figures = dict(document["statistics"])
    tail = figures.pop("tail", None)
    markets = [figures.pop(name) for name in ("forced_move", "forced_share_of_moves")]
    notional = figures.pop("notional")
    rows = [(_LABELS.get(name, name.replace("_", " ")), _cell(v)) for name, v in figures.items()]
    rows += [(f"notional, {kind}", _cell(value)) for kind, value in notional.items()]
    rows.append(("branching ratio, whole run", _cell(document["branching_ratio"])))
    if tail is not None:
        rows.append(("tail exponent of clusters", _tail(tail)))
    emit_table("statistics", ("figure", "value"), rows)
    names = ("market", "log move\nforced", "share of\nmoves", "amplification,\nwhole run")
    listed = dict.fromkeys(name for facts in markets for name in facts)
    table = [
        (name, *(_cell(facts.get(name)) for facts in (*markets, document["amplification"])))
        for name in listed
    ]
    emit_table("markets", names, table)


def _tail(tail: Mapping[str, Any]) -> str:
    if tail["reason"]:
        return f"- ({tail['reason']})"
    return f"{tail['exponent']:.3f} +- {tail['error']:.3f} from {tail['least']:g} on"


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else amount(value)
