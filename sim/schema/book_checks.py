"""Checks of a book's rows: each rule is one query that finds the rows breaking it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from sim.core.errors import Problem
from sim.schema.base import show
from sim.schema.book_tables import csv_lines
from sim.schema.names import nearest

if TYPE_CHECKING:
    from sim.schema.scenario import Scenario

MOST_PROBLEMS = 20
"""Problems of a book that are told one by one."""

WALLET = "wallet"
"""Clearer of a trader's wealth outside all venues."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule about the rows of one table.

    Parameters
    ----------
    table, column : str
        Where a broken row is reported.
    query : str
        SQL that yields ``rowid, value, extra`` of every row that breaks the rule.
    found : callable
        Words for what was found, from value and extra.
    allowed : str
        Words for what is allowed.
    known : tuple of str
        Legal names, for a hint.
    """

    table: str
    column: str
    query: str
    found: Callable[[Any, Any], str]
    allowed: str
    known: tuple[str, ...] = ()


class RowProblems:
    """The first problems of a book and the number of all."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.rows: list[tuple[int, int, Rule, Any, Any]] = []
        self.total = 0

    def apply(self, connection: duckdb.DuckDBPyConnection, rule: Rule) -> None:
        """Add the rows that break a rule."""
        rows = connection.execute(
            f"SELECT *, count(*) OVER () FROM ({rule.query}) ORDER BY 1 LIMIT {MOST_PROBLEMS}"
        ).fetchall()
        if rows:
            self.total += int(rows[0][-1])
        table = list(self.files).index(rule.table)
        self.rows += [(table, int(row), rule, value, extra) for row, value, extra, _ in rows]

    def listed(self) -> list[Problem]:
        """Return at most `MOST_PROBLEMS` problems in order of file and row, then how many more."""
        self.rows.sort(key=lambda item: item[:2])
        shown = self.rows[:MOST_PROBLEMS]
        lines = {}
        for table, file in self.files.items():
            if file.lower().endswith(".csv"):
                wanted = {row for _, row, rule, _, _ in shown if rule.table == table}
                lines[table] = csv_lines(Path(file), wanted)
        problems = [
            self._problem(rule, lines.get(rule.table, {}).get(row, row + 1), value, extra)
            for _, row, rule, value, extra in shown
        ]
        if self.total > len(shown):
            more = f"... and {self.total - len(shown)} more problems"
            problems.append(Problem("book", None, None, "rows", more, "no problems"))
        return problems

    def _problem(self, rule: Rule, line: int, value: Any, extra: Any) -> Problem:
        hint = nearest(value, rule.known) if rule.known and value is not None else None
        file, found = self.files[rule.table], rule.found(value, extra)
        return Problem(file, line, None, rule.column, found, rule.allowed, hint)


def _quote(value: Any, _: Any) -> str:
    return show(value)


def _again(value: Any, _: Any) -> str:
    return f"{show(value)} a second time"


def book_rules(scenario: Scenario) -> Iterator[Rule]:
    """Yield every rule for the rows of a book."""
    venues = tuple(sorted(scenario.venues))
    yield from _text_rules()
    yield from _number_rules()
    yield Rule(
        "accounts",
        "clearer",
        "SELECT a.rowid, a.clearer, NULL FROM accounts a WHERE a.clearer IS NOT NULL AND "
        f"a.clearer <> '{WALLET}' AND a.clearer NOT IN (SELECT venue FROM known_venues)",
        _quote,
        f"{', '.join(venues)} or {WALLET}",
        (*venues, WALLET),
    )
    yield Rule(
        "accounts",
        "margin_mode",
        "SELECT rowid, margin_mode, NULL FROM accounts "
        "WHERE margin_mode NOT IN ('cross', 'isolated')",
        _quote,
        "cross or isolated",
        ("cross", "isolated"),
    )
    assets = tuple(sorted(scenario.assets))
    yield Rule(
        "balances",
        "asset",
        "SELECT rowid, asset, NULL FROM balances WHERE asset IS NOT NULL AND "
        "asset NOT IN (SELECT asset FROM known_assets)",
        _quote,
        ", ".join(assets),
        assets,
    )
    yield from _reference_rules(scenario)
    yield from _repeat_rules()
    yield from _mode_rules()


def _text_rules() -> Iterator[Rule]:
    for table, columns in (
        ("accounts", ("account_id", "trader_id", "clearer", "margin_mode")),
        ("balances", ("account_id", "asset")),
        ("positions", ("account_id", "venue", "symbol")),
    ):
        for column in columns:
            yield Rule(
                table,
                column,
                f"SELECT rowid, NULL, NULL FROM {table} "
                f"WHERE {column} IS NULL OR trim({column}) = ''",
                _quote,
                "text",
            )


def _number_rules() -> Iterator[Rule]:
    for table, column, bad, allowed in (
        ("balances", "amount", "", "a finite number"),
        ("positions", "quantity", " OR quantity = 0", "a finite number other than 0"),
        ("positions", "entry_price", " OR entry_price <= 0", "a finite number above 0"),
    ):
        yield Rule(
            table,
            column,
            f"SELECT rowid, {column}_text, NULL FROM {table} "
            f"WHERE {column} IS NULL OR NOT isfinite({column}){bad}",
            lambda value, _: "nothing" if value is None else str(value)[:40],
            allowed,
        )


def _reference_rules(scenario: Scenario) -> Iterator[Rule]:
    for table in ("balances", "positions"):
        yield Rule(
            table,
            "account_id",
            f"SELECT t.rowid, t.account_id, NULL FROM {table} t LEFT JOIN accounts a "
            "USING (account_id) WHERE a.account_id IS NULL AND trim(t.account_id) <> ''",
            lambda value, _: f"unknown account {show(value)}",
            "an account_id of the accounts table",
        )
    venues = tuple(sorted(scenario.venues))
    yield Rule(
        "positions",
        "venue",
        "SELECT rowid, venue, NULL FROM positions WHERE trim(venue) <> '' AND "
        "venue NOT IN (SELECT venue FROM known_venues)",
        lambda value, _: f"unknown venue {show(value)}",
        ", ".join(venues),
        venues,
    )
    symbols = tuple(sorted({market.symbol for market in scenario.markets}))
    yield Rule(
        "positions",
        "symbol",
        "SELECT p.rowid, p.symbol, p.venue FROM positions p LEFT JOIN known_markets m "
        "USING (venue, symbol) WHERE m.market IS NULL AND trim(p.symbol) <> '' "
        "AND p.venue IN (SELECT venue FROM known_venues)",
        lambda value, venue: f"{show(value)}, which '{venue}' does not list",
        "a symbol the venue lists: " + ", ".join(sorted(m.id for m in scenario.markets)),
        symbols,
    )
    yield from _tradable_rules()


def _tradable_rules() -> Iterator[Rule]:
    yield Rule(
        "positions",
        "symbol",
        "SELECT p.rowid, p.symbol, NULL FROM positions p JOIN known_markets m "
        "USING (venue, symbol) WHERE m.kind = 'spot'",
        lambda value, _: f"a position in the spot market {show(value)}",
        "a perpetual or future (hold spot as a balance)",
    )
    yield Rule(
        "positions",
        "symbol",
        "SELECT p.rowid, p.symbol, a.clearer FROM positions p JOIN known_markets m "
        "USING (venue, symbol) JOIN accounts a USING (account_id) "
        "JOIN unmargined u ON u.clearer = a.clearer AND u.market = m.market",
        lambda value, clearer: (
            f"{show(value)}, for which the clearer '{clearer}' has no margin rule"
        ),
        "a market with tiers, or a maintenance_rate at the clearer",
    )


def _repeat_rules() -> Iterator[Rule]:
    for table, column, keys in (
        ("accounts", "account_id", "account_id"),
        ("balances", "asset", "account_id, asset"),
        ("positions", "symbol", "account_id, venue, symbol"),
    ):
        yield Rule(
            table,
            column,
            f"SELECT rowid, {column}, NULL FROM {table} WHERE {column} IS NOT NULL "
            f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY rowid) > 1",
            _again,
            f"each {keys.replace(', ', ' + ')} once",
        )


def _mode_rules() -> Iterator[Rule]:
    yield Rule(
        "positions",
        "account_id",
        "SELECT p.rowid, p.account_id, NULL FROM positions p JOIN accounts a USING (account_id) "
        f"WHERE a.clearer = '{WALLET}'",
        lambda value, _: f"a position of {show(value)}, which is a wallet",
        "balances only for an account whose clearer is wallet",
    )
    yield Rule(
        "accounts",
        "margin_mode",
        "SELECT a.rowid, a.account_id, count(p.account_id) FROM accounts a LEFT JOIN positions p "
        "USING (account_id) WHERE a.margin_mode = 'isolated' "
        f"AND a.clearer <> '{WALLET}' "
        "GROUP BY a.rowid, a.account_id HAVING count(p.account_id) <> 1",
        lambda value, count: f"isolated account {show(value)} with {count} positions",
        "exactly one position in an isolated account",
    )
