"""The recorded tables as the cascade reads them: required columns, market names, order."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

LIQUIDATION_CAUSE = "liquidation:"
EXOGENOUS_CAUSE = "exogenous"
MARKET_KIND = "market"
BROKEN_KINDS = ("market", "backstop", "auction")

LIQUIDATION_COLUMNS = (
    "tick", "generation", "kind", "clearer", "venue", "symbol", "account_id", "trader_id",
    "cohort", "quantity", "notional",
)  # fmt: skip
CAUSE_COLUMNS = ("tick", "generation", "venue", "symbol", "cause", "price_move")
PRICE_COLUMNS = ("tick", "venue", "symbol", "last_price")
VENUE_COLUMNS = ("tick", "venue")

BREAK_COLUMNS = (
    "break_id", "tick", "time", "generation", "clearer", "account_id", "trader_id", "cohort",
    "loss",
)  # fmt: skip
LOSS_COLUMNS = (
    "break_id", "tick", "time", "generation", "clearer", "account_id", "trader_id", "cohort",
    "through", "cause", "source", "source_generation", "source_tick", "loss",
)  # fmt: skip

REQUIRED_TABLES = {
    "liquidations": LIQUIDATION_COLUMNS,
    "price_causes": CAUSE_COLUMNS,
    "prices": PRICE_COLUMNS,
    "venues": VENUE_COLUMNS,
}
"""Columns of the tables that every version of a run folder holds."""

LOSS_TABLES = {
    "breaks": (*BREAK_COLUMNS, "first_window", "window"),
    "break_exposures": ("break_id", "through", "value", "exposure"),
    "break_flows": ("break_id", "through", "cause", "loss"),
    "value_moves": (
        "window", "tick", "value", "venue", "symbol", "cause", "generation", "move",
    ),
}  # fmt: skip
"""Columns of the tables that say what each broken account lost to which cause."""

_INTEGERS = frozenset({"tick", "generation", "break_id", "source_generation", "source_tick"})
_NUMBERS = frozenset({"quantity", "notional", "price_move", "last_price", "time", "loss"})


def _empty(columns: Iterable[str]) -> pd.DataFrame:
    """Return a frame without rows whose columns have the recorded types."""
    data = {}
    for column in columns:
        kind = "int64" if column in _INTEGERS else "float64" if column in _NUMBERS else "str"
        data[column] = pd.Series([], dtype=kind)
    return pd.DataFrame(data)


def checked(frame: pd.DataFrame, columns: tuple[str, ...], name: str) -> pd.DataFrame:
    """Return `frame`, or a typed empty frame where it has no rows.

    Raises
    ------
    ValueError
        If a table with rows lacks a column.
    """
    if frame.empty:
        return _empty(columns)
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"table {name!r} lacks the columns {', '.join(missing)}")
    return frame


def with_market(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy with a column `market` that holds ``venue/symbol``."""
    return frame.assign(market=frame["venue"].astype(str) + "/" + frame["symbol"].astype(str))


def in_order(*columns: pd.Series) -> list[str]:
    """Return the distinct names of several columns in order of first appearance."""
    seen: dict[str, None] = {}
    for column in columns:
        seen.update(dict.fromkeys(str(value) for value in column.unique()))
    return list(seen)
