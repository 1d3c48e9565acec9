"""Who moved which market, and which market broke whom.

Both questions are answered from the recorded tables alone.

**Account to market.** Forced orders of one clearer on one market in one generation of one tick
are netted and executed as one batch, and the batch's move is booked to the cause
``liquidation:<clearer>``. An order on the side of the net carries its share of that side,

    move_i = move * abs(q_i) / sum_{j: sign(q_j) = sign(sum q)} abs(q_j),

and an order on the other side was absorbed by the netting and carries 0. Where both sides
balance (``abs(sum q) <= 1e-12 sum abs(q)``) every order carries its share of the gross flow.
Shares lie in [0, 1] and sum to 1, so the moves of the orders sum to the booked move. Units:
``q`` [contracts, signed], ``move`` [1, log price].

Cross impact books a clearer's liquidations on markets where it sent no order. Such a move is
split in the same way over the clearer's forced orders of the same tick and generation, on markets
of the same symbol if there are any and on all its markets if not, with the signed notional
``sign(q_i) notional_i`` in the place of ``q_i``.

**Market to account.** The tables do not say at which instant an account broke, only the tick
``t`` and generation ``g >= 1`` of its forced orders. The market's move behind it is all that was
booked, to whatever cause, from the generation before until the account's own:

    (t', g - 1) <= (tick, generation) < (t, g)    in lexicographic order,

where ``t'`` is the last tick ``<= t`` with a recorded liquidation of generation ``g - 1`` (the
start of tick ``t`` where there is none). Within one tick this is
the move of generation ``g - 1`` alone; where a liquidation engine with latency unrolls the
cascade over ticks it is the move since that generation. Moves of the last price are used; the
mark may lag behind them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.cascade.tables import BROKEN_KINDS, LIQUIDATION_CAUSE, MARKET_KIND, with_market
from sim.core.arrays import FloatArray, IntArray

_BATCH = ["clearer", "market", "tick", "generation"]
_ROUND = ["clearer", "tick", "generation"]
_BALANCED = 1e-12


def forced_moves(price_causes: pd.DataFrame) -> pd.DataFrame:
    """Sum the moves booked to liquidations by clearer, market, tick and generation.

    Returns
    -------
    pandas.DataFrame
        Columns ``clearer, market, tick, generation, price_move`` [1, log price].
    """
    forced = price_causes[price_causes["cause"].astype(str).str.startswith(LIQUIDATION_CAUSE)]
    forced = with_market(forced)
    forced = forced.assign(clearer=forced["cause"].astype(str).str[len(LIQUIDATION_CAUSE) :])
    return forced.groupby(_BATCH, sort=True, as_index=False)[["price_move"]].sum()


def forced_orders(liquidations: pd.DataFrame, price_causes: pd.DataFrame) -> pd.DataFrame:
    """Split the forced moves over the forced orders on the markets moved.

    Parameters
    ----------
    liquidations, price_causes : pandas.DataFrame
        Recorded tables.

    Returns
    -------
    pandas.DataFrame
        One row per clearer, market, tick, generation and account, with `cohort`, `quantity`
        [contracts, signed], `notional` [quote], `flow` [quote], the notional with the sign of
        the quantity, `share` [1] of the batch's move, and `price_move` [1, log price].
    """
    orders = with_market(liquidations[liquidations["kind"] == MARKET_KIND])
    orders = orders.assign(flow=np.sign(orders["quantity"]) * orders["notional"])
    orders = orders.groupby([*_BATCH, "account_id"], sort=True, as_index=False).agg(
        cohort=("cohort", "first"),
        quantity=("quantity", "sum"),
        notional=("notional", "sum"),
        flow=("flow", "sum"),
    )
    moves = orders.merge(forced_moves(price_causes), on=_BATCH, how="left")["price_move"]
    booked = moves.fillna(0.0).to_numpy(dtype=np.float64)
    share = share_of_flow(orders, "quantity")
    return orders.assign(share=share, price_move=share * booked)


def cross_impacts(
    orders: pd.DataFrame, price_causes: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split the forced moves of markets without a forced order of the clearer.

    Parameters
    ----------
    orders : pandas.DataFrame
        What ``forced_orders`` returned.
    price_causes : pandas.DataFrame
        Recorded table.

    Returns
    -------
    split : pandas.DataFrame
        One row per clearer, market moved, tick, generation and account, with `cohort` and
        `share` [1] of the batch's move and `price_move` [1, log price].
    rest : pandas.DataFrame
        The moves of clearers without any forced order in that tick and generation.
    """
    rest = _without(forced_moves(price_causes), orders)
    rest = rest[rest["price_move"] != 0.0].assign(symbol=_symbol)
    flows = orders.assign(symbol=_symbol)[[*_ROUND, "symbol", "account_id", "cohort", "flow"]]
    split = []
    for keys in ([*_ROUND, "symbol"], _ROUND):
        over = flows.groupby([*keys, "account_id"], sort=True, as_index=False).agg(
            cohort=("cohort", "first"), flow=("flow", "sum")
        )
        part = rest.merge(over, on=keys, how="inner")
        share = share_of_flow(part, "flow")
        split.append(part.assign(share=share, price_move=share * part["price_move"]))
        rest = _without(rest, part)
    columns = [*_BATCH, "account_id", "cohort", "share", "price_move"]
    return pd.concat([part[columns] for part in split], ignore_index=True), rest


def _symbol(frame: pd.DataFrame) -> pd.Series:
    return frame["market"].astype(str).str.split("/", n=1).str[1]


def _without(moves: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the moves whose batch is not among `rows`."""
    marked = moves.merge(rows[_BATCH].drop_duplicates(), on=_BATCH, how="left", indicator=True)
    return marked[marked["_merge"] == "left_only"].drop(columns="_merge")


def share_of_flow(rows: pd.DataFrame, column: str) -> FloatArray:
    """Return each row's share of the signed flow that moved its market, in [0, 1]."""
    if rows.empty:
        return np.zeros(0)
    flow = rows[column].to_numpy(dtype=np.float64)
    size = np.abs(flow)
    batch = rows.groupby(_BATCH, sort=True).ngroup().to_numpy(dtype=np.int64)
    net = np.bincount(batch, weights=flow)[batch]
    gross = np.bincount(batch, weights=size)[batch]
    balanced = np.abs(net) <= _BALANCED * gross
    weight = np.where(balanced | (np.sign(flow) == np.sign(net)), size, 0.0)
    weight = np.where(gross == 0.0, 1.0, weight)
    return np.asarray(weight / np.bincount(batch, weights=weight)[batch], dtype=np.float64)


def breaks(liquidations: pd.DataFrame, price_causes: pd.DataFrame) -> pd.DataFrame:
    """Return the market moves behind every account broken in generation 1 or later.

    Returns
    -------
    pandas.DataFrame
        One row per account, market, tick and generation, with `cohort`, `quantity` and
        `notional` of the forced orders, `price_move` [1, log price] and `loss` [quote], the
        first-order loss of the closed position, ``sign(quantity) * notional * price_move``
        (positive when the move hurt it).
    """
    broken = liquidations[
        liquidations["kind"].isin(BROKEN_KINDS) & (liquidations["generation"] >= 1)
    ]
    keys = ["account_id", "market", "tick", "generation"]
    rows = (
        with_market(broken)
        .groupby(keys, sort=True, as_index=False)
        .agg(cohort=("cohort", "first"), quantity=("quantity", "sum"), notional=("notional", "sum"))
    )
    move = _moves_before(rows, liquidations, price_causes)
    loss = np.sign(rows["quantity"].to_numpy(dtype=np.float64)) * rows["notional"] * move
    return rows.assign(price_move=move, loss=loss)


def _moves_before(
    rows: pd.DataFrame, liquidations: pd.DataFrame, price_causes: pd.DataFrame
) -> FloatArray:
    """Return the move of each row's market between the generation before and its own."""
    span = 1 + max((int(frame["generation"].max()) for frame in (liquidations, price_causes)
                    if len(frame)), default=0)  # fmt: skip
    instants = np.unique(_instants(liquidations, span))
    last = _instants(rows, span)
    first = _generation_before(last, instants, span)
    causes = with_market(price_causes)
    key = _instants(causes, span)
    booked = causes["price_move"].to_numpy(dtype=np.float64)
    where = causes.groupby("market", sort=False).indices
    move = np.zeros(len(rows))
    for market, places in rows.groupby("market", sort=False).indices.items():
        mine = np.asarray(where.get(market, []), dtype=np.int64)
        mine = mine[np.argsort(key[mine], kind="stable")]
        total = np.append(0.0, np.cumsum(booked[mine]))
        low = np.searchsorted(key[mine], first[places])
        high = np.searchsorted(key[mine], last[places])
        move[places] = total[high] - total[low]
    return move


def _instants(frame: pd.DataFrame, span: int) -> IntArray:
    """Return ``tick * span + generation``, which orders rows by tick, then generation."""
    tick = frame["tick"].to_numpy(dtype=np.int64)
    return np.asarray(tick * span + frame["generation"].to_numpy(dtype=np.int64))


def _generation_before(own: IntArray, instants: IntArray, span: int) -> IntArray:
    """Return for each instant the last one of the generation before, at or before its tick.

    Where no such generation was recorded, the start of its tick stands for it.
    """
    before = own // span * span
    for generation in np.unique(own % span):
        mine = own % span == generation
        former = instants[instants % span == generation - 1]
        at = np.searchsorted(former, own[mine]) - 1
        if len(former):
            before[mine] = np.where(at >= 0, former[np.maximum(at, 0)], before[mine])
    return before
