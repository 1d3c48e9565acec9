"""Writing the tables of a book from a few lines of Python."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.schema.book_tables import COLUMNS

Account = tuple[str, str, str, Mapping[str, float], Sequence[tuple[str, float, float]]]
"""Account id, trader id, clearer, balances, positions (market id, quantity, entry price)."""


def write_book(folder: Path, accounts: Sequence[Any], name: str = "book") -> dict[str, str]:
    """Write a book as CSV files and return their names below `folder`.

    An account id that ends in ``!`` is isolated (the sign is not part of the id).
    """
    rows: dict[str, list[tuple[Any, ...]]] = {"accounts": [], "balances": [], "positions": []}
    for key, trader, clearer, balances, positions in accounts:
        mode = "isolated" if key.endswith("!") else "cross"
        account = key.rstrip("!")
        rows["accounts"].append((account, trader, clearer, mode))
        rows["balances"] += [(account, asset, repr(float(x))) for asset, x in balances.items()]
        for market, quantity, entry in positions:
            place, symbol = market.split("/")
            size = repr(float(quantity)), repr(float(entry))
            rows["positions"].append((account, place, symbol, *size))
    for table, content in rows.items():
        with (folder / f"{name}-{table}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS[table], *content])
    return {table: f"{name}-{table}.csv" for table in rows}
