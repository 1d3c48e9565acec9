"""The shared database: connections of it do not see each other, and it never sees old files."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from sim.core import database
from sim.core.database import scratch
from sim.core.parquet import read_parquet, write_parquet


def test_connections_do_not_see_each_others_tables() -> None:
    with scratch() as one, scratch() as other:
        for number, connection in enumerate((one, other)):
            connection.execute(f"CREATE TEMP TABLE t AS SELECT {number} AS x")
        assert [c.execute("SELECT x FROM t").fetchone() for c in (one, other)] == [(0,), (1,)]
    with scratch() as third, pytest.raises(duckdb.CatalogException):
        third.execute("SELECT x FROM t")


def test_a_mistake_leaves_the_next_connection_whole() -> None:
    with scratch() as connection, pytest.raises(duckdb.Error):
        connection.execute("SELEC 1")
    with scratch() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_database_that_is_lost_is_made_anew() -> None:
    def lose() -> None:
        with scratch():
            raise duckdb.FatalException("database has been invalidated")

    with scratch():
        lost = database._shared[os.getpid()]
    with pytest.raises(duckdb.FatalException):
        lose()
    with scratch() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert database._shared[os.getpid()] is not lost


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    for number in range(5):
        write_parquet({path: pd.DataFrame({"x": [number] * 3})})
        assert read_parquet(path)["x"].tolist() == [number] * 3


def test_threads_work_side_by_side(tmp_path: Path) -> None:
    found: dict[int, list[int]] = {}

    def work(number: int) -> None:
        for step in range(5):
            path = tmp_path / f"{number}-{step}.parquet"
            write_parquet({path: pd.DataFrame({"x": range(number, number + 50)})})
            found[number] = read_parquet(path)["x"].tolist()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: list(range(number, number + 50)) for number in range(4)}
