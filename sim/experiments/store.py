"""The folder of an experiment: what is finished is there, whatever happens to the program.

::

    <out>/<name>/experiment.json   what the experiment is; its folder belongs to no other
    <out>/<name>/journal.jsonl     one line per finished run, appended and flushed to the disk
    <out>/<name>/runs.parquet      the same as a table, made of the journal; written beside, renamed
    <out>/<name>/runs/...          folders of the runs, where they are kept

A line that was cut off by a crash is dropped when the folder is opened again, and its run is done
again. The table can be lost or broken: it is made anew from the journal.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sim.core.errors import Problem, RunError, ScenarioError
from sim.experiments.plan import Plan
from sim.experiments.task import Row
from sim.schema.base import show

if TYPE_CHECKING:
    import pandas as pd

IDENTITY, JOURNAL, RUNS, LOCK = "experiment.json", "journal.jsonl", "runs.parquet", ".lock"
"""Files of the folder."""


class Store:
    """The folder of one experiment, opened for writing.

    Parameters
    ----------
    folder : path
        Made if missing.
    plan : Plan
        The experiment.

    Raises
    ------
    ScenarioError
        If the folder holds another experiment, or something else.
    RunError
        If it cannot be written, or another process writes it.
    """

    def __init__(self, folder: str | Path, plan: Plan) -> None:
        self.folder = Path(folder)
        self.plan = plan
        self.dropped = 0
        """Broken lines of the journal that were found; their runs are done again."""
        self._runs_of_cell = plan.experiment.replications
        self._done = bytearray(plan.runs)
        self._journal: IO[bytes] | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> Store:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock_folder()
            self._claim()
            self._read_journal()
            self._journal = (self.folder / JOURNAL).open("ab")
        except OSError as error:
            self.close()
            raise RunError(f"cannot write to {self.folder}: {error.strerror}") from error
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the journal and let others write the folder."""
        for stream in (self._journal, self._lock):
            if stream is not None:
                stream.close()
        self._journal = self._lock = None

    @property
    def finished(self) -> int:
        """Number of runs that are there."""
        return sum(self._done)

    def has(self, cell: int, replication: int) -> bool:
        """Whether a run is there."""
        return bool(self._done[cell * self._runs_of_cell + replication])

    def add(self, row: Row, values: Mapping[str, Any]) -> None:
        """Write a finished run to the disk.

        Raises
        ------
        RunError
            If the disk is full or cannot be written; what was there before stays.
        """
        assert self._journal is not None
        line = json.dumps(
            {**row, "attempt": 0, "factors": dict(values)}, allow_nan=False, default=str
        )
        start = self._journal.tell()
        try:
            self._journal.write(line.encode() + b"\n")
            self._journal.flush()
            os.fsync(self._journal.fileno())
        except OSError as error:
            _cut(self.folder / JOURNAL, start)
            raise RunError(
                f"cannot write to {self.folder}: {error.strerror}; {self.finished:,} finished runs "
                "are kept, the same command goes on where this one stopped"
            ) from error
        self._done[row["cell"] * self._runs_of_cell + row["replication"]] = 1

    def _lock_folder(self) -> None:
        self._lock = (self.folder / LOCK).open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{self.folder} is being written by another process") from None

    def _claim(self) -> None:
        """Make the folder this experiment's, or refuse one that is another's."""
        path = self.folder / IDENTITY
        wanted = self.plan.identity()
        if not path.exists():
            others = sorted(p.name for p in self.folder.iterdir() if p.name != LOCK)
            if others:
                found = f"a folder with other files in it ({', '.join(others[:3])})"
                raise ScenarioError(
                    Problem(str(self.folder), None, None, "folder", found, "an empty or new folder")
                )
            _write_beside(path, json.dumps(wanted, indent=2, default=str) + "\n")
            return
        differing = _differences(
            read_identity(self.folder), json.loads(json.dumps(wanted, default=str))
        )
        if differing:
            found = f"the results of another experiment (other {', '.join(differing)})"
            allowed = "the same experiment, or another --out or name"
            raise ScenarioError(Problem(str(path), None, None, "folder", found, allowed))

    def _read_journal(self) -> None:
        path = self.folder / JOURNAL
        if not path.exists():
            return
        end = 0
        with path.open("rb") as stream:
            for line in stream:
                if not line.endswith(b"\n"):
                    self.dropped += 1
                    break
                end += len(line)
                row = _parsed(line)
                if row is None:
                    self.dropped += 1
                elif row["replication"] < self._runs_of_cell and row["cell"] < len(self.plan.cells):
                    self._done[row["cell"] * self._runs_of_cell + row["replication"]] = 1
        if end < path.stat().st_size:
            _cut(path, end)

    def write_table(self) -> Path:
        """Write the table of runs from the journal and return its path."""
        return write_table(self.folder)


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, default=str)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return a line of the journal, or None if it is no whole run."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(row, dict) and {"cell", "replication", "status", "metrics"} <= row.keys()
    return row if whole else None


def _cut(path: Path, length: int) -> None:
    """Shorten a file to what was whole."""
    with path.open("rb+") as stream:
        stream.truncate(length)


def rows_of(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a journal in the order in which they were finished."""
    path = folder / JOURNAL
    if not path.exists():
        return
    with path.open("rb") as stream:
        for line in stream:
            row = _parsed(line)
            if row is not None:
                yield row


def read_identity(folder: Path) -> dict[str, Any]:
    """Return what experiment a folder belongs to.

    Raises
    ------
    ScenarioError
        If it is no folder of an experiment.
    """
    path = folder / IDENTITY
    allowed = "the folder of an experiment, as 'liqsim sweep' wrote it"
    if not folder.is_dir():
        raise ScenarioError(Problem(str(folder), None, None, "folder", "no such folder", allowed))
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        found = f"a folder without {IDENTITY}"
        raise ScenarioError(Problem(str(folder), None, None, "folder", found, allowed)) from None
    except (OSError, ValueError):
        found = "a file that cannot be read"
        raise ScenarioError(Problem(str(path), None, None, "file", found, allowed)) from None
    if not isinstance(found, dict) or "experiment" not in found:
        raise ScenarioError(Problem(str(path), None, None, "file", show(found), allowed))
    return found


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return the keys in which two identities differ, those of the experiment by name."""
    ours, theirs = wanted["experiment"], found.get("experiment", {})
    keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    rest = [key for key in ("seed", "code_version") if found.get(key) != wanted[key]]
    if not keys and found.get("cells") != wanted["cells"]:
        keys.append("cells")
    return [*keys, *(key.replace("_", " ") for key in rest)]


def write_table(folder: Path) -> Path:
    """Write ``runs.parquet`` from the journal, sorted by cell and replication.

    The work is DuckDB's, which goes to the disk where memory ends; the last attempt of a run
    counts.
    """
    import duckdb

    columns = read_identity(folder)["columns"]
    target = folder / RUNS
    scratch = Path(tempfile.mkdtemp(prefix=".runs-", dir=folder))
    try:
        made = scratch / RUNS
        with duckdb.connect(":memory:", config={"threads": 1}) as connection:
            connection.execute(f"SET temp_directory = '{_quoted(scratch / 'spill')}'")
            connection.execute(
                f"COPY ({_query(folder / JOURNAL, columns)}) TO '{_quoted(made)}' (FORMAT parquet)"
            )
        made.replace(target)
    except (OSError, duckdb.Error) as error:
        raise RunError(
            f"cannot write {target}: {' '.join(str(error).split())}; the journal beside it is "
            "whole, the same command makes the table again"
        ) from error
    finally:
        import shutil

        shutil.rmtree(scratch, ignore_errors=True)
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
    """Return the table of runs, made anew if it is missing, broken or behind the journal.

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
    if not path.exists() or path.stat().st_mtime_ns < journal.stat().st_mtime_ns:
        return write_table(folder)
    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute(f"SELECT * FROM read_parquet('{_quoted(path)}')").fetchone()
    except duckdb.Error:
        return write_table(folder)
    return path


def read_runs(folder: Path) -> pd.DataFrame:
    """Return the table of runs; `refreshed` says when it is made anew."""
    return _read(refreshed(folder))


def _read(path: Path) -> pd.DataFrame:
    import duckdb

    with duckdb.connect(":memory:") as connection:
        return connection.execute(f"SELECT * FROM read_parquet('{_quoted(path)}')").df()


def _write_beside(path: Path, text: str) -> None:
    scratch = path.with_name(f".{path.name}.part")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
