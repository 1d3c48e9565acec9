"""Which rows changed since somebody last asked, at a cost of what changed."""

from __future__ import annotations

import numpy as np

from sim.core.arrays import IntArray

PATIENCE = 1 << 16
"""Entries that may wait before repeated ones are dropped."""


class ChangedRows:
    """Rows that were noted since they were last taken; at the start all rows are.

    Parameters
    ----------
    rows : int
        Number of rows R.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._everything = True
        self._parts: list[IntArray] = []
        self._singles: list[int] = []
        self._waiting = 0
        self._limit = PATIENCE

    def note(self, rows: IntArray) -> None:
        """Note that rows (N,) int64 changed; a row may occur several times."""
        if self._everything:
            return
        self._parts.append(rows.copy())
        self._count(len(rows))

    def note_one(self, row: int) -> None:
        """Note that one row changed."""
        if self._everything:
            return
        self._singles.append(row)
        self._count(1)

    def take(self) -> IntArray:
        """Return the rows (N,) int64 noted since the last call, ascending, each once."""
        if self._everything:
            self._everything = False
            return np.arange(self._rows)
        found = self._compact()
        self._parts, self._waiting, self._limit = [], 0, PATIENCE
        return found

    def _count(self, more: int) -> None:
        self._waiting += more
        if self._waiting > self._limit:
            found = self._compact()
            self._parts, self._waiting = [found], len(found)
            self._limit = max(PATIENCE, 2 * len(found))

    def _compact(self) -> IntArray:
        parts = self._parts
        if self._singles:
            parts = [*parts, np.array(self._singles, dtype=np.int64)]
            self._singles = []
        if not parts:
            return np.empty(0, dtype=np.int64)
        rows = np.concatenate(parts)
        rows.sort()
        fresh = np.ones(len(rows), dtype=bool)
        np.not_equal(rows[1:], rows[:-1], out=fresh[1:])
        return rows[fresh]
