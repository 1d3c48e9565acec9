"""Books: a user's own accounts, balances and positions."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from sim.core.errors import BookError, Problem
from sim.schema.book_checks import WALLET, RowProblems, book_rules
from sim.schema.book_tables import COLUMNS, read_table
from sim.schema.scenario import Scenario
from sim.schema.traders import BookSource


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """A checked book.

    Parameters
    ----------
    name : str
        Name under which its accounts are reported.
    accounts : DataFrame
        ``account_id, trader_id, clearer, margin_mode``, all text, in the order of the file.
    balances : DataFrame
        ``account_id, asset, amount`` [asset] and ``account``, the row in `accounts`.
    positions : DataFrame
        ``account_id, venue, symbol, quantity`` [contracts, long > 0], ``entry_price``
        [quote/base], ``account``, the row in `accounts`, and ``market``, the index in
        `scenario.markets`.
    """

    name: str
    accounts: pd.DataFrame
    balances: pd.DataFrame
    positions: pd.DataFrame


def load_book(source: BookSource, scenario: Scenario) -> Book:
    """Read and check the three tables of a book.

    Parameters
    ----------
    source : BookSource
        The entry of `scenario.traders`; its paths are relative to the scenario file.
    scenario : Scenario
        What the book must fit: venues, markets, assets.

    Raises
    ------
    BookError
        With file, row (the line of a CSV file, the row number of a Parquet file), column, what
        was found and what is allowed; the first 20 problems and the number of the others.
    """
    with duckdb.connect(":memory:") as connection:
        files = _read_tables(connection, source, scenario)
        _known_tables(connection, scenario)
        problems = RowProblems(files)
        if connection.execute("SELECT count(*) FROM accounts").fetchone() == (0,):
            raise BookError(
                Problem(files["accounts"], None, None, "file", "no rows", "at least one account")
            )
        for rule in book_rules(scenario):
            problems.apply(connection, rule)
        if problems.total:
            raise BookError(problems.listed())
        return _book(connection, source.name, scenario)


def _read_tables(
    connection: duckdb.DuckDBPyConnection, source: BookSource, scenario: Scenario
) -> dict[str, str]:
    """Read every table; return the file of each, as messages name it."""
    files = {}
    problems: list[Problem] = []
    for table in COLUMNS:
        path = scenario.source.base_dir / getattr(source.book, table)
        files[table] = str(path)
        try:
            read_table(connection, table, path, str(path))
        except BookError as error:
            problems += error.problems
    if problems:
        raise BookError(problems)
    return files


def _known_tables(connection: duckdb.DuckDBPyConnection, scenario: Scenario) -> None:
    """Create small tables of what the scenario knows."""
    markets = scenario.markets
    connection.execute("CREATE TEMP TABLE known_venues (venue VARCHAR)")
    connection.execute("CREATE TEMP TABLE known_assets (asset VARCHAR)")
    connection.execute(
        "CREATE TEMP TABLE known_markets (market BIGINT, venue VARCHAR, symbol VARCHAR, "
        "kind VARCHAR)"
    )
    connection.execute("CREATE TEMP TABLE unmargined (clearer VARCHAR, market BIGINT)")
    connection.executemany("INSERT INTO known_venues VALUES (?)", [[v] for v in scenario.venues])
    connection.executemany("INSERT INTO known_assets VALUES (?)", [[a] for a in scenario.assets])
    connection.executemany(
        "INSERT INTO known_markets VALUES (?, ?, ?, ?)",
        [[number, m.venue, m.symbol, m.kind] for number, m in enumerate(markets)],
    )
    missing = [
        [name, number]
        for name, venue in scenario.venues.items()
        for number, m in enumerate(markets)
        if venue.margin is not None and venue.margin.ladder(m.base, m.symbol) is None
    ]
    if missing:
        connection.executemany("INSERT INTO unmargined VALUES (?, ?)", missing)


def _book(connection: duckdb.DuckDBPyConnection, name: str, scenario: Scenario) -> Book:
    """Return the checked tables with integer codes."""
    accounts = connection.execute(
        "SELECT account_id, trader_id, clearer, margin_mode FROM accounts ORDER BY rowid"
    ).df()
    ids = accounts["account_id"].to_numpy()
    balances = connection.execute(
        "SELECT b.asset, b.amount, a.rowid AS account FROM balances b JOIN accounts a "
        "USING (account_id) ORDER BY b.rowid"
    ).df()
    balances.insert(0, "account_id", ids[balances["account"].to_numpy()])
    columns = connection.execute(
        "SELECT p.quantity, p.entry_price, a.rowid AS account, m.market FROM positions p "
        "JOIN accounts a USING (account_id) JOIN known_markets m USING (venue, symbol) "
        "ORDER BY p.rowid"
    ).fetchnumpy()
    account = np.asarray(columns["account"], dtype=np.int64)
    market = np.asarray(columns["market"], dtype=np.int64)
    venues = np.array([m.venue for m in scenario.markets], dtype=object)
    symbols = np.array([m.symbol for m in scenario.markets], dtype=object)
    positions = pd.DataFrame(
        {
            "account_id": ids[account],
            "venue": venues[market],
            "symbol": symbols[market],
            "quantity": np.asarray(columns["quantity"], dtype=np.float64),
            "entry_price": np.asarray(columns["entry_price"], dtype=np.float64),
            "account": account,
            "market": market,
        }
    )
    return Book(name, accounts, balances, positions)


__all__ = ["WALLET", "Book", "load_book"]
