"""Books as Parquet files, as a user would bring them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from sim.core.arrays import FloatArray, IntArray
    from sim.schema import Scenario


def write_book(
    folder: Path,
    scenario: Scenario,
    venue: IntArray,
    balance: FloatArray,
    owner: IntArray,
    market: IntArray,
    quantity: FloatArray,
    entry: FloatArray,
) -> list[dict[str, Any]]:
    """Write a book of cross accounts in USD; return it as the `traders` of a scenario.

    Parameters
    ----------
    folder : Path
    scenario : Scenario
        Gives the names of venues and markets.
    venue : (A,) int64
        Clearer of each account; every account is a trader of its own.
    balance : (A,) float64 [USD]
    owner, market : (P,) int64
    quantity, entry : (P,) float64 [contracts], [quote/base]
    """
    accounts = np.char.mod("a%08d", np.arange(len(venue))).astype(object)
    markets = scenario.markets
    clearer = np.array(list(scenario.venues), dtype=object)[venue]
    tables = {
        "accounts": pd.DataFrame(
            {
                "account_id": accounts,
                "trader_id": np.char.mod("t%08d", np.arange(len(venue))).astype(object),
                "clearer": clearer,
                "margin_mode": np.full(len(venue), "cross", dtype=object),
            }
        ),
        "balances": pd.DataFrame(
            {
                "account_id": accounts,
                "asset": np.full(len(venue), "USD", dtype=object),
                "amount": balance,
            }
        ),
        "positions": pd.DataFrame(
            {
                "account_id": accounts[owner],
                "venue": np.array([m.venue for m in markets], dtype=object)[market],
                "symbol": np.array([m.symbol for m in markets], dtype=object)[market],
                "quantity": quantity,
                "entry_price": entry,
            }
        ),
    }
    with duckdb.connect() as connection:
        for name, frame in tables.items():
            connection.register("frame", frame)
            place = str(folder / f"{name}.parquet").replace("'", "''")
            connection.execute(f"COPY frame TO '{place}' (FORMAT parquet)")
    files = {name: str(folder / f"{name}.parquet") for name in tables}
    return [{"name": "book", "book": files}]
