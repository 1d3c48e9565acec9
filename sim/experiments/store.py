"""The folder of an experiment: what is finished is there, whatever happens to the program.

::

    <out>/<name>/experiment.json   what the experiment is; its folder belongs to no other
    <out>/<name>/journal.jsonl     one line per finished run, written as it ends
    <out>/<name>/runs.parquet      the same as a table, made of the journal; written beside, renamed
    <out>/<name>/runs/...          folders of the runs, where they are kept

A broken line, such as one cut off by a crash, is dropped when the folder is opened again, and its
run is done again. The table can be lost or broken: it is made anew from the journal. Killing the
program loses no line; a power cut may lose those of the last half second.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import IO, Any

from sim.core.errors import Problem, RunError, ScenarioError
from sim.experiments.journal import (
    IDENTITY,
    JOURNAL,
    LOCK,
    beside,
    cut,
    parsed,
    read_identity,
    without_broken_lines,
    write_beside,
)
from sim.experiments.locking import lock
from sim.experiments.plan import Plan
from sim.experiments.table import write_table
from sim.experiments.task import Row

SYNC_SECONDS = 0.5
"""Least time between two waits for the disk; a power cut can cost the runs of that time."""


class Store:
    """The folder of one experiment, opened for writing.

    Parameters
    ----------
    folder : path
        Made if missing.
    plan : Plan
        The experiment.
    retry_failed : bool
        Whether runs that failed count as missing.

    Raises
    ------
    ScenarioError
        If the folder holds another experiment, or something else.
    RunError
        If it cannot be written, or another process writes it.
    """

    def __init__(self, folder: str | Path, plan: Plan, *, retry_failed: bool = False) -> None:
        self.folder = Path(folder)
        self.plan = plan
        self._retry_failed = retry_failed
        self._attempts: dict[int, int] = {}
        self.dropped = 0
        """Broken lines of the journal that were found; their runs are done again."""
        self._runs_of_cell = plan.experiment.replications
        self._done = bytearray(plan.runs)
        self._journal: FileIO | None = None
        self._length = 0
        self._synced = 0.0
        self._lock: IO[str] | None = None

    def __enter__(self) -> Store:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock_folder()
            self._claim()
            self._read_journal()
            self._journal = (self.folder / JOURNAL).open("ab", buffering=0)
            self._length = self._journal.seek(0, os.SEEK_END)
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
        if self._journal is not None:
            with suppress(OSError):  # what a full disk did not take was said when it was written
                os.fsync(self._journal.fileno())
            self._journal.close()
        if self._lock is not None:
            self._lock.close()
        self._journal = self._lock = None

    @property
    def finished(self) -> int:
        """Number of runs that are there."""
        return sum(self._done)

    def has(self, cell: int, replication: int) -> bool:
        """Whether a run is there."""
        return bool(self._done[self._place(cell, replication)])

    def _place(self, cell: int, replication: int) -> int:
        return cell * self._runs_of_cell + replication

    def add(self, row: Row, values: Mapping[str, Any]) -> None:
        """Write a finished run to the disk.

        Raises
        ------
        RunError
            If the disk is full or cannot be written; what was there before stays.
        """
        assert self._journal is not None
        place = self._place(row["cell"], row["replication"])
        said = {**row, "attempt": self._attempts.get(place, 0), "factors": dict(values)}
        line = json.dumps(said, allow_nan=False, default=str)
        try:
            self._append(line.encode() + b"\n")
        except OSError as error:
            with suppress(OSError):  # else the next program drops the line
                cut(self.folder / JOURNAL, self._length)
            raise RunError(
                f"cannot write to {self.folder}: {error.strerror}; {self.finished:,} finished runs "
                "are kept, the same command goes on where this one stopped"
            ) from error
        self._done[place] = 1

    def _append(self, data: bytes) -> None:
        """Write a line at once; to the disk itself at most every `SYNC_SECONDS`."""
        assert self._journal is not None
        left = memoryview(data)
        while left:
            left = left[self._journal.write(left) :]
        now = time.monotonic()
        if now - self._synced >= SYNC_SECONDS:
            os.fsync(self._journal.fileno())
            self._synced = now
        self._length += len(data)

    def _lock_folder(self) -> None:
        self._lock = (self.folder / LOCK).open("a")
        if not lock(self._lock):
            raise RunError(f"{self.folder} is being written by another process")

    def _claim(self) -> None:
        """Make the folder this experiment's, or refuse one that is another's."""
        path = self.folder / IDENTITY
        wanted = self.plan.identity()
        if not path.exists():
            ours = (LOCK, beside(path).name)  # the latter of a program that was killed right here
            others = sorted(p.name for p in self.folder.iterdir() if p.name not in ours)
            if others:
                found = f"a folder with other files in it ({', '.join(others[:3])})"
                raise ScenarioError(
                    Problem(str(self.folder), None, None, "folder", found, "an empty or new folder")
                )
            write_beside(path, [json.dumps(wanted, indent=2, default=str).encode() + b"\n"])
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
        with path.open("rb") as stream:
            for line in stream:
                row = parsed(line)
                if row is None:
                    self.dropped += 1
                elif row["replication"] < self._runs_of_cell and row["cell"] < len(self.plan.cells):
                    self._note(row)
        if self.dropped:
            without_broken_lines(path)

    def _note(self, row: Row) -> None:
        """Take over a run of the journal: it is there, or failed and is to be tried again."""
        place = self._place(row["cell"], row["replication"])
        again = self._retry_failed and row["status"] != "ok"
        self._done[place] = not again
        if again:
            self._attempts[place] = 1 + int(row.get("attempt", 0))

    def write_table(self) -> Path:
        """Write the table of runs from the journal and return its path."""
        return write_table(self.folder)


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return the keys in which two identities differ, those of the experiment by name."""
    ours, theirs = wanted["experiment"], found.get("experiment", {})
    keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    rest = [key for key in ("seed", "code_version") if found.get(key) != wanted[key]]
    if not keys and found.get("cells") != wanted["cells"]:
        keys.append("cells")
    return [*keys, *(key.replace("_", " ") for key in rest)]
