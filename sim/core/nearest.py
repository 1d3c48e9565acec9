"""The nearest legal name to a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, legal: Iterable[str]) -> str | None:
    """Return the legal name most like `name`, or None if none is near."""
    matches = get_close_matches(name, list(legal), n=1, cutoff=0.6)
    return matches[0] if matches else None
