"""Books that were read, kept for the runs of an experiment that read the same files."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sim.schema.book_tables import COLUMNS
from sim.schema.scenario import Scenario
from sim.schema.traders import BookSource

MOST_KEPT = 4
"""Books on a shelf; the one that was put there first makes room."""


class Shelf:
    """Books by what their reading depends on: their files and the names that a scenario knows."""

    def __init__(self) -> None:
        self._books: dict[Hashable, object] = {}

    def key(self, source: BookSource, scenario: Scenario) -> Hashable:
        """Return everything that the checked book of a scenario depends on."""
        paths = [scenario.source.base_dir / getattr(source.book, table) for table in COLUMNS]
        files = tuple(_stamp(path) for path in paths)
        markets = tuple((m.venue, m.symbol, m.kind) for m in scenario.markets)
        names = tuple(scenario.venues), tuple(scenario.assets), markets
        return files, source.name, names, tuple(map(tuple, unmargined(scenario)))

    def get(self, key: Hashable) -> object | None:
        """Return the book of a key, or None."""
        return self._books.get(key)

    def put(self, key: Hashable, book: object) -> None:
        """Keep a book, whose arrays must not change any more."""
        while len(self._books) >= MOST_KEPT:
            del self._books[next(iter(self._books))]
        self._books[key] = book

    def clear(self) -> None:
        """Forget all books."""
        self._books.clear()


SHELF: ContextVar[Shelf | None] = ContextVar("shelf", default=None)
"""Where books are kept, if they are."""


@contextmanager
def books_kept(shelf: Shelf) -> Iterator[None]:
    """Keep the books that are read within on a shelf, and take from it what did not change."""
    token = SHELF.set(shelf)
    try:
        yield
    finally:
        SHELF.reset(token)


def unmargined(scenario: Scenario) -> list[list[Any]]:
    """Return clearer and number of every market for which the clearer has no margin rule."""
    return [
        [name, number]
        for name, venue in scenario.venues.items()
        for number, m in enumerate(scenario.markets)
        if venue.margin is not None and not venue.margin.covers(m.base, m.symbol)
    ]


def _stamp(path: Path) -> Hashable:
    """Return what changes when a file does; None for a file that is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return str(path.absolute()), found.st_mtime_ns, found.st_size, found.st_ino
