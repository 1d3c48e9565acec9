"""Losses prepared for graph and spillover: which wave of forced selling, or which cause, made them.

A loss of ``Cascade.losses`` passes ``origin -> source -> through -> account``: forced orders or
another cause moved the market `source`, the mark or the value of `through` followed, and the
account lost. Its `wave` is the generation of the forced orders, or -1 for every other cause.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from sim.cascade.sellers import BATCH, ForcedFlow, forced_flow, forced_losses
from sim.cascade.tables import LIQUIDATION_CAUSE, LOSS_COLUMNS, checked
from sim.core.arrays import FloatArray

OUTSIDE = -1
"""Wave of what no forced order caused."""

_SOURCE = {
    "clearer": "source_clearer",
    "market": "source",
    "tick": "source_tick",
    "generation": "source_generation",
}


class Flows(NamedTuple):
    """What moved markets, and what it cost whom.

    Attributes
    ----------
    orders : pandas.DataFrame
        As ``sim.cascade.sellers.ForcedFlow`` has them, with `loss` [numeraire]: what the order
        cost the broken accounts.
    rest : pandas.DataFrame
        Batches without a recorded order: `clearer, market, tick, generation, price_move` [1, log
        price], `loss` [numeraire].
    losses : pandas.DataFrame
        As ``Cascade.losses`` gives them, with `wave`.
    forced : pandas.DataFrame
        The forced rows of `losses`, with `source_clearer`, whose orders caused them.
    """

    orders: pd.DataFrame
    rest: pd.DataFrame
    losses: pd.DataFrame
    forced: pd.DataFrame


def recorded_flows(
    liquidations: pd.DataFrame, price_causes: pd.DataFrame, losses: pd.DataFrame
) -> Flows:
    """Return the forced orders and the losses of one run, tied to each other."""
    return tied(forced_flow(liquidations, price_causes), losses)


def tied(flow: ForcedFlow, losses: pd.DataFrame) -> Flows:
    """Return a flow with the part of `losses` that each of its orders caused.

    Notes
    -----
    An order carries ``share * loss of its batch``, a batch without a moving order stands in
    `rest`; together they sum to the forced part of `losses`.
    """
    losses = checked(losses, LOSS_COLUMNS, "losses")
    is_forced = losses["cause"].str.startswith(LIQUIDATION_CAUSE)
    source = losses["source"].where(~is_forced | (losses["source"] != ""), losses["through"])
    losses = losses.assign(
        wave=losses["source_generation"].where(is_forced, OUTSIDE),
        source=source,
        through=losses["through"].where(losses["through"] != "", source),
    )
    forced = forced_losses(losses)
    batches = forced.rename(columns={own: name for name, own in _SOURCE.items()} | {
        "clearer": "victim_clearer", "tick": "victim_tick", "generation": "victim_generation",
    })  # fmt: skip
    batches = batches.groupby(BATCH, sort=True, as_index=False)[["loss"]].sum()
    orders = flow.orders.merge(batches, on=BATCH, how="left")
    loss = orders["share"] * orders["loss"].fillna(0.0)
    moving = flow.orders.loc[flow.orders["share"] != 0.0, BATCH].drop_duplicates()
    found = batches.merge(moving, on=BATCH, how="left", indicator=True)
    orphans = found[found["_merge"] == "left_only"].drop(columns="_merge")
    rest = flow.rest[[*BATCH, "price_move"]].merge(orphans, on=BATCH, how="outer")
    rest[["price_move", "loss"]] = rest[["price_move", "loss"]].fillna(0.0)
    return Flows(orders.assign(loss=loss), rest, losses, forced)


def children(flows: Flows) -> FloatArray:
    """Return how many accounts each order of `flows.orders` broke, in parts [1].

    Notes
    -----
    A broken account counts as 1, split over the forced orders that cost it something, in
    proportion to what they cost it. One that no forced order hurt, and every account of
    generation 0, has no parents.
    """
    hurt = flows.forced[(flows.forced["loss"] > 0.0) & (flows.forced["generation"] >= 1)]
    whole = hurt.groupby("break_id")["loss"].transform("sum")
    parts = hurt.assign(part=hurt["loss"] / whole)
    keys = list(_SOURCE.values())
    batches = parts.groupby(keys, sort=True, as_index=False)[["part"]].sum()
    batches = batches.rename(columns={own: name for name, own in _SOURCE.items()})
    part = flows.orders[[*BATCH, "share"]].merge(batches, on=BATCH, how="left")
    found = part["share"].to_numpy(dtype=np.float64) * part["part"].fillna(0.0)
    return np.asarray(found, dtype=np.float64)
