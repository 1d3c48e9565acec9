"""Scenario and experiment files: the user's own by path, the bundled ones by name."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from sim.core.errors import Problem, ScenarioError

SUFFIXES = (".yaml", ".yml")
EXPERIMENTS = "experiments"
"""Folder of the bundled experiments within that of the scenarios."""


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
    paths = (path for path in root.rglob("*") if path.suffix in SUFFIXES)
    files = (path for path in paths if _has_key(path, "markets"))
    named = {path.relative_to(root).with_suffix("").as_posix(): path for path in files}
    return dict(sorted(named.items()))


def bundled_experiments() -> dict[str, Path]:
    """Return the bundled experiment files by name, sorted."""
    root = folder()
    if root is None:
        return {}
    files = sorted((root / EXPERIMENTS).glob("*"))
    return {path.stem: path for path in files if path.suffix in SUFFIXES}


def find(file: str) -> Path:
    """Return the path of a scenario that is named by path or by bundled name.

    Raises
    ------
    ScenarioError
        If there is no such file, or it is a folder; the problem names the bundled scenarios.
    """
    return _found(file, bundled(), "scenario")


def find_experiment(file: str) -> Path:
    """Return the path of an experiment that is named by path or by bundled name.

    Raises
    ------
    ScenarioError
        As :func:`find`.
    """
    return _found(file, bundled_experiments(), "experiment")


def is_experiment(file: str) -> bool:
    """Whether a name or path is an experiment's and not a scenario's.

    A file that cannot be read is called a scenario.
    """
    path = Path(file)
    if path.exists():
        return not path.is_dir() and any(_has_key(path, key) for key in ("scenario", "metrics"))
    return file not in bundled() and file in bundled_experiments()


def _found(file: str, known: dict[str, Path], kind: str) -> Path:
    path = Path(file)
    if path.is_file() or (path.exists() and not path.is_dir()):
        return path
    if file in known:
        return known[file]
    raise ScenarioError(_missing(file, path, list(known), kind))


def _missing(file: str, path: Path, known: list[str], kind: str) -> Problem:
    names = ", ".join(known) if known else "none"
    article = "an" if kind[0] in "aeiou" else "a"
    allowed = f"{article} {kind} file, or the name of a bundled {kind} ({names})"
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


def _has_key(path: Path, key: str) -> bool:
    """Whether a line of a file begins with a key: what kind of file it is, without reading it."""
    try:
        with path.open(encoding="utf-8") as stream:
            return any(line.startswith(f"{key}:") for line in stream)
    except (OSError, ValueError):
        return False


def find_scenario(name: str) -> Path:
    """Return the bundled scenario that an experiment names, or the name as a path."""
    return bundled().get(name, Path(name))
