"""The table of runs, made of the journal."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sim.core.database import scratch
from sim.core.errors import Problem, RunError, ScenarioError
from sim.experiments.journal import JOURNAL, RUNS, read_identity

if TYPE_CHECKING:
    import pandas as pd


def write_table(folder: Path) -> Path:
    """Write ``runs.parquet`` from the journal, sorted by cell and replication.

    The work is DuckDB's, which goes to the disk where memory ends; the last attempt of a run
    counts. The table has the time of the journal that it was made of.
    """
    import duckdb

    columns = read_identity(folder)["columns"]
    target, journal = folder / RUNS, folder / JOURNAL
    made_of = journal.stat().st_mtime_ns
    try:
        with tempfile.TemporaryDirectory(prefix=".runs-", dir=folder) as scratch:
            made = Path(scratch) / RUNS
            with duckdb.connect(":memory:", config={"threads": 1}) as connection:
                spill = _quoted(Path(scratch) / "spill")
                connection.execute(f"SET temp_directory = '{spill}'")
                query = _query(journal, columns)
                connection.execute(f"COPY ({query}) TO '{_quoted(made)}' (FORMAT parquet)")
            os.utime(made, ns=(made_of, made_of))
            made.replace(target)
    except (OSError, duckdb.Error) as error:
        raise RunError(
            f"cannot write {target}: {' '.join(str(error).split())}; the journal beside it is "
            "whole, the same command makes the table again"
        ) from error
    return target


def _query(journal: Path, columns: Mapping[str, Mapping[str, str]]) -> str:
    """Return the query that makes the table of runs of a journal."""
    figures = [
        _extracted(table, name, kind)
        for table in ("factors", "metrics")
        for name, kind in columns[table].items()
    ]
    listed = ", ".join(
        ["cell", "replication", "seed", *figures, "status", "stage", "message", "run_id",
         "wall_seconds"]
    )  # fmt: skip
    spec = ", ".join(f"'{name}': '{kind}'" for name, kind in _FIXED)
    return (
        f"SELECT {listed} FROM read_json('{_quoted(journal)}', format = 'newline_delimited', "
        f"ignore_errors = true, maximum_object_size = 67108864, columns = {{{spec}}}) "
        "WHERE cell IS NOT NULL AND status IS NOT NULL "
        "QUALIFY row_number() OVER (PARTITION BY cell, replication ORDER BY attempt DESC) = 1 "
        "ORDER BY cell, replication"
    )


_FIXED = (
    ("cell", "BIGINT"),
    ("replication", "BIGINT"),
    ("seed", "BIGINT"),
    ("attempt", "BIGINT"),
    ("status", "VARCHAR"),
    ("stage", "VARCHAR"),
    ("message", "VARCHAR"),
    ("run_id", "VARCHAR"),
    ("wall_seconds", "DOUBLE"),
    ("factors", "JSON"),
    ("metrics", "JSON"),
)


def _extracted(table: str, name: str, kind: str) -> str:
    key = name.replace("'", "''").replace('"', '\\"')
    column = name.replace('"', '""')
    return f'CAST({table} ->> \'$."{key}"\' AS {kind}) AS "{column}"'


def refreshed(folder: Path) -> Path:
    """Return the table of runs, made anew if it is missing, broken or not of this journal.

    Raises
    ------
    ScenarioError
        If the folder is no experiment's, or no run of it is finished.
    """
    import duckdb

    read_identity(folder)
    path, journal = folder / RUNS, folder / JOURNAL
    if not journal.exists():
        allowed = "at least one; run the experiment"
        raise ScenarioError(Problem(str(folder), None, None, "runs", "no finished run", allowed))
    if not path.exists() or path.stat().st_mtime_ns != journal.stat().st_mtime_ns:
        return write_table(folder)
    try:
        with scratch() as connection:
            connection.execute(f"SELECT * FROM read_parquet('{_quoted(path)}')").fetchone()
    except duckdb.Error:
        return write_table(folder)
    return path


def read_runs(folder: Path) -> pd.DataFrame:
    """Return the table of runs; `refreshed` says when it is made anew."""
    return _read(refreshed(folder))


def _read(path: Path) -> pd.DataFrame:
    with scratch() as connection:
        return connection.execute(f"SELECT * FROM read_parquet('{_quoted(path)}')").df()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
