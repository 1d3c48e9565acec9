"""The rules for a book's rows: each is one query that finds the rows breaking it.

Most rules look at one row and what it refers to. They are conditions in SQL on the rows of
`JOINED`, so a pass over a table can also tell whether any is broken. The others compare rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.schema.base import show
from sim.schema.book_tables import quoted

if TYPE_CHECKING:
    from sim.schema.scenario import Scenario

WALLET = "wallet"
"""Clearer of a trader's wealth outside all venues."""

LOWEST_ENTRY = "CASE WHEN k.kind = 'collateral' THEN 0 ELSE 5e-324 END"
"""Lowest entry price of a position: collateral may have been deposited without a price."""

JOINED = {
    "accounts": "accounts t LEFT JOIN known_clearers k ON k.clearer = t.clearer",
    "balances": "balances t LEFT JOIN accounts a ON a.account_id = t.account_id "
    "LEFT JOIN known_assets k ON k.asset = t.asset",
    "positions": "positions t LEFT JOIN accounts a ON a.account_id = t.account_id "
    "LEFT JOIN known_markets k ON k.venue = t.venue AND k.symbol = t.symbol "
    "LEFT JOIN unmargined u ON u.clearer = a.clearer AND u.market = k.market",
}
"""Each table of a book with what its rows (t) refer to: accounts (a), names of the scenario (k)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule about the rows of one table.

    Parameters
    ----------
    table, column : str
        Where a broken row is reported.
    query : str
        SQL that yields ``row, value, extra`` of every row that breaks the rule.
    found : callable
        Words for what was found, from value and extra.
    allowed : str
        Words for what is allowed.
    known : tuple of str
        Legal names, for a hint.
    condition : str or None
        SQL condition on a row of `JOINED` under which it breaks the rule; None for a rule that
        compares rows.
    """

    table: str
    column: str
    query: str
    found: Callable[[Any, Any], str]
    allowed: str
    known: tuple[str, ...] = ()
    condition: str | None = None


def _quote(value: Any, _: Any) -> str:
    return show(value)


def _again(value: Any, _: Any) -> str:
    return f"{show(value)} a second time"


def _single(
    table: str,
    column: str,
    condition: str,
    found: Callable[[Any, Any], str],
    allowed: str,
    known: tuple[str, ...] = (),
    value: str | None = None,
    extra: str = "NULL",
) -> Rule:
    """Return a rule for single rows; `value` (the column) and `extra` are told by `found`."""
    told = f"t.{column}" if value is None else value
    query = f"SELECT DISTINCT t.row, {told}, {extra} FROM {JOINED[table]} WHERE {condition}"
    return Rule(table, column, query, found, allowed, known, condition)


def book_rules(scenario: Scenario) -> Iterator[Rule]:
    """Yield every rule for the rows of a book."""
    venues = tuple(sorted(scenario.venues))
    yield from _text_rules()
    yield from _number_rules()
    yield _single(
        "accounts",
        "clearer",
        "t.clearer IS NOT NULL AND k.code IS NULL",
        _quote,
        f"{', '.join(venues)} or {WALLET}",
        (*venues, WALLET),
    )
    yield _single(
        "accounts",
        "margin_mode",
        "t.margin_mode NOT IN ('cross', 'isolated')",
        _quote,
        "cross or isolated",
        ("cross", "isolated"),
    )
    assets = tuple(sorted(scenario.assets))
    yield _single(
        "balances",
        "asset",
        "t.asset IS NOT NULL AND k.code IS NULL",
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
            # No text that begins with a visible sign of ASCII is blank: a cheap test first.
            doubtful = f"(t.{column} < '!' OR t.{column} >= chr(127))"
            blank = f"t.{column} IS NULL OR ({doubtful} AND trim(t.{column}) = '')"
            yield _single(table, column, blank, _quote, "text", value="NULL")


def _number_rules() -> Iterator[Rule]:
    for table, column, bad, allowed in (
        ("balances", "amount", "", "a finite number"),
        ("positions", "quantity", "= 0", "a finite number other than 0"),
        ("positions", "entry_price", f"< {LOWEST_ENTRY}", "a finite number above 0"),
    ):
        number = f"t.{column}_value"
        condition = f"{number} IS NULL OR NOT isfinite({number})"
        yield _single(
            table,
            column,
            f"{condition} OR {number} {bad}" if bad else condition,
            lambda value, _: "nothing" if value is None else str(value)[:40],
            allowed,
        )


def _reference_rules(scenario: Scenario) -> Iterator[Rule]:
    for table in ("balances", "positions"):
        yield _single(
            table,
            "account_id",
            "a.account_id IS NULL AND trim(t.account_id) <> ''",
            lambda value, _: f"unknown account {show(value)}",
            "an account_id of the accounts table",
        )
    venues = tuple(sorted(scenario.venues))
    known = f"t.venue IN ({', '.join(map(quoted, venues))})"
    yield _single(
        "positions",
        "venue",
        f"trim(t.venue) <> '' AND NOT {known}",
        lambda value, _: f"unknown venue {show(value)}",
        ", ".join(venues),
        venues,
    )
    symbols = tuple(sorted({market.symbol for market in scenario.markets}))
    yield _single(
        "positions",
        "symbol",
        f"k.market IS NULL AND trim(t.symbol) <> '' AND {known}",
        lambda value, venue: f"{show(value)}, which '{venue}' does not list",
        "a symbol the venue lists: " + ", ".join(sorted(m.id for m in scenario.markets)),
        symbols,
        extra="t.venue",
    )
    yield _single(
        "positions",
        "symbol",
        "k.kind = 'spot'",
        lambda value, _: f"a position in the spot market {show(value)}",
        "a perpetual or future (hold spot as a balance)",
    )
    yield _single(
        "positions",
        "quantity",
        "k.kind = 'collateral' AND t.quantity_value < 0",
        lambda value, _: f"{show(value)} of collateral",
        "a quantity above 0: collateral can only be deposited",
    )
    yield _single(
        "positions",
        "symbol",
        "u.market IS NOT NULL",
        lambda value, clearer: (
            f"{show(value)}, for which the clearer '{clearer}' has no margin rule"
        ),
        "a market with tiers, or a maintenance_rate at the clearer",
        extra="a.clearer",
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
            f"SELECT row, {column}, NULL FROM {table} WHERE {column} IS NOT NULL "
            f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY row) > 1",
            _again,
            f"each {keys.replace(', ', ' + ')} once",
        )


def _mode_rules() -> Iterator[Rule]:
    yield _single(
        "positions",
        "account_id",
        f"a.clearer = '{WALLET}'",
        lambda value, _: f"a position of {show(value)}, which is a wallet",
        "balances only for an account whose clearer is wallet",
    )
    yield Rule(
        "accounts",
        "margin_mode",
        "SELECT a.row, a.account_id, count(p.account_id) FROM accounts a LEFT JOIN positions p "
        "USING (account_id) WHERE a.margin_mode = 'isolated' "
        f"AND a.clearer <> '{WALLET}' "
        "GROUP BY a.row, a.account_id HAVING count(p.account_id) <> 1",
        lambda value, count: f"isolated account {show(value)} with {count} positions",
        "exactly one position in an isolated account",
    )
