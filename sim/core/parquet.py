"""Parquet files by DuckDB: the same frame always gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sim.core.database import scratch

if TYPE_CHECKING:
    import pandas as pd

SQL_TYPES = {"int64": "BIGINT", "float64": "DOUBLE", "bool": "BOOLEAN"}
"""SQL type by pandas type; everything else is text."""


def write_parquet(frames: Mapping[Path, pd.DataFrame]) -> None:
    """Write each frame as one Parquet file, rows in order, on one thread."""
    with scratch() as connection:
        for path, frame in frames.items():
            casts = ", ".join(
                f'CAST("{name}" AS {SQL_TYPES.get(str(kind), "VARCHAR")}) AS "{name}"'
                for name, kind in frame.dtypes.items()
            )
            connection.register("frame", frame)
            connection.execute(
                f"COPY (SELECT {casts} FROM frame) TO '{_quoted(path)}' (FORMAT parquet)"
            )
            connection.unregister("frame")


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file written by `write_parquet`."""
    with scratch() as connection:
        return connection.execute(f"SELECT * FROM read_parquet('{_quoted(path)}')").df()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
