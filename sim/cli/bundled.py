"""Scenario files: the user's own by path, the bundled ones by name."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from sim.core.errors import Problem, ScenarioError

SUFFIXES = (".yaml", ".yml")


def folder() -> Path | None:
    """Return the folder of the bundled scenarios, or None where there is none.

    An installed package carries them as ``sim/_scenarios``; a checkout has ``scenarios/``
    beside the package.
    """
    package = Path(__file__).resolve().parent.parent
    for place in (package / "_scenarios", package.parent / "scenarios"):
        if place.is_dir():
            return place
    return None


def bundled() -> dict[str, Path]:
    """Return the bundled scenario files by name, sorted.

    A scenario is named as its file without the ending; one in a folder of its own has the
    folder before it (``october/replay``).
    """
    root = folder()
    if root is None:
        return {}
    files = (path for path in root.rglob("*") if path.suffix in SUFFIXES and _is_scenario(path))
    named = {path.relative_to(root).with_suffix("").as_posix(): path for path in files}
    return dict(sorted(named.items()))


def find(file: str) -> Path:
    """Return the path of a scenario that is named by path or by bundled name.

    Raises
    ------
    ScenarioError
        If there is no such file, or it is a folder; the problem names the bundled scenarios.
    """
    path = Path(file)
    if path.is_file() or (path.exists() and not path.is_dir()):
        return path
    known = bundled()
    if file in known:
        return known[file]
    raise ScenarioError(_missing(file, path, list(known)))


def _missing(file: str, path: Path, known: list[str]) -> Problem:
    names = ", ".join(known) if known else "none"
    allowed = f"a scenario file, or the name of a bundled scenario ({names})"
    if path.is_dir():
        return Problem(file, None, None, "FILE", "a folder", allowed, _inside(path))
    beside = [str(path.with_name(name)) for name in _names(path.parent)]
    near = difflib.get_close_matches(file, [*known, *beside], n=1, cutoff=0.6)
    stem = difflib.get_close_matches(path.stem, known, n=1, cutoff=0.6)
    hint = next(iter(near or stem), None)
    return Problem(file, None, None, "FILE", "no such file", allowed, hint)


def _names(place: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(place) if name.endswith(SUFFIXES))
    except OSError:
        return []


def _inside(path: Path) -> str | None:
    if (path / "manifest.json").is_file():
        return f"liqsim replay {path}"
    names = _names(path)
    return str(path / names[0]) if names else None


def _is_scenario(path: Path) -> bool:
    """Whether a file of the bundled folder is a scenario and not an experiment or a table."""
    try:
        with path.open(encoding="utf-8") as stream:
            return any(line.startswith("markets:") for line in stream)
    except OSError:
        return False


def find_scenario(name: str) -> Path:
    """Return the bundled scenario that an experiment names, or the name as a path."""
    return bundled().get(name, Path(name))
