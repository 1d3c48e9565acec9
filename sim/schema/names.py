"""Unknown names and the nearest known one."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

from sim.schema.base import Finding


def nearest(name: object, known: Collection[str]) -> str | None:
    """Return the known name that looks most like `name`, if any does."""
    text = str(name)
    folded = {other.casefold(): other for other in known}
    if text.casefold() in folded:
        return folded[text.casefold()]
    close = difflib.get_close_matches(text, list(known), n=1, cutoff=0.5)
    return close[0] if close else None


def unknown(
    path: tuple[str | int, ...], name: str, known: Collection[str], what: str
) -> Iterator[Finding]:
    """Yield a finding if `name` is not among the `known` names of `what`."""
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        yield Finding(path, f"unknown {what} '{name}'", names, nearest(name, known))
