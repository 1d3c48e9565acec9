"""Books: a user's own accounts, balances and positions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from typing import Any

import duckdb
import numpy as np

from sim.core.arrays import BoolArray, FloatArray, Int16Array, Int32Array, IntArray
from sim.core.database import scratch
from sim.core.errors import BookError, Problem
from sim.core.texts import Texts
from sim.schema.book_checks import BookChecks
from sim.schema.book_rows import put_in_order, read_accounts, read_balances, read_positions
from sim.schema.book_rules import WALLET
from sim.schema.book_shelf import SHELF, unmargined
from sim.schema.book_tables import COLUMNS, damaged, read_table
from sim.schema.scenario import Scenario
from sim.schema.traders import BookSource

LARGE = 1_000_000
"""Bytes of the files of a book that counts as large."""


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """A checked book: accounts (A), outside wallets (W), balances (B) and positions (P).

    Accounts come in the order of trader id, then account id, and so do wallets; positions in that
    of account, then market; balances in that of account or wallet, then asset. So the order of
    the rows in the files leaves no trace.

    Parameters
    ----------
    name : str
        Name under which its accounts are reported.
    account_ids, trader_ids : Texts
        Ids of the accounts, and of all traders (T) in their order.
    trader : (A + W,) int32
        Owner of each account, then of each wallet: a number in `trader_ids`.
    clearer : (A,) int16
        Index in `scenario.venues`.
    isolated : (A,) bool
    balance_account : (B,) int32
        Whose balance: an account, or A plus a wallet.
    balance_asset : (B,) int16
        Index in `scenario.assets`.
    amount : (B,) float64 [asset]
    position_start : (A + 1,) int64
        Positions of account i are ``position_start[i] : position_start[i + 1]``.
    position_market : (P,) int16
        Index in `scenario.markets`.
    quantity : (P,) float64 [contracts, long > 0]
    entry_price : (P,) float64 [quote/base]
    """

    name: str
    account_ids: Texts
    trader_ids: Texts
    trader: Int32Array
    clearer: Int16Array
    isolated: BoolArray
    balance_account: Int32Array
    balance_asset: Int16Array
    amount: FloatArray
    position_start: IntArray
    position_market: Int16Array
    quantity: FloatArray
    entry_price: FloatArray


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

    Notes
    -----
    Within `books_kept` a book whose files did not change is not read again.
    """
    shelf = SHELF.get()
    if shelf is None:
        return _read(source, scenario)
    key = shelf.key(source, scenario)
    book = shelf.get(key)
    if not isinstance(book, Book):
        book = _read(source, scenario)
        for array in (getattr(book, one.name) for one in fields(book)):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
        shelf.put(key, book)
    return book


def _read(source: BookSource, scenario: Scenario) -> Book:
    with _opened(source, scenario) as checks:
        accounts = read_accounts(checks, len(scenario.venues))
        balances = read_balances(checks, accounts)
        positions = read_positions(checks, accounts)
    # DuckDB's memory is free again before rows are sorted, which takes some.
    doubtful = put_in_order(balances, "asset") | put_in_order(positions, "market")
    start = np.zeros(accounts.clearer.size + 1, dtype=np.int64)
    np.cumsum(np.bincount(positions.pop("account"), minlength=start.size - 1), out=start[1:])
    if doubtful or not (np.diff(start)[accounts.isolated] == 1).all():
        with _opened(source, scenario) as checks:
            checks.refuse(broken=False, doubtful=True)
    return Book(
        name=source.name,
        account_ids=accounts.account_ids,
        trader_ids=accounts.trader_ids,
        trader=accounts.trader,
        clearer=accounts.clearer,
        isolated=accounts.isolated,
        balance_account=balances["account"],
        balance_asset=balances["asset"],
        amount=balances["amount"],
        position_start=start,
        position_market=positions["market"],
        quantity=positions["quantity"],
        entry_price=positions["entry_price"],
    )


def _connection(
    source: BookSource, scenario: Scenario
) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """Return a connection; a large book has a database of its own, to give its memory back."""
    folder = scenario.source.base_dir
    paths = [folder / getattr(source.book, table) for table in COLUMNS]
    if sum(path.stat().st_size for path in paths if path.is_file()) < LARGE:
        return scratch()
    # One thread reads as fast as two, since the rows come in one stream, and in less memory.
    return duckdb.connect(":memory:", config={"threads": 1})


@contextmanager
def _opened(source: BookSource, scenario: Scenario) -> Iterator[BookChecks]:
    """Open the tables of a book beside what the scenario knows."""
    with _connection(source, scenario) as connection:
        files = _open_tables(connection, source, scenario)
        _known_tables(connection, scenario)
        if connection.execute("SELECT count(*) FROM accounts").fetchone() == (0,):
            raise BookError(
                Problem(files["accounts"], None, None, "file", "no rows", "at least one account")
            )
        try:
            yield BookChecks(connection, files, scenario)
        except duckdb.Error:
            problems = damaged(connection, files)
            if not problems:
                raise
            raise BookError(problems) from None


def _open_tables(
    connection: duckdb.DuckDBPyConnection, source: BookSource, scenario: Scenario
) -> dict[str, str]:
    """Open every table; return the file of each, as messages name it."""
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
    """Create small tables of what the scenario knows, numbered in its order."""
    markets = scenario.markets
    for table, columns, rows in (
        ("known_clearers", "clearer VARCHAR, code SMALLINT", _numbered([*scenario.venues, WALLET])),
        ("known_assets", "asset VARCHAR, code SMALLINT", _numbered([*scenario.assets])),
        (
            "known_markets",
            "venue VARCHAR, symbol VARCHAR, kind VARCHAR, market SMALLINT",
            [[m.venue, m.symbol, m.kind, number] for number, m in enumerate(markets)],
        ),
        (
            "unmargined",
            "clearer VARCHAR, market SMALLINT",
            unmargined(scenario),
        ),
    ):
        connection.execute(f"CREATE TEMP TABLE {table} ({columns})")
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _numbered(names: list[str]) -> list[list[Any]]:
    return [[name, number] for number, name in enumerate(names)]
