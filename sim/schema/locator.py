"""Places of keys and values in a file, counted from 1."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

KeyPath = tuple[str | int | float, ...]
"""Path of a value: keys of mappings and indices of lists."""


OVERRIDES = "--set"
"""File named in problems of values set from outside the file."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key and its value stand; for an item of a list both are the item's place."""

    line: int
    column: int
    value_line: int
    value_column: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where a scenario came from.

    Parameters
    ----------
    file : str
        File as the user named it.
    base_dir : Path
        Folder that paths in the scenario are relative to.
    places : dict
        Place of each key path, its parts as text.
    overridden : frozenset
        Key paths set with ``--set``.
    """

    file: str
    base_dir: Path
    places: dict[tuple[str, ...], Place] = field(default_factory=dict, repr=False)
    overridden: frozenset[KeyPath] = frozenset()

    def place(self, path: KeyPath, *, of_key: bool = False) -> tuple[int | None, int | None]:
        """Return line and column of the value (or key) at `path`, or of its nearest parent."""
        names = tuple(map(str, path))
        for length in range(len(names), -1, -1):
            place = self.places.get(names[:length])
            if place is not None:
                if of_key or length < len(path):
                    return place.line, place.column
                return place.value_line, place.value_column
        return None, None

    def file_of(self, path: KeyPath) -> str:
        """Return the file that a path was written in; ``--set`` for an overridden one."""
        names = tuple(map(str, path))
        if any(names[: len(prefix)] == tuple(map(str, prefix)) for prefix in self.overridden):
            return OVERRIDES
        return self.file
