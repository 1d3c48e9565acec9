"""The document of ``liqsim cascade`` as tables for a human."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.cli.console import amount, emit, emit_table

ROUNDS = 12
"""Generations shown; the rest is one row."""

_HEADINGS = {
    "next_accounts": "next/this,\naccounts", "next_notional": "next/this,\nnotional",
    "liquidated_notional": "notional\nsold", "price_move": "log move\nforced",
    "loss_caused": "loss\ncaused", "children": "accounts\nit broke", "by_whom": "most by",
    "clearer": "venue", "account_id": "account", "causes": "other\ncauses", "time": "time\n[s]",
}  # fmt: skip
_LABELS = {
    "accounts": "accounts broken", "breaks": "breaks (an account may break again)",
    "duration": "duration [s]", "depth": "deepest generation",
    "breadth": "largest generation [accounts]", "loss": "loss of broken accounts",
    "forced_share_of_loss": "share of it that forced orders caused",
    "children": "accounts broken by a broken account, mean", "clusters": "clusters",
    "largest_cluster": "largest cluster [breaks]",
}  # fmt: skip
_TEXTS = ("account", "cohort", "clearer", "venue", "account_id", "group", "by_whom", "source")
_RATIOS = (
    "next_accounts", "next_notional", "children", "price_move", "forced_share_of_loss",
)  # fmt: skip
_TIMES = ("time", "duration")

GUIDE = """\
how to read it
  loss         in the numeraire, from when an account was last healthy (mostly the tick before)
               until it broke; below 0 it is what helped
  generation   0: broken by anything but forced orders; g + 1: by the forced orders of generation g
  next/this    size of the next generation over that of this one
  log move     of prices, by forced orders, summed over markets
  it broke     an account that several broke counts in parts
  cluster      breaks that forced orders tie together
  notional     in the quote of the markets
"""


def emit_document(document: Mapping[str, Any]) -> None:
    """Write the tables of a cascade to stdout."""
    emit(_opening(document))
    if document["generations"]:
        _emit_tables(document)
    for file in document["exports"]:
        emit(f"graph written to {file}\n")
    if document["figures"]:
        files = [Path(file) for file in document["figures"]]
        names = ", ".join(dict.fromkeys(file.stem for file in files))
        emit(f"figures written to {files[0].parent} (.svg and .png): {names}\n")


def _emit_tables(document: Mapping[str, Any]) -> None:
    _emit_rows("what broke first", document.get("first", []))
    _emit_rows("generations", _shortened(document["generations"]))
    if "spillover" in document:
        _emit_spillover(document["spillover"])
    order = "dearest to others" if document["recorded"] else "largest"
    _emit_rows(f"sellers, {order} first", document["sellers"])
    _emit_rows("victims, by what they lost since healthy", document.get("victims", []))
    _emit_statistics(document)
    emit(GUIDE + "\n")


def _opening(document: Mapping[str, Any]) -> str:
    name = document["scenario"]
    lines = [document["folder"] if name is None else f"{name}, {document['folder']}"]
    if document["window"] is not None:
        lines.append(_within(*document["window"]))
    if document["missing"]:
        tables = ", ".join(f"{name}.parquet" for name in document["missing"])
        lines.append(f"without losses: the folder has no {tables}; run the scenario again for them")
    elif document["generations"] and not document["recorded"]:
        lines.append("without losses: the scenario has record.breaks off")
    lines.append(_in_short(document))
    return "\n".join(lines) + "\n\n"


def _within(start: float, end: float) -> str:
    first = f"{start:g} s <= " if math.isfinite(start) else ""
    last = f" < {end:g} s" if math.isfinite(end) else ""
    return f"only {first}time{last} after the start"


def _in_short(document: Mapping[str, Any]) -> str:
    """Return the whole cascade in a sentence."""
    generations, figures = document["generations"], document["statistics"]
    if not generations:
        when = "" if document["span"] is None else "; others were, from {:g} s to {:g} s".format(
            *document["span"]
        )  # fmt: skip
        return f"nobody was liquidated{when}"
    last = generations[-1]["generation"]
    which = "generation 0" if last == 0 else f"generations 0 to {last}"
    number = figures["accounts"]
    text = f"{number:,} account{'s' * (number != 1)} broke in {which}"
    share = figures.get("forced_share_of_loss", math.nan)
    if math.isfinite(share):
        caused = f"{100.0 * share:.3g} %"
        text += f"; forced orders caused {caused} of what they lost since they were healthy"
    return text


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
    largest = _largest(value for row in rows for value in row.values())
    columns = [_column(name, [row[name] for row in rows], largest) for name in ordered]
    emit_table(title, headings, zip(*columns, strict=True), left=len(texts))


def _emit_spillover(spillover: Mapping[str, Any]) -> None:
    """Write the matrix with its margins, and what is left of it between groups."""
    columns = [[*column, sum(column)] for column in zip(*spillover["loss"], strict=True)]
    columns.append([sum(row) for row in zip(*columns, strict=True)])
    sources = [*spillover["sources"], "total"]
    largest = _largest(value for column in columns for value in column)
    cells = [sources, *(_column("loss", column, largest) for column in columns)]
    title = f"loss by {spillover['by']}: rows caused it, columns bore it"
    emit_table(title, ("caused by", *spillover["targets"], "total"), list(zip(*cells, strict=True)))
    if len(spillover["net"]) > 1:
        _emit_rows("own: caused and borne; net: outflow less inflow", spillover["net"])


def _emit_statistics(document: Mapping[str, Any]) -> None:
    figures = document["statistics"]
    rows = [
        (label, *_column(name, [figures[name]], _largest([figures[name]])))
        for name, label in _LABELS.items()
        if name in figures
    ]
    rows += [
        (f"notional, {kind}", *_column(kind, [value], _largest([value])))
        for kind, value in figures["notional"].items()
    ]
    rows.append(("branching ratio, whole run", f"{document['branching_ratio']:.4g}"))
    if "tail" in figures:
        rows.append(("tail exponent of clusters", _tail(figures["tail"])))
    emit_table("statistics", ("figure", "value"), rows)
    markets = (figures["forced_move"], figures["forced_share_of_moves"], document["amplification"])
    names = ("market", "log move\nforced", "share of\nall moves", "amplification,\nwhole run")
    listed = dict.fromkeys(name for facts in markets[:2] for name in facts)
    table = [(name, *(_short(facts.get(name)) for facts in markets)) for name in listed]
    emit_table("markets", names, table)


def _tail(tail: Mapping[str, Any]) -> str:
    if tail["reason"]:
        return f"- ({tail['reason']})"
    return f"{tail['exponent']:.3f} +- {tail['error']:.3f}, sizes from {tail['least']:g} on"


def _largest(values: Iterable[Any]) -> float:
    """Return the size of the largest number that is no count; 0 without one."""
    numbers = (abs(value) for value in values if isinstance(value, float))
    return max((size for size in numbers if math.isfinite(size)), default=0.0)


def _column(name: str, values: Sequence[Any], largest: float) -> list[str]:
    """Return the values of a column, with as many decimals as the largest of the table needs."""
    if name in _RATIOS:
        return [_short(value) for value in values]
    if name in _TIMES:
        return [f"{value:,.10g}" for value in values]
    if largest < 100.0:
        return [value if isinstance(value, str) else amount(value) for value in values]
    return [_money(value, 0 if largest >= 1e6 else 2) for value in values]


def _money(value: Any, decimals: int) -> str:
    """Return a sum of money; one that rounds to nothing keeps a digit."""
    if not isinstance(value, float) or not math.isfinite(value) or value == 0.0:
        return value if isinstance(value, str) else amount(value)
    if abs(value) < 0.5 * 10.0**-decimals:
        return f"{value:.1g}"
    return f"{value:,.{decimals}f}"


def _short(value: Any) -> str:
    """Return a ratio with four digits."""
    text = amount(value)
    return text if isinstance(value, int) or value is None or text == "-" else f"{value:.4g}"
