"""The table of runs, made of the journal."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sim.core.database import scratch
from sim.core.errors import Problem, RunError, ScenarioError
from sim.experiments.journal import JOURNAL, RUNS, read_identity

if TYPE_CHECKING:
    import pandas as pd

SCRATCH = ".runs-"
"""Beginning of the names of folders in which tables are made."""

ABANDONED = 3600.0
"""Seconds after which nobody is still making a table."""


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
        _clear(folder)
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder) as place:
            made = Path(place) / RUNS
            with duckdb.connect(":memory:", config={"threads": 1}) as connection:
                spill = _quoted(Path(place) / "spill")
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


def _clear(folder: Path) -> None:
    """Remove what programs that were killed left of tables that they had begun."""
    for left in folder.glob(f"{SCRATCH}*"):
        with suppress(OSError):  # another program may be at it
            if time.time() - left.stat().st_mtime > ABANDONED:
                shutil.rmtree(left)


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
    """Return a column of a table of the journal; its key as a JSON pointer, which has no jokers."""
    key = name.replace("~", "~0").replace("/", "~1").replace("'", "''")
    column = name.replace('"', '""')
    return f"CAST({table} ->> '/{key}' AS {kind}) AS \"{column}\""


T = TypeVar("T")


def from_runs(folder: Path, answer: Callable[[str], T]) -> T:
    """Return what is made of the table of runs, which is made anew where it cannot be read.

    Parameters
    ----------
    folder : Path
        Folder of an experiment.
    answer : callable
        Called with what stands after FROM in DuckDB's SQL; called again with a new table if it
        raises an error of DuckDB.

    Raises
    ------
    ScenarioError
        If the folder is no experiment's, or no run of it was ever finished.
    RunError
        If the table has to be written and cannot be.
    """
    import duckdb

    columns = read_identity(folder)["columns"]
    path, journal = folder / RUNS, folder / JOURNAL
    if not journal.exists():
        allowed = "at least one; run the experiment"
        raise ScenarioError(Problem(str(folder), None, None, "runs", "no finished run", allowed))
    source = f"read_parquet('{_quoted(path)}')"
    if path.exists() and path.stat().st_mtime_ns == journal.stat().st_mtime_ns:
        with suppress(duckdb.Error):
            return answer(source)
    if not os.access(folder, os.W_OK):
        return answer(f"({_query(journal, columns)})")
    write_table(folder)
    return answer(source)


def read_runs(folder: Path) -> pd.DataFrame:
    """Return the table of runs; `from_runs` says when it is made anew."""
    with scratch() as connection:
        return from_runs(folder, lambda runs: connection.execute(f"SELECT * FROM {runs}").df())


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
