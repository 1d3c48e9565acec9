"""A finished run read back from its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pandas as pd

from sim.cascade.tables import LOSS_TABLES, REQUIRED_TABLES
from sim.core.errors import Problem, ScenarioError
from sim.core.parquet import read_parquet

ALLOWED = "the folder of a finished run, which 'liqsim run' names after 'results:'"


class RecordedRun(NamedTuple):
    """What a run folder holds for the cascade.

    Attributes
    ----------
    tables : dict of str to pandas.DataFrame
        Recorded tables by name. Those of losses are there all together or not at all.
    bases : dict of str to str
        Base asset of each market ``venue/symbol``; empty if the manifest does not say.
    missing : tuple of str
        Tables of losses that the folder lacks, because an older version wrote it.
    manifest, summary : dict
        What the manifest and the summary hold; empty where there is no such JSON.
    """

    tables: dict[str, pd.DataFrame]
    bases: dict[str, str]
    missing: tuple[str, ...]
    manifest: dict[str, Any]
    summary: dict[str, Any]


def read_run(run_dir: str | Path) -> RecordedRun:
    """Read the tables of a run folder.

    Parameters
    ----------
    run_dir : str or Path
        Folder that a run was saved to.

    Raises
    ------
    ScenarioError
        If this is no run folder, a table that every version wrote is missing, a table lacks a
        column, or a file cannot be read; with the place.
    """
    folder = Path(run_dir)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        _refuse(folder, found, _run_in(folder.parent, 0) if folder.exists() else None)
    if not (folder / "manifest.json").is_file():
        _refuse(folder, "no manifest.json in it", _run_in(folder, 2) or _run_in(folder.parent, 0))
    manifest = _json(folder / "manifest.json")
    for name in REQUIRED_TABLES:
        if not (folder / f"{name}.parquet").is_file():
            _refuse(folder, f"no {name}.parquet in it")
    missing = tuple(n for n in LOSS_TABLES if not (folder / f"{n}.parquet").is_file())
    wanted = REQUIRED_TABLES if missing else {**REQUIRED_TABLES, **LOSS_TABLES}
    tables = {name: _read(folder / f"{name}.parquet", wanted[name]) for name in wanted}
    summary = _json(folder / "summary.json") if (folder / "summary.json").is_file() else {}
    return RecordedRun(tables, bases_of(manifest), missing, manifest, summary)


def bases_of(manifest: dict[str, Any]) -> dict[str, str]:
    """Return the base asset of each market ``venue/symbol`` that a manifest lists."""
    scenario = manifest.get("scenario")
    markets = scenario.get("markets") if isinstance(scenario, dict) else None
    listed = [entry for entry in markets or () if isinstance(entry, dict)]
    return {
        f"{entry['venue']}/{entry['symbol']}": str(entry["base"])
        for entry in listed
        if {"venue", "symbol", "base"} <= entry.keys()
    }


def _run_in(folder: Path, depth: int) -> str | None:
    """Return the newest folder of a run in a folder, at most so many levels below it."""
    found = [
        file for level in range(depth + 1) for file in folder.glob("*/" * level + "manifest.json")
    ]
    newest = max(found, key=lambda file: (file.stat().st_mtime_ns, file), default=None)
    return None if newest is None else str(newest.parent)


def _json(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        _refuse(file, f"a file that cannot be read as JSON: {error}")
    return document if isinstance(document, dict) else {}


def _read(file: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    import duckdb

    try:
        frame = read_parquet(file)
    except (duckdb.Error, OSError) as error:
        _refuse(file, f"a file that cannot be read as Parquet: {str(error).splitlines()[0]}")
    lacking = [column for column in columns if column not in frame.columns]
    if lacking and len(frame):
        _refuse(file, f"no column {', '.join(lacking)}")
    return frame


def _refuse(place: Path, found: str, hint: str | None = None) -> NoReturn:
    raise ScenarioError(Problem(str(place), None, None, "RUN_DIR", found, ALLOWED, hint))
