"""A finished run read back from its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pandas as pd

from sim.cascade.tables import OPTIONAL_TABLES, REQUIRED_TABLES
from sim.core.errors import Problem, ScenarioError
from sim.core.parquet import read_parquet

ALLOWED = "the folder of a finished run, as 'liqsim run' wrote it"


class RecordedRun(NamedTuple):
    """What a run folder holds for the cascade.

    Attributes
    ----------
    tables : dict of str to pandas.DataFrame
        Recorded tables by name; one that the folder lacks is not among them.
    bases : dict of str to str
        Base asset of each market ``venue/symbol``; empty if the manifest does not say.
    missing : tuple of str
        Optional tables that the folder lacks, because an older version wrote it or because
        the scenario switched them off.
    """

    tables: dict[str, pd.DataFrame]
    bases: dict[str, str]
    missing: tuple[str, ...]


def read_run(run_dir: str | Path) -> RecordedRun:
    """Read the tables of a run folder.

    Parameters
    ----------
    run_dir : str or Path
        Folder that a run was saved to.

    Raises
    ------
    ScenarioError
        If this is no run folder, a table that every version wrote is missing, or a file cannot
        be read; with the place.
    """
    folder = Path(run_dir)
    if not folder.is_dir():
        _refuse(folder, "a file" if folder.exists() else "no such folder")
    if not (folder / "manifest.json").is_file():
        _refuse(folder, "no manifest.json in it")
    tables = {}
    for name in (*REQUIRED_TABLES, *OPTIONAL_TABLES):
        file = folder / f"{name}.parquet"
        if file.is_file():
            tables[name] = _read(file)
        elif name in REQUIRED_TABLES:
            _refuse(folder, f"no {file.name} in it")
    missing = tuple(name for name in OPTIONAL_TABLES if name not in tables)
    return RecordedRun(tables, _bases(folder / "manifest.json"), missing)


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


def _bases(file: Path) -> dict[str, str]:
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        _refuse(file, f"a file that cannot be read as JSON: {error}")
    return bases_of(manifest) if isinstance(manifest, dict) else {}


def _read(file: Path) -> pd.DataFrame:
    import duckdb

    try:
        return read_parquet(file)
    except (duckdb.Error, OSError) as error:
        _refuse(file, f"a file that cannot be read as Parquet: {str(error).splitlines()[0]}")


def _refuse(place: Path, found: str) -> NoReturn:
    raise ScenarioError(Problem(str(place), None, None, "RUN_DIR", found, ALLOWED))
