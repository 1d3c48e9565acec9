"""Connections to DuckDB that are cheap: all of a process share one empty database."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

_lock = threading.Lock()
_shared: dict[int, Any] = {}


@contextmanager
def scratch() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection that works on one thread, for temporary tables and views only.

    To make a database takes a thousand times as long as to ask it for a connection. What is
    temporary belongs to its connection and is gone with it.
    """
    import duckdb

    with _lock:
        connection = _database().cursor()
    try:
        with connection:
            yield connection
    except (duckdb.FatalException, duckdb.InternalException):
        _shared.pop(os.getpid(), None)  # it answers nobody any more; the next makes another
        raise


def _database() -> Any:
    """Return the database of this process; one that was copied by a fork is not used."""
    import duckdb

    process = os.getpid()
    if process not in _shared:
        made = duckdb.connect(":memory:", config={"threads": 1})
        known = "SELECT count(*) FROM duckdb_settings() WHERE name = 'enable_external_file_cache'"
        if made.execute(known).fetchone() != (0,):
            made.execute("SET enable_external_file_cache = false")  # files change between two reads
        _shared[process] = made
    return _shared[process]
