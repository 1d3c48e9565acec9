"""What every broken account lost to which cause, from the recorded tables.

Equity is linear in values v: of a market (its mark times the value of its quote asset), of an
asset, and of collateral at a clearer's own book. A break lists the exposures h of its account,
its **window** and the first window of its loss; ``value_moves`` says what moved each value in each
window. The loss of break b through a holding to a cause k is

    loss = - sum_j h_bj sum_w m_jwk,        first_window(b) <= w <= window(b)

plus what flowed out of the account by that cause (``break_flows``). All in the numeraire.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.cascade.sellers import forced_flow
from sim.cascade.tables import LIQUIDATION_CAUSE
from sim.core.arrays import IntArray

ABOUT = ["break_id", "tick", "time", "generation", "clearer", "account_id", "trader_id", "cohort"]
"""Columns that every row of a loss takes over from its break."""

_WHY = ["through", "cause", "source", "source_generation", "source_tick"]
_TEXTS = frozenset({"clearer", "account_id", "trader_id", "cohort", "through", "cause", "source",
                    "seller_account", "seller_cohort", "seller_clearer"})  # fmt: skip
_REALS = frozenset({"time", "loss"})

LOSS_COLUMNS = (*ABOUT, *_WHY, "loss")
SELLER_COLUMNS = (*LOSS_COLUMNS, "seller_account", "seller_cohort", "seller_generation",
                  "seller_clearer")  # fmt: skip


def losses(
    breaks: pd.DataFrame,
    exposures: pd.DataFrame,
    flows: pd.DataFrame,
    value_moves: pd.DataFrame,
) -> pd.DataFrame:
    """Return the loss of each break by what it was held through and by what caused it.

    Parameters
    ----------
    breaks, exposures, flows, value_moves : pandas.DataFrame
        Recorded tables `breaks`, `break_exposures`, `break_flows` and `value_moves`.

    Returns
    -------
    pandas.DataFrame
        Columns `LOSS_COLUMNS`, sorted by break, `through`, `cause`, `source`, generation and tick;
        `loss` [numeraire], positive where it hurt. The rows of a break sum to its loss.
    """
    return decoded(coded_losses(breaks, exposures, flows, value_moves))


def coded_losses(
    breaks: pd.DataFrame,
    exposures: pd.DataFrame,
    flows: pd.DataFrame,
    value_moves: pd.DataFrame,
) -> pd.DataFrame:
    """Return what `losses` does, with columns of text as categories in sorted order.

    There may be a hundred rows for each break: ten million in a large run.
    """
    if breaks.empty:
        return coded(_without_rows(LOSS_COLUMNS))
    throughs = _names(exposures, flows, "through")
    causes = _names(value_moves, flows, "cause")
    parts = []
    if len(exposures) and len(value_moves):
        parts.append(_moved(breaks, exposures, value_moves, throughs, causes))
    if len(flows):
        parts.append(pd.DataFrame({
            "break_id": _whole(flows["break_id"]),
            "through": _codes(throughs, flows["through"]), "cause": _codes(causes, flows["cause"]),
            "source": 0, "source_generation": -1, "source_tick": -1,
            "loss": flows["loss"].to_numpy(dtype=np.float64),
        }))  # fmt: skip
    if not parts:
        return coded(_without_rows(LOSS_COLUMNS))
    rows = _summed(pd.concat(parts, ignore_index=True))
    names = {"through": throughs, "cause": causes, "source": _sources(value_moves)[0]}
    for column, known in names.items():
        rows[column] = pd.Categorical.from_codes(_whole(rows[column]), categories=known)
    place = pd.Index(breaks["break_id"]).get_indexer(pd.Index(rows["break_id"]))
    about = coded(breaks[ABOUT[1:]]).iloc[place].reset_index(drop=True)
    found: pd.DataFrame = pd.concat([rows[["break_id"]], about, rows[[*_WHY, "loss"]]], axis=1)
    return found


def _names(one: pd.DataFrame, other: pd.DataFrame, column: str) -> pd.Index:
    """Return the distinct texts of a column in two tables, sorted."""
    found = {str(name) for frame in (one, other) if len(frame) for name in frame[column].unique()}
    return pd.Index(sorted(found), dtype="str")


def _sources(value_moves: pd.DataFrame) -> tuple[pd.Index, IntArray]:
    """Return the distinct sources, sorted from ``""`` on, and the number of each move's source."""
    if not len(value_moves):
        return pd.Index([""], dtype="str"), np.zeros(0, dtype=np.int64)
    venue = value_moves["venue"].astype("str")
    market = (venue + "/" + value_moves["symbol"].astype("str")).where(venue != "", "")
    names = pd.Index(sorted({"", *market.unique()}), dtype="str")
    return names, _codes(names, market)


def _summed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows sorted by all columns but the loss, those alike summed, without zeros."""
    keys = ["break_id", *_WHY]
    columns = [_whole(rows[name]) for name in keys]
    order = _sorted(columns)
    columns = [column[order] for column in columns]
    fresh = np.ones(len(rows), dtype=np.bool_)
    if len(rows):
        fresh[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    first = np.flatnonzero(fresh)
    loss = rows["loss"].to_numpy(dtype=np.float64)[order]
    total = np.add.reduceat(loss, first) if len(first) else loss
    kept = total != 0.0
    data = {name: column[first][kept] for name, column in zip(keys, columns, strict=True)}
    return pd.DataFrame({**data, "loss": total[kept]})


def _sorted(columns: list[IntArray]) -> IntArray:
    """Return the order of rows by columns of whole numbers, in one sort where they fit one."""
    low = [int(column.min()) for column in columns if len(column)]
    spans = [int(column.max()) - least + 1 for column, least in zip(columns, low, strict=False)]
    if not spans or math.prod(spans) >= 2**62:
        return np.lexsort(columns[::-1])
    key = np.zeros(len(columns[0]), dtype=np.int64)
    for column, least, span in zip(columns, low, spans, strict=True):
        key = key * span + (column - least)
    return np.argsort(key, kind="stable")


def coded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose columns of text are categories in sorted order."""
    texts = [name for name in frame.columns if name in _TEXTS]
    plain = [name for name in texts if not isinstance(frame[name].dtype, pd.CategoricalDtype)]
    return frame.assign(**{name: frame[name].astype("str").astype("category") for name in plain})


def decoded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose categories are text again."""
    texts = [n for n in frame.columns if isinstance(frame[n].dtype, pd.CategoricalDtype)]
    return _typed(frame.assign(**{name: frame[name].astype(object) for name in texts}))


def _moved(
    breaks: pd.DataFrame,
    exposures: pd.DataFrame,
    value_moves: pd.DataFrame,
    throughs: pd.Index,
    causes: pd.Index,
) -> pd.DataFrame:
    """Return the losses through moves of values, a row for each exposure and move, in codes."""
    names = pd.Index(value_moves["value"].unique())
    exposures = exposures[exposures["value"].isin(names)]
    span = 1 + int(max(value_moves["window"].max(), breaks["window"].max()))
    where = _codes(names, value_moves["value"]) * span + _whole(value_moves["window"])
    order = np.argsort(where, kind="stable")
    number = pd.Index(breaks["break_id"]).get_indexer(exposures["break_id"])
    value = _codes(names, exposures["value"]) * span
    low = value + _whole(breaks["first_window"])[number]
    high = value + _whole(breaks["window"])[number]
    begin = np.searchsorted(where[order], low, side="left")
    size = np.searchsorted(where[order], high, side="right") - begin
    owner = np.repeat(np.arange(len(exposures)), size)
    place = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    move = order[np.repeat(begin, size) + place]
    held = exposures["exposure"].to_numpy(dtype=np.float64)[owner]
    return pd.DataFrame({
        "break_id": _whole(exposures["break_id"])[owner],
        "through": _codes(throughs, exposures["through"])[owner],
        "cause": _codes(causes, value_moves["cause"])[move],
        "source": _sources(value_moves)[1][move],
        "source_generation": _whole(value_moves["generation"])[move],
        "source_tick": _whole(value_moves["tick"])[move],
        "loss": -held * value_moves["move"].to_numpy(dtype=np.float64)[move],
    })  # fmt: skip


def seller_losses(
    lost: pd.DataFrame, liquidations: pd.DataFrame, price_causes: pd.DataFrame
) -> pd.DataFrame:
    """Split the forced rows of losses over the single forced orders behind them.

    Parameters
    ----------
    lost : pandas.DataFrame
        What `losses` returned.
    liquidations, price_causes : pandas.DataFrame
        Recorded tables.

    Returns
    -------
    pandas.DataFrame
        Columns `SELLER_COLUMNS`. Rows of one forced row of `lost` sum to it; where the tables hold
        no order behind a move, `seller_account` is empty.

    Notes
    -----
    A batch of n orders that broke m accounts has n times m rows.
    """
    forced = lost[lost["cause"].astype(str).str.startswith(LIQUIDATION_CAUSE)]
    if forced.empty:
        return _without_rows(SELLER_COLUMNS)
    keys = {"seller_clearer": "clearer", "source": "market", "source_tick": "tick",
            "source_generation": "generation"}  # fmt: skip
    orders = forced_flow(liquidations, price_causes).orders
    shares = orders[[*keys.values(), "account_id", "cohort", "share"]].rename(
        columns={**{v: k for k, v in keys.items()},
                 "account_id": "seller_account", "cohort": "seller_cohort"}
    )  # fmt: skip
    forced = forced.assign(seller_clearer=forced["cause"].astype(str).str[len(LIQUIDATION_CAUSE) :])
    rows = forced.merge(shares, on=list(keys), how="left", sort=False)
    known = rows["share"].notna()
    rows["seller_account"] = rows["seller_account"].where(known, "")
    rows["seller_cohort"] = rows["seller_cohort"].where(known, "")
    rows["loss"] = rows["loss"] * rows["share"].where(known, 1.0)
    rows["seller_generation"] = rows["source_generation"]
    rows = rows[rows["loss"] != 0.0]
    by = ["break_id", *_WHY, "seller_account"]
    rows = rows.sort_values(by, kind="stable", ignore_index=True)
    return _typed(rows[list(SELLER_COLUMNS)])


def _codes(names: pd.Index, values: pd.Series) -> IntArray:
    return np.asarray(names.get_indexer(pd.Index(values)), dtype=np.int64)


def _whole(values: pd.Series) -> IntArray:
    return values.to_numpy(dtype=np.int64)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose texts are objects, as in the recorded tables."""
    return frame.astype({name: object for name in frame.columns if name in _TEXTS})


def _without_rows(columns: tuple[str, ...]) -> pd.DataFrame:
    """Return a frame without rows whose columns have the types of one with rows."""
    data: dict[str, NDArray[Any]] = {}
    for name in columns:
        kind = object if name in _TEXTS else np.float64 if name in _REALS else np.int64
        data[name] = np.empty(0, dtype=kind)
    return pd.DataFrame(data)
