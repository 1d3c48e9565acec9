"""Books of accounts: good ones, and every way to write a bad one."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import duckdb
import numpy as np
import pytest

from sim.core.errors import BookError, Problem
from sim.schema import Book, Scenario, book_rows, load_book, load_text
from sim.schema.traders import BookSource
from tests.schema.base import GOOD, write_book

ACCOUNTS = "account_id,trader_id,clearer,margin_mode\n"
BALANCES = "account_id,asset,amount\n"
POSITIONS = "account_id,venue,symbol,quantity,entry_price\n"
GOOD_ACCOUNTS = ACCOUNTS + "a1,t1,alpha,cross\na2,t1,beta,isolated\na3,t1,wallet,cross\n"
GOOD_POSITIONS = (
    POSITIONS + "a1,alpha,BTC-PERP,1,120000\na1,beta,ETH-PERP,-2.5,4.2e3\n"
    "a2,beta,BTC-PERP,3,121000\n"
)


def read(folder: Path, text: str = GOOD) -> Book:
    """Return the book of a scenario in `folder`."""
    scenario = load_text(text, base_dir=folder)
    return load_book(source_of(scenario), scenario)


def source_of(scenario: Scenario) -> BookSource:
    """Return the book of a scenario."""
    (source,) = [entry for entry in scenario.traders if isinstance(entry, BookSource)]
    return source


def refused(folder: Path, **tables: str) -> tuple[Problem, ...]:
    """Return the problems of a book that must be refused."""
    write_book(folder, **tables)
    with pytest.raises(BookError) as caught:
        read(folder)
    return caught.value.problems


def test_good_book(tmp_path: Path) -> None:
    """Accounts and wallets stand apart; codes point at venues, assets and markets."""
    write_book(tmp_path)
    book = read(tmp_path)
    assert book.name == "book"
    assert list(book.account_ids) == ["a1", "a2"]
    assert list(book.trader_ids) == ["t1"]
    assert book.trader.tolist() == [0, 0, 0]
    assert book.clearer.tolist() == [0, 1]
    assert book.isolated.tolist() == [False, True]
    assert book.balance_account.tolist() == [0, 0, 2]
    assert book.balance_asset.tolist() == [0, 1, 0]
    assert book.amount.tolist() == [1000.0, -0.5, 50.0]
    assert book.position_start.tolist() == [0, 2, 3]
    assert book.position_market.tolist() == [0, 2, 1]
    assert book.quantity.tolist() == [1.0, -2.5, 3.0]
    assert book.entry_price.tolist() == [120000.0, 4200.0, 121000.0]


def test_rows_are_put_in_order(tmp_path: Path) -> None:
    """Accounts by trader, then id; balances by account, then asset; positions by market."""
    write_book(
        tmp_path,
        accounts=ACCOUNTS + "b,t2,alpha,cross\nz,t1,wallet,cross\nc,t1,beta,cross\n"
        "w,t3,wallet,cross\na,t2,gamma,cross\n",
        balances=BALANCES + "w,USDT,5\nb,USDT,4\nz,USDT,3\nb,BTC,2\nc,USDT,1\n",
        positions=POSITIONS + "b,beta,ETH-PERP,1,4000\nc,beta,BTC-PERP,2,120000\n"
        "b,alpha,BTC-PERP,3,120000\n",
    )
    book = read(tmp_path)
    assert list(book.account_ids) == ["c", "a", "b"]
    assert list(book.trader_ids) == ["t1", "t2", "t3"]
    assert book.trader.tolist() == [0, 1, 1, 0, 2]
    assert book.clearer.tolist() == [1, 2, 0]
    assert book.balance_account.tolist() == [0, 2, 2, 3, 4]
    assert book.amount.tolist() == [1.0, 4.0, 2.0, 3.0, 5.0]
    assert book.position_start.tolist() == [0, 1, 1, 3]
    assert book.quantity.tolist() == [2.0, 3.0, 1.0]


def test_columns_in_any_order_and_windows_lines(tmp_path: Path) -> None:
    """The order of columns, a byte order mark, quotes and Windows lines do not matter."""
    write_book(
        tmp_path,
        balances='\ufeffamount,"account_id",asset\r\n"5",a1,USDT\r\n',
    )
    assert read(tmp_path).amount.tolist() == [5.0]


def test_account_without_balance_or_position_is_fine(tmp_path: Path) -> None:
    """Balances and positions may have no rows."""
    write_book(
        tmp_path, accounts=ACCOUNTS + "1,2,alpha,cross\n", balances=BALANCES, positions=POSITIONS
    )
    book = read(tmp_path)
    assert (book.amount.size, book.quantity.size) == (0, 0)
    assert list(book.account_ids) == ["1"]


def test_parquet(tmp_path: Path) -> None:
    """A Parquet book is the same book, numbers as numbers."""
    write_book(tmp_path)
    expected = read(tmp_path)
    for name in ("accounts", "balances", "positions"):
        table = tmp_path / "book" / f"{name}.csv"
        duckdb.sql(f"COPY (FROM '{table}') TO '{table.with_suffix('.parquet')}'")
    book = read(tmp_path, GOOD.replace(".csv", ".parquet"))
    for field in fields(Book):
        found, wanted = getattr(book, field.name), getattr(expected, field.name)
        assert np.array_equal(found, wanted), field.name


def test_parquet_names_the_row(tmp_path: Path) -> None:
    """A Parquet file has no lines: its rows are counted from 1."""
    write_book(tmp_path)
    for name in ("accounts", "balances", "positions"):
        table = tmp_path / "book" / f"{name}.csv"
        extra = ", 'nan'::DOUBLE AS amount" if name == "balances" else ""
        columns = "* EXCLUDE amount" if extra else "*"
        duckdb.sql(
            f"COPY (SELECT {columns}{extra} FROM '{table}') TO '{table.with_suffix('.parquet')}'"
        )
    with pytest.raises(BookError) as caught:
        read(tmp_path, GOOD.replace(".csv", ".parquet"))
    first = caught.value.problems[0]
    assert (first.line, first.path, first.found) == (1, "amount", "nan")
    assert first.file.endswith("balances.parquet")


@pytest.mark.parametrize(
    ("column", "part"),
    [
        ("1 AS amount, 1 AS extra", "the column 'extra'"),
        ("[1] AS amount", "a column of type INTEGER[]"),
        ("true AS amount", "a column of type BOOLEAN"),
        ("DATE '2025-01-01' AS amount", "a column of type DATE"),
    ],
)
def test_parquet_with_bad_columns(tmp_path: Path, column: str, part: str) -> None:
    """Types that are no numbers and columns that nobody asked for are refused."""
    write_book(tmp_path)
    path = tmp_path / "book" / "balances.parquet"
    duckdb.sql(f"COPY (SELECT 'a1' AS account_id, 'USDT' AS asset, {column}) TO '{path}'")
    with pytest.raises(BookError) as caught:
        read(tmp_path, GOOD.replace("balances.csv", "balances.parquet"))
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("table", "text", "file", "line", "column", "parts"),
    [
        ("accounts", "", "accounts.csv", None, "file", ("an empty file", "account_id, trader_id")),
        ("accounts", ACCOUNTS, "accounts.csv", None, "file", ("no rows", "at least one")),
        ("accounts", ACCOUNTS.replace("clearer", "clear") + "a1,t1,alpha,cross\n",
         "accounts.csv", 1, "clear", ("the column 'clear'", "did you mean 'clearer'")),
        ("accounts", ACCOUNTS.replace("clearer,", "") + "a1,t1,cross\n",
         "accounts.csv", 1, "clearer", ("no column 'clearer'", "account_id, trader_id")),
        ("accounts", ACCOUNTS.replace("_mode", "_mode,note") + "a1,t1,alpha,cross,x\n",
         "accounts.csv", 1, "note", ("the column 'note'",)),
        ("accounts", ACCOUNTS.replace("trader_id", "account_id") + "a1,t1,alpha,cross\n",
         "accounts.csv", 1, "account_id", ("a second column 'account_id'",)),
        ("accounts", ACCOUNTS.replace(",", ";") + "a1;t1;alpha;cross\n",
         "accounts.csv", 1, "header", ("separated by semicolons", "commas")),
        ("accounts", GOOD_ACCOUNTS + "a1,t9,alpha,cross\n",
         "accounts.csv", 5, "account_id", ("'a1' a second time", "each account_id once")),
        ("accounts", GOOD_ACCOUNTS.replace("alpha", "alhpa"),
         "accounts.csv", 2, "clearer", ("'alhpa'", "alpha, beta, gamma or wallet",
                                        "did you mean 'alpha'")),
        ("accounts", GOOD_ACCOUNTS.replace("isolated", "Isolated"),
         "accounts.csv", 3, "margin_mode", ("'Isolated'", "cross or isolated",
                                            "did you mean 'isolated'")),
        ("accounts", GOOD_ACCOUNTS.replace("a3,t1", "a3,"),
         "accounts.csv", 4, "trader_id", ("found nothing", "text")),
        ("accounts", GOOD_ACCOUNTS.replace("a1,t1,alpha,cross", "a1,t1,alpha,isolated"),
         "accounts.csv", 2, "margin_mode", ("'a1' with 2 positions", "exactly one position")),
        ("accounts", GOOD_ACCOUNTS + "a4,t1,alpha,isolated\n",
         "accounts.csv", 5, "margin_mode", ("'a4' with 0 positions",)),
        ("accounts", GOOD_ACCOUNTS + "\n\na1,t9,alpha,cross\n",
         "accounts.csv", 7, "account_id", ("'a1' a second time",)),
        ("accounts", GOOD_ACCOUNTS + "a4,t1,alpha\n", "accounts.csv", 5, "row",
         ("3 values", "4 values")),
        ("accounts", GOOD_ACCOUNTS + "a4,t1,alpha,cross,more\n", "accounts.csv", 5, "row",
         ("5 values", "4 values")),
        ("balances", BALANCES + "a9,USDT,1\n",
         "balances.csv", 2, "account_id", ("unknown account 'a9'", "accounts table")),
        ("balances", BALANCES + "a1,USDC,1\n",
         "balances.csv", 2, "asset", ("'USDC'", "BTC, ETH, USDT", "did you mean 'USDT'")),
        ("balances", BALANCES + "a1,USDT,1\na1,USDT,2\n",
         "balances.csv", 3, "asset", ("'USDT' a second time", "account_id + asset once")),
        ("balances", BALANCES + "a1,USDT,nan\n", "balances.csv", 2, "amount", ("nan", "finite")),
        ("balances", BALANCES + "a1,USDT,-inf\n", "balances.csv", 2, "amount", ("-inf",)),
        ("balances", BALANCES + "a1,USDT,ten\n", "balances.csv", 2, "amount", ("ten",)),
        ("balances", BALANCES + "a1,USDT,\n", "balances.csv", 2, "amount", ("nothing",)),
        ("balances", BALANCES + '"a1","USDT","1,000"\n', "balances.csv", 2, "amount",
         ("1,000", "a finite number")),
        ("positions", GOOD_POSITIONS + "a9,alpha,BTC-PERP,1,1\n",
         "positions.csv", 5, "account_id", ("unknown account 'a9'",)),
        ("positions", GOOD_POSITIONS + "a1,alfa,BTC-PERP,1,1\n",
         "positions.csv", 5, "venue", ("unknown venue 'alfa'", "did you mean 'alpha'")),
        ("positions", GOOD_POSITIONS + "a1,alpha,ETH-PERP,1,1\n",
         "positions.csv", 5, "symbol", ("'ETH-PERP', which 'alpha' does not list",
                                        "beta/ETH-PERP")),
        ("positions", GOOD_POSITIONS + "a1,gamma,ETH-SPOT,1,1\n",
         "positions.csv", 5, "symbol", ("the spot market 'ETH-SPOT'", "hold spot as a balance")),
        ("positions", GOOD_POSITIONS + "a1,alpha,BTC-PERP,1,1\n",
         "positions.csv", 5, "symbol", ("'BTC-PERP' a second time",
                                        "account_id + venue + symbol once")),
        ("positions", GOOD_POSITIONS.replace("-2.5", "0"),
         "positions.csv", 3, "quantity", ("found 0", "other than 0")),
        ("positions", GOOD_POSITIONS.replace("-2.5", "NaN"),
         "positions.csv", 3, "quantity", ("NaN", "other than 0")),
        ("positions", GOOD_POSITIONS.replace("4.2e3", "0"),
         "positions.csv", 3, "entry_price", ("found 0", "above 0")),
        ("positions", GOOD_POSITIONS.replace("4.2e3", "-1"),
         "positions.csv", 3, "entry_price", ("found -1",)),
        ("positions", GOOD_POSITIONS.replace("4.2e3", "1e999"),
         "positions.csv", 3, "entry_price", ("1e999",)),
        ("positions", GOOD_POSITIONS + "a3,alpha,BTC-PERP,1,1\n",
         "positions.csv", 5, "account_id", ("'a3', which is a wallet", "balances only")),
        ("positions", GOOD_POSITIONS + "a2,alpha,BTC-PERP,1,1\n",
         "accounts.csv", 3, "margin_mode", ("'a2' with 2 positions",)),
    ],
)  # fmt: skip
def test_mistake_is_told_with_its_row(
    tmp_path: Path,
    table: str,
    text: str,
    file: str,
    line: int | None,
    column: str,
    parts: tuple[str, ...],
) -> None:
    """The problem names file, line, column, what was found and what is allowed."""
    found = [
        problem
        for problem in refused(tmp_path, **{table: text})
        if problem.path == column and problem.file.endswith(file) and problem.line == line
    ]
    assert found
    for part in parts:
        assert part in str(found[0])


def test_market_without_margin_rule_at_the_clearer(tmp_path: Path) -> None:
    """A prime broker must know what to ask for every position it clears."""
    text = GOOD.replace(
        "tiers:\n        - {floor: 0, rate: 0.004}\n"
        "        - {floor: 300_000, rate: 0.005, deduction: 300}\n"
        "        - {floor: 800_000, rate: 0.0065}",
        "tiers: {ETH: [{floor: 0, rate: 0.01}]}",
    )
    write_book(
        tmp_path,
        accounts=ACCOUNTS + "a1,t1,gamma,cross\n",
        balances=BALANCES,
        positions=POSITIONS + "a1,gamma,ETH-FUT,1,4000\na1,beta,BTC-PERP,1,120000\n",
    )
    with pytest.raises(BookError, match="the clearer 'gamma' has no margin rule") as caught:
        read(tmp_path, text)
    assert [problem.line for problem in caught.value.problems] == [3]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("nowhere/accounts.csv", "no such file"),
        ("book", "the ending ''"),
        ("book/accounts.txt", "the ending '.txt'"),
        ("book/folder.csv", "a folder"),
        ("book/text.parquet", "a file that is not Parquet"),
        ("book/*.csv", "no such file"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, part: str) -> None:
    """Missing files, folders, foreign endings and patterns are refused."""
    write_book(tmp_path)
    (tmp_path / "book" / "folder.csv").mkdir()
    (tmp_path / "book" / "text.parquet").write_text("no Parquet", encoding="utf-8")
    with pytest.raises(BookError) as caught:
        read(tmp_path, GOOD.replace("book/accounts.csv", f"'{name}'"))
    assert part in str(caught.value)


def test_file_names_with_signs_of_patterns_and_quotes(tmp_path: Path) -> None:
    """Brackets, stars and quotes in a name are letters like others."""
    write_book(tmp_path)
    odd = "acc[1]'s.csv"
    os.rename(tmp_path / "book" / "accounts.csv", tmp_path / "book" / odd)
    book = read(tmp_path, GOOD.replace("book/accounts.csv", f'"book/{odd}"'))
    assert list(book.account_ids) == ["a1", "a2"]


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    """A file in another encoding is refused with its line."""
    write_book(tmp_path)
    path = tmp_path / "book" / "accounts.csv"
    path.write_bytes(GOOD_ACCOUNTS.encode() + b"caf\xe9,t,alpha,cross\n")
    with pytest.raises(BookError) as caught:
        read(tmp_path)
    (problem,) = caught.value.problems
    assert (problem.line, problem.found) == (5, "text that is not UTF-8")


def test_only_the_first_problems_are_told(tmp_path: Path) -> None:
    """Twenty problems, then how many more."""
    found = refused(tmp_path, balances=BALANCES + "".join(f"a1,X{n},1\n" for n in range(50)))
    assert len(found) == 21
    assert "... and 30 more problems" in str(found[-1])
    assert [problem.line for problem in found[:20]] == list(range(2, 22))


def test_problems_of_all_files_at_once(tmp_path: Path) -> None:
    """Broken headers of two files are told together."""
    found = refused(tmp_path, balances="a,b\n", positions="c\n")
    assert {Path(problem.file).name for problem in found} == {"balances.csv", "positions.csv"}


def test_repeated_rows_are_told_beside_rows_that_point_nowhere(tmp_path: Path) -> None:
    """A row that is there twice is a problem of its own, even if nobody knows its account."""
    twice = "a9,alpha,BTC-PERP,1,1\n" * 2
    found = refused(tmp_path, positions=POSITIONS + "a2,beta,BTC-PERP,1,1\n" + twice)
    assert [(problem.line, problem.path) for problem in found] == [
        (3, "account_id"),
        (4, "account_id"),
        (4, "symbol"),
    ]


def test_alike_ids_that_differ_are_no_repeats(tmp_path: Path, monkeypatch) -> None:
    """Equal hashes only lead to a closer look."""
    write_book(tmp_path)
    everything_alike = book_rows._LIKENESS.replace("t.account_id", "1")
    monkeypatch.setattr(book_rows, "_LIKENESS", everything_alike)
    assert list(read(tmp_path).account_ids) == ["a1", "a2"]
    write_book(tmp_path, accounts=GOOD_ACCOUNTS + "a1,t9,alpha,cross\n")
    with pytest.raises(BookError, match="'a1' a second time"):
        read(tmp_path)


@pytest.mark.parametrize("blank", [" ", "  ", "\u00a0", "\u2003", "\u3000 "])
def test_blank_texts_are_nothing(tmp_path: Path, blank: str) -> None:
    """A text of spaces is told like none at all, in every column of text."""
    positions = f"a2,beta,BTC-PERP,1,1\na1,{blank},BTC-PERP,1,1\na1,beta,{blank},1,1\n"
    found = refused(
        tmp_path,
        accounts=GOOD_ACCOUNTS + f'{blank},t1,alpha,cross\na4,"{blank}",alpha,cross\n',
        balances=BALANCES + f"a1,USDT,1\n{blank},USDT,1\n",
        positions=POSITIONS + positions,
    )
    places = [(Path(p.file).stem, p.line, p.path) for p in found if p.allowed == "text"]
    assert places == [
        ("accounts", 5, "account_id"),
        ("accounts", 6, "trader_id"),
        ("balances", 3, "account_id"),
        ("positions", 3, "venue"),
        ("positions", 4, "symbol"),
    ]
