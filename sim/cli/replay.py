"""``liqsim replay``: run a manifest again and compare what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from sim.cli.guard import MISMATCH
from sim.cli.options import Json, Quiet
from sim.core.errors import Problem, ScenarioError


def replay(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="Folder of a run, with its manifest.json.")
    ],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Repeat a finished run and compare every file it writes.

    The run is repeated from RUN_DIR/manifest.json; each file must have the recorded digest.
    """
    from sim.cli.console import emit_json, emit_table, say
    from sim.cli.progress import ticking

    manifest = read_manifest(run_dir)
    from sim.engine import replay as replay_run

    line = f"replaying {run_dir}"
    with ticking("replay", line, quiet=quiet) as progress:
        differing = replay_run(run_dir, progress)
    files = sorted(manifest["outputs"])
    if as_json:
        emit_json({"folder": str(run_dir), "ok": not differing, "differing": differing})
    else:
        rows = [(name, "differs" if name in differing else "same") for name in files]
        emit_table(None, ("file", "replay"), rows, left=2)
    if differing:
        say(f"replay mismatch: {', '.join(differing)}")
        raise typer.Exit(MISMATCH)


def read_manifest(run_dir: Path) -> dict[str, Any]:
    """Return the manifest of a run's folder.

    Raises
    ------
    ScenarioError
        If the folder or its manifest is missing or is not a manifest; with the place.
    """
    file = run_dir / "manifest.json"
    if not run_dir.is_dir():
        found = "a file" if run_dir.exists() else "no such folder"
        _refuse(run_dir, None, None, "RUN_DIR", found)
    if not file.is_file():
        _refuse(file, None, None, "RUN_DIR", "no manifest.json")
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        _refuse(file, error.lineno, error.colno, "manifest", f"text that is not JSON: {error.msg}")
    except (OSError, UnicodeDecodeError) as error:
        _refuse(file, None, None, "manifest", f"a file that cannot be read: {error}")
    if not isinstance(manifest, dict):
        _refuse(file, 1, 1, "manifest", "JSON that is not a table of keys")
    return manifest


def _refuse(file: Path, line: int | None, column: int | None, path: str, found: str) -> NoReturn:
    allowed = "the folder of a finished run, as 'liqsim run' wrote it"
    raise ScenarioError(Problem(str(file), line, column, path, found, allowed))
