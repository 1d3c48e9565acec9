"""Which code this is."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def distribution_version() -> str:
    """Return the installed version of the distribution, or ``0+unknown``."""
    try:
        return version("liqsim")
    except PackageNotFoundError:
        return "0+unknown"


@cache
def code_version() -> str:
    """Return the version and the first 12 hex digits of the SHA-256 over the package's files.

    Two installations with the same files have the same code version, with or without git.
    """
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted([*root.rglob("*.py"), *root.rglob("presets/*.yaml")]):
        if "_scenarios" in path.parts:
            continue
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return f"{distribution_version()}+{digest.hexdigest()[:12]}"
