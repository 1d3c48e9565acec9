"""What broke first, who cost others most, who lost most."""

from __future__ import annotations

import pandas as pd

from sim.cascade.balance import Flows, children, condensed, per_break
from sim.cascade.windows import Window


def sellers(flows: Flows, by: str, window: Window) -> pd.DataFrame:
    """Return what the forced orders of each account, cohort or venue did.

    Parameters
    ----------
    flows : Flows
        Forced orders and losses, tied to each other.
    by : {"account", "cohort", "venue"}
        Whose orders are summed.
    window : Window
        Ticks of the orders whose `notional` and `price_move` count; earlier orders count as far
        as they cost those something whose losses `flows` has.

    Returns
    -------
    pandas.DataFrame
        One row each, dearest first (by `loss_caused`, then `notional`, then name): the name in a
        column `by`; for accounts `cohort` and `clearer`; `generation`, the lowest; `notional`
        [quote] sold to the market; `price_move` [1, log price, summed over markets], `loss_caused`
        [numeraire] to accounts that broke; `children` [1], how many they broke, in parts.

    Raises
    ------
    ValueError
        If `by` is unknown.
    """
    column = _column(by)
    orders = flows.orders.assign(children=children(flows))
    inside = window.holds(orders["tick"])
    orders[["notional", "price_move"]] = orders[["notional", "price_move"]].where(
        pd.Series(inside, index=orders.index), 0.0
    )
    orders = orders[inside | (orders["loss"] != 0.0)]
    names = {"cohort": ("cohort", "first"), "clearer": ("clearer", "first")}
    table = orders.groupby(column, sort=True).agg(
        **(names if by == "account" else {}),
        generation=("generation", "min"), notional=("notional", "sum"),
        price_move=("price_move", "sum"), loss_caused=("loss", "sum"),
        children=("children", "sum"),
    )  # fmt: skip
    table = table.rename_axis(by).reset_index()
    order = ["loss_caused", "notional", by]
    return table.sort_values(order, ascending=[False, False, True], ignore_index=True)


def victims(flows: Flows, by: str) -> pd.DataFrame:
    """Return what each account, cohort or venue lost, and to what.

    Returns
    -------
    pandas.DataFrame
        One row each, the largest loss first (then by name): the name in a column `by`; for
        accounts `cohort` and `clearer`; `breaks`; `generation`, the lowest; `loss` [numeraire] and
        of it `forced`, `exogenous` and `other`; `by_whom`, the cause that cost most.

    Raises
    ------
    ValueError
        If `by` is unknown.
    """
    column = _column(by)
    rows = per_break(flows.losses)
    rows = rows.assign(other=rows["loss"] - rows["forced"] - rows["exogenous"])
    names = {"cohort": ("cohort", "first"), "clearer": ("clearer", "first")}
    table = rows.groupby(column, sort=True).agg(
        **(names if by == "account" else {}),
        breaks=("break_id", "nunique"), generation=("generation", "min"), loss=("loss", "sum"),
        forced=("forced", "sum"), exogenous=("exogenous", "sum"), other=("other", "sum"),
    )  # fmt: skip
    table = table.join(_dearest(flows.losses, column)).rename_axis(by).reset_index()
    return table.sort_values(["loss", by], ascending=[False, True], ignore_index=True)


def _dearest(losses: pd.DataFrame, column: str) -> pd.Series:
    """Return the cause that cost each group most."""
    parts = condensed(losses, [column, "cause"])
    parts = parts.sort_values([column, "loss", "cause"], ascending=[True, False, True])
    return parts.drop_duplicates(column).set_index(column)["cause"].rename("by_whom")


def first_breaks(flows: Flows, breaks: pd.DataFrame, number: int) -> pd.DataFrame:
    """Return the first accounts that broke, with the cause that cost each most.

    Returns
    -------
    pandas.DataFrame
        At most `number` rows in the order of time, generation and account: `time` [s],
        `generation`, `clearer`, `account_id`, `cohort`, `loss` [numeraire], `by_whom`.
    """
    order = ["tick", "generation", "account_id"]
    rows = breaks.sort_values([*order, "break_id"], ignore_index=True).head(number)
    mine = flows.losses[flows.losses["break_id"].isin(rows["break_id"])]
    named = rows.join(_dearest(mine, "break_id"), on="break_id").fillna({"by_whom": ""})
    columns = ["time", "generation", "clearer", "account_id", "cohort", "loss", "by_whom"]
    return named[columns]


def _column(by: str) -> str:
    columns = {"account": "account_id", "cohort": "cohort", "venue": "clearer"}
    if by not in columns:
        raise ValueError(f"by is {by!r}; allowed: {', '.join(columns)}")
    return columns[by]
