"""The tables of a state: their columns, and how they are read from a run folder.

All amounts of money are in the numeraire unless said otherwise, and every table has the `tick` of
its state, so that several states may stand below each other.

accounts
    `account_id, trader_id, cohort, clearer`, `equity, maintenance_margin`,
    `required_ratio` [1], ``excess = equity - required_ratio * maintenance_margin``, `notional`
    (gross, at the marks).
positions
    `account_id, market` (``venue/symbol``), `quantity` [contracts, signed], `entry_price`
    [quote/base], `notional` (signed, at the mark).
balances
    `account_id, asset, amount` [asset units, negative where owed].
markets
    `time` [s]; `market, venue, symbol, base, quote, kind`; `last, anchor, mark, index`
    [quote/base];
    `quote_value` [numeraire/quote], `multiplier` [base/contract], `liquidity` [1],
    `tradable, live, valuing` (takes orders; follows exogenous returns; counts in the value of its
    base), `opening_value`, `depth` [quote, of a sell that moves an undisplaced book by 1 %],
    `impact_slope` [1/quote, fall of the log price per notional sold by an infinitesimal order,
    infinite for a concave law at rest], `permanent_share` [1], `half_life` [s].
assets
    In the order in which they are valued: `asset, value, opening_price, free_value` (what it
    would be worth without markets).
margin
    A row per clearer, market and tier: `floor` [quote], `rate` [1], `deduction` [quote],
    `size_rate` [1/base], `size_root` [1/sqrt(base)].
collateral
    A row per clearer and asset: `kept` [1] after the haircut; `own_market` that prices it ("" for
    its value over all venues) and `own_scale` [1], what a unit counts at over the value of that
    price; `par_value` (NaN where it is not held at par).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sim.core.database import scratch

TABLES: dict[str, tuple[str, ...]] = {
    "accounts": (
        "tick", "account_id", "trader_id", "cohort", "clearer", "equity",
        "maintenance_margin", "required_ratio", "excess", "notional",
    ),
    "positions": ("tick", "account_id", "market", "quantity", "entry_price", "notional"),
    "balances": ("tick", "account_id", "asset", "amount"),
    "markets": (
        "tick", "time", "market", "venue", "symbol", "base", "quote", "kind", "last", "anchor",
        "mark", "index", "quote_value", "multiplier", "liquidity", "tradable", "live", "valuing",
        "opening_value", "depth", "impact_slope", "permanent_share", "half_life",
    ),
    "assets": ("tick", "asset", "value", "opening_price", "free_value"),
    "margin": (
        "tick", "clearer", "market", "tier", "floor", "rate", "deduction", "size_rate", "size_root",
    ),
    "collateral": ("tick", "clearer", "asset", "kept", "own_market", "own_scale", "par_value"),
}  # fmt: skip
"""Columns of each table, in order."""

SORTED_BY = {
    "accounts": ["account_id"],
    "positions": ["account_id", "market"],
    "balances": ["account_id", "asset"],
}
"""What rows are put in order by, so that the order in which accounts were written is nothing."""

_FINITE = {
    "accounts": ("equity", "maintenance_margin", "required_ratio"),
    "positions": ("quantity", "entry_price"),
    "balances": ("amount",),
    "markets": ("last", "anchor", "mark", "quote_value", "multiplier", "liquidity"),
    "assets": ("value", "opening_price", "free_value"),
    "margin": ("floor", "rate", "deduction", "size_rate", "size_root"),
    "collateral": ("kept", "own_scale"),
}


def file_name(table: str) -> str:
    """Return the name of the file of a run folder that holds a table of its checkpoints."""
    return f"state_{table}.parquet"


def checked_tables(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return copies of the tables of one state in canonical order.

    Raises
    ------
    ValueError
        A table or column is missing, a number is not finite, an account is there twice or
        unknown, or the tables hold several ticks.
    """
    missing = [name for name in TABLES if name not in tables]
    if missing:
        raise ValueError(f"a state lacks the tables {', '.join(missing)}")
    found = {name: _checked(tables[name], name) for name in TABLES}
    ticks = np.unique(np.concatenate([frame["tick"].to_numpy() for frame in found.values()]))
    if len(ticks) > 1:
        raise ValueError(f"the tables hold {len(ticks)} ticks; a state is of one")
    accounts = pd.Index(found["accounts"]["account_id"])
    if not accounts.is_unique:
        raise ValueError(f"account {accounts[accounts.duplicated()][0]!r} is there twice")
    for name in ("positions", "balances"):
        strange = ~found[name]["account_id"].isin(accounts)
        if strange.any():
            first = found[name].loc[strange, "account_id"].iloc[0]
            raise ValueError(f"table {name!r} names account {first!r}, which is no account")
    return found


def _checked(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    missing = [column for column in TABLES[name] if column not in frame.columns]
    if missing:
        raise ValueError(f"table {name!r} lacks the columns {', '.join(missing)}")
    for column in _FINITE[name]:
        values = frame[column].to_numpy(dtype=np.float64)
        if not np.isfinite(values).all():
            bad = values[~np.isfinite(values)][0]
            raise ValueError(f"table {name!r} has {column} {bad}; it must be a finite number")
    chosen = frame[list(TABLES[name])]
    if name in SORTED_BY:
        return chosen.sort_values(SORTED_BY[name], kind="stable", ignore_index=True)
    return chosen.reset_index(drop=True)


def read_state(folder: Path, at: float | None) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the tables of a checkpoint of a run folder, and the scenario of the run.

    Parameters
    ----------
    folder : Path
    at : float or None
        Time of the checkpoint [s]; None takes the only one.

    Raises
    ------
    ValueError
        The folder has no checkpoint, none at that time, or several and no time is given; or a file
        in it cannot be read.
    """
    import duckdb

    paths = {name: folder / file_name(name) for name in TABLES}
    manifest = folder / "manifest.json"
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; allowed: the folder of a finished run")
    lacking = [path.name for path in (*paths.values(), manifest) if not path.is_file()]
    if lacking:
        raise ValueError(
            f"{folder} has no {lacking[0]}; a run writes it where record.checkpoints is given"
        )
    try:
        with scratch() as connection:
            frames = {
                name: connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).df()
                for name, path in paths.items()
            }
        scenario = json.loads(manifest.read_text(encoding="utf-8"))["scenario"]
    except (duckdb.Error, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} is no run folder that can be read: {error}") from error
    return state_at(frames, at), scenario


def state_at(tables: Mapping[str, pd.DataFrame], at: float | None) -> dict[str, pd.DataFrame]:
    """Return the part of the tables of several checkpoints that is of one.

    Parameters
    ----------
    tables : mapping of pandas.DataFrame
    at : float or None
        Time of the checkpoint [s]; None takes the only one.

    Raises
    ------
    ValueError
        There is no such checkpoint, or several and no time is given.
    """
    if not tables:
        raise ValueError("the run has no checkpoints; give times in record.checkpoints")
    known = tables["markets"].drop_duplicates("tick").set_index("tick")["time"]
    listed = ", ".join(f"{time:g} s" for time in known)
    if at is None and len(known) != 1:
        raise ValueError(f"there are checkpoints at {listed}; say which with `at`")
    near = known if at is None else known[(known - at).abs() <= 1e-9 * max(1.0, abs(at))]
    if not len(near):
        raise ValueError(f"there is no checkpoint at {at} s; there are some at {listed}")
    return {name: frame[frame["tick"] == near.index[0]] for name, frame in tables.items()}
