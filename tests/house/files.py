"""The repository's files, for tests that read them."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".venv", "venv", "build", "dist", "results", "node_modules", "__pycache__"}


def _listed_by_git() -> list[Path] | None:
    """Files git tracks or would add, or None where this is not a git repository."""
    try:
        done = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return [ROOT / name for name in done.stdout.split("\0") if name]


def _walked() -> list[Path]:
    """Files of an unpacked source archive, without environments, caches and results."""
    return [
        path
        for path in ROOT.rglob("*")
        if not any(
            part in NOT_OURS or part.endswith("_cache")
            for part in path.relative_to(ROOT).parts[:-1]
        )
    ]


@cache
def repository_texts() -> dict[str, str]:
    """Text of each file of the repository by its path from the root."""
    listed = _listed_by_git()
    texts = {}
    for path in _walked() if listed is None else listed:
        if not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            texts[path.relative_to(ROOT).as_posix()] = content.decode("utf-8")
    return texts
