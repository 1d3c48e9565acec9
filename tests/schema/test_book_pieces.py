"""Books that are large or damaged: what is read in pieces."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from sim.core.errors import BookError
from tests.schema.base import GOOD, write_book
from tests.schema.test_books import ACCOUNTS, BALANCES, POSITIONS, read


@pytest.mark.parametrize("table", ["accounts", "balances", "positions"])
def test_a_damaged_parquet_file_is_told(tmp_path: Path, table: str) -> None:
    """A file whose pages cannot be read is refused by its name, whoever reads it first."""
    write_book(tmp_path)
    for name in ("accounts", "balances", "positions"):
        path = tmp_path / "book" / f"{name}.csv"
        duckdb.sql(
            f"COPY (FROM '{path}') TO '{path.with_suffix('.parquet')}' (COMPRESSION uncompressed)"
        )
    path = tmp_path / "book" / f"{table}.parquet"
    content = bytearray(path.read_bytes())
    content[4:40] = b"\xff" * 36  # the first page's head
    path.write_bytes(bytes(content))
    with pytest.raises(BookError) as caught:
        read(tmp_path, GOOD.replace(".csv", ".parquet"))
    (problem,) = caught.value.problems
    assert (Path(problem.file).name, problem.found) == (path.name, "a damaged Parquet file")


def test_a_book_of_several_pieces(tmp_path: Path) -> None:
    """What DuckDB hands over in pieces fits together, a trader across two of them as well."""
    count = 100_000
    accounts = "".join(f"a{n:06d},t{n // 3:06d},alpha,cross\n" for n in range(count))
    balances = "".join(f"a{n:06d},USDT,{n}\n" for n in range(count))
    write_book(
        tmp_path,
        accounts=ACCOUNTS + accounts,
        balances=BALANCES + balances,
        positions=POSITIONS + "a099999,alpha,BTC-PERP,1,120000\n",
    )
    book = read(tmp_path)
    assert np.array_equal(book.trader, np.arange(count) // 3)
    assert len(book.trader_ids) == -(-count // 3)
    assert book.trader_ids[33_333] == "t033333"
    assert book.account_ids[65_537] == "a065537"
    assert np.array_equal(book.amount, np.arange(count))
    assert book.position_start[-2:].tolist() == [0, 1]


@pytest.mark.slow
def test_a_million_positions(tmp_path: Path) -> None:
    """A large book reads in seconds."""
    import time

    (tmp_path / "book").mkdir()
    book = tmp_path / "book"
    duckdb.sql(
        "COPY (SELECT 'a' || i AS account_id, 't' || i AS trader_id, 'alpha' AS clearer, "
        f"'cross' AS margin_mode FROM range(500000) r(i)) TO '{book / 'accounts.csv'}' (HEADER)"
    )
    duckdb.sql(
        "COPY (SELECT 'a' || i AS account_id, 'USDT' AS asset, i + 0.5 AS amount "
        f"FROM range(500000) r(i)) TO '{book / 'balances.csv'}' (HEADER)"
    )
    duckdb.sql(
        "COPY (SELECT 'a' || (i % 500000) AS account_id, CASE WHEN i < 500000 THEN 'alpha' ELSE "
        "'beta' END AS venue, 'BTC-PERP' AS symbol, i + 1 AS quantity, 100.25 AS entry_price "
        f"FROM range(1000000) r(i)) TO '{book / 'positions.csv'}' (HEADER)"
    )
    begin = time.perf_counter()
    read_book = read(tmp_path)
    assert time.perf_counter() - begin < 10.0
    number = np.array([int(account[1:]) for account in read_book.account_ids])
    assert np.array_equal(np.diff(read_book.position_start), np.full(500_000, 2))
    assert np.array_equal(read_book.quantity[::2], number + 1)
    assert np.array_equal(read_book.quantity[1::2], number + 500_001)
