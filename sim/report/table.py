"""The summary of a run as groups of labelled values, for a terminal or a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sim.report.units import money


class Row(NamedTuple):
    """One line: what, how much, in which unit."""

    label: str
    value: str
    unit: str


class Group(NamedTuple):
    """Lines under one heading."""

    title: str
    rows: list[Row]


def summary_table(summary: Mapping[str, Any], currency: str = "$") -> list[Group]:
    """Return the summary of a run as groups of (label, value, unit).

    Parameters
    ----------
    summary : Mapping
        What ``summary.json`` holds; a key that is absent leaves its line out.
    currency : str
        Unit of money of the run, as ``RunContext.of(result).currency`` gives it.

    Returns
    -------
    list of Group
        Groups without lines are left out.
    """
    groups = [
        Group("Run", _rows(summary, _RUN, currency)),
        Group("Forced trades", _rows(summary, _FORCED, currency)),
        Group("Losses", _rows(summary, _LOSSES, currency)),
        Group("Contagion", _rows(summary, _CONTAGION, currency)),
        Group("Markets", _markets(summary, currency)),
        Group("Venues", _venues(summary, currency)),
    ]
    return [group for group in groups if group.rows]


_Lines = tuple[tuple[str, str, str], ...]
_RUN: _Lines = (
    ("scenario", "scenario", "text"),
    ("run", "run_id", "id"),
    ("seed", "seed", "text"),
    ("ticks", "ticks", "count"),
    ("accounts", "accounts", "count"),
    ("wall time", "wall_seconds", "s"),
    ("conservation error", "conservation_error", "error"),
)
_FORCED: _Lines = (
    ("liquidated to the market", "liquidated_notional", "money"),
    ("taken over by a backstop", "backstop_notional", "money"),
    ("closed by ADL", "adl_notional", "money"),
    ("accounts liquidated", "accounts_liquidated", "count"),
    ("traders liquidated", "traders_liquidated", "count"),
)
_LOSSES: _Lines = (
    ("shortfall", "shortfall", "money"),
    ("insurance fund used", "insurance_fund_used", "money"),
    ("socialised loss", "socialised_loss", "money"),
)
_CONTAGION: _Lines = (
    ("generations", "generations", "count"),
    ("branching ratio", "branching_ratio", "ratio"),
)


def _rows(values: Mapping[str, Any], lines: _Lines, currency: str) -> list[Row]:
    return [
        Row(label, *_written(values[key], form, currency))
        for label, key, form in lines
        if values.get(key) is not None
    ]


def _written(value: Any, form: str, currency: str) -> tuple[str, str]:
    """Return value and unit of one line as text."""
    if form == "money":
        return money(float(value)), currency
    if form == "count":
        return f"{int(value):,}", ""
    if form == "s":
        return f"{float(value):.3g}", "s"
    if form == "ratio":
        return f"{float(value):.3f}", ""
    if form == "error":
        return f"{float(value):.1e}", ""
    return str(value)[:12] if form == "id" else str(value), ""


def _markets(summary: Mapping[str, Any], currency: str) -> list[Row]:
    """Return per market how far it fell, how much of that was amplified, what was liquidated."""
    return [_market(str(name), facts, currency) for name, facts in _parts(summary, "markets")]


def _market(name: str, facts: Mapping[str, Any], currency: str) -> Row:
    words = []
    if facts.get("max_drawdown") is not None:
        words.append(f"drawdown {100 * abs(float(facts['max_drawdown'])):.1f} %")
    amplification = facts.get("amplification")
    if amplification is not None and float(amplification) == float(amplification):
        words.append(f"amplification {float(amplification):.2f}")
    if facts.get("liquidated_notional") is not None:
        words.append(f"liquidated {money(float(facts['liquidated_notional']), currency)}")
    return Row(name, ", ".join(words), "")


def _venues(summary: Mapping[str, Any], currency: str) -> list[Row]:
    """Return per venue the amounts of money that are not zero."""
    lines = (*_FORCED[:3], *_LOSSES)
    rows = []
    for name, facts in _parts(summary, "venues"):
        words = [
            f"{label} {money(float(facts[key]), currency)}"
            for label, key, _ in lines
            if facts.get(key)
        ]
        rows.append(Row(str(name), ", ".join(words) or "untouched", ""))
    return rows


def _parts(summary: Mapping[str, Any], key: str) -> list[tuple[str, Mapping[str, Any]]]:
    return list((summary.get(key) or {}).items())
