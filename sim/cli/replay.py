"""``liqsim replay``: run a manifest again and compare what it writes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from sim.cli.guard import MISMATCH, one_line
from sim.cli.options import Json, Quiet
from sim.core.errors import Problem, ReplayMismatch, ScenarioError

ALLOWED = "the folder of a finished run, as 'liqsim run' wrote it"


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

    outputs = list(read_manifest(run_dir)["outputs"])
    mismatch = _mismatch(run_dir, quiet=quiet)
    differing = list(mismatch.outputs) if mismatch else []
    if as_json:
        message = None if mismatch is None else one_line(str(mismatch))
        document = {"folder": str(run_dir), "ok": mismatch is None, "files": outputs}
        emit_json({**document, "differing": differing, "message": message})
    else:
        rows = [(name, "differs" if name in differing else "same") for name in outputs]
        emit_table(None, ("file", "replay"), rows, left=2)
    if mismatch is not None:
        say(f"replay mismatch: {one_line(str(mismatch))}")
        raise typer.Exit(MISMATCH)


def _mismatch(run_dir: Path, *, quiet: bool) -> ReplayMismatch | None:
    """Repeat a run; return what it says of outputs that differ, or None if all are the same."""
    from sim.cli.progress import ticking
    from sim.engine import replay as replay_run

    try:
        with ticking("replay", f"replaying {run_dir}", quiet=quiet) as progress:
            replay_run(run_dir, progress)
    except ReplayMismatch as error:
        return error
    except ScenarioError as error:
        raise ScenarioError(_placed(problem, run_dir) for problem in error.problems) from None
    return None


def _placed(problem: Problem, run_dir: Path) -> Problem:
    """Return a problem of the manifest's scenario with the manifest as its file."""
    if not problem.file.startswith("<"):
        return problem
    file = str(run_dir / "manifest.json")
    return dataclasses.replace(problem, file=file, path=f"scenario.{problem.path}")


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
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        _refuse(file, None, None, "manifest", f"a file that cannot be read: {error}")
    return _checked(file, manifest)


def _checked(file: Path, manifest: Any) -> dict[str, Any]:
    """Return a manifest that has the keys a replay needs; refuse any other."""
    kinds: dict[str, tuple[type, str]] = {
        "run_id": (str, "text"),
        "code_version": (str, "text"),
        "seed": (int, "a whole number"),
        "scenario": (dict, "a scenario"),
        "source": (dict, "a table of keys"),
        "source.base_dir": (str, "text"),
        "outputs": (dict, "a table of files and digests"),
    }
    if not isinstance(manifest, dict):
        _refuse(file, 1, 1, "manifest", "JSON that is not a table of keys")
    for path, (kind, allowed) in kinds.items():
        value: Any = manifest
        for key in path.split("."):
            value = value.get(key)
        if not isinstance(value, kind):
            found = "nothing" if value is None else json.dumps(value)[:60]
            _refuse(file, None, None, path, found, allowed)
    if manifest["seed"] < 0:
        _refuse(file, None, None, "seed", str(manifest["seed"]), "0 or more")
    if not manifest["outputs"]:
        _refuse(file, None, None, "outputs", "no files", "at least one file and its digest")
    return {**manifest}


def _refuse(
    file: Path, line: int | None, column: int | None, path: str, found: str, allowed: str = ALLOWED
) -> NoReturn:
    raise ScenarioError(Problem(str(file), line, column, path, found, allowed))
