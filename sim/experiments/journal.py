"""The journal of an experiment: its rows as they were finished, and whose they are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sim.core.errors import Problem, ScenarioError
from sim.schema.base import show

IDENTITY, JOURNAL, RUNS, LOCK = "experiment.json", "journal.jsonl", "runs.parquet", ".lock"
"""Files of the folder."""


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return a line of the journal, or None if it is no whole run."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
    except ValueError:
        return None
    if not isinstance(row, dict):
        return None
    counted = all(type(row.get(key)) is int and row[key] >= 0 for key in ("cell", "replication"))
    tables = all(isinstance(row.get(key), dict) for key in ("metrics", "factors"))
    return row if counted and tables and isinstance(row.get("status"), str) else None


def without_broken_lines(path: Path) -> None:
    """Take the broken lines out of a journal."""
    with path.open("rb") as stream:
        write_beside(path, (line for line in stream if parsed(line) is not None))


def beside(path: Path) -> Path:
    """Return where a file is written before it takes its place."""
    return path.with_name(f".{path.name}.part")


def write_beside(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file beside its place, wait for the disk, then put it there."""
    with beside(path).open("wb") as stream:
        stream.writelines(pieces)
        stream.flush()
        os.fsync(stream.fileno())
    beside(path).replace(path)


def cut(path: Path, length: int) -> None:
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
            row = parsed(line)
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
        found = "a file" if folder.exists() else "no such folder"
        hint = next((str(near) for near in _near(folder) if (near / IDENTITY).is_file()), None)
        problem = Problem(str(folder), None, None, "folder", found, allowed, hint)
        raise ScenarioError(problem)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        found = f"a folder without {IDENTITY}"
        hint = next((str(inner.parent) for inner in sorted(folder.glob(f"*/{IDENTITY}"))), None)
        problem = Problem(str(folder), None, None, "folder", found, allowed, hint)
        raise ScenarioError(problem) from None
    except (OSError, ValueError):
        found = "a file that cannot be read"
        raise ScenarioError(Problem(str(path), None, None, "file", found, allowed)) from None
    if not isinstance(found, dict) or not _says_whose(found):
        raise ScenarioError(Problem(str(path), None, None, "file", show(found), allowed))
    return found


def _says_whose(found: dict[str, Any]) -> bool:
    columns = found.get("columns")
    return (
        isinstance(found.get("experiment"), dict)
        and isinstance(columns, dict)
        and all(isinstance(columns.get(key), dict) for key in ("factors", "metrics"))
    )


def _near(folder: Path) -> Iterator[Path]:
    """Yield folders that may be meant by what is no folder: a bare name, a file of the store."""
    yield folder.parent
    yield Path("results") / folder
