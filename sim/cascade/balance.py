"""Losses prepared for graph and spillover: which wave of forced selling, or which cause, made them.

A loss of ``Cascade.losses`` passes ``origin -> source -> through -> account``: forced orders or
another cause moved the market `source`, the mark or the value of `through` followed, and the
account lost. Its `wave` is the generation of the forced orders, or -1 for every other cause.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from sim.cascade.losses import coded
from sim.cascade.sellers import BATCH, ForcedFlow, forced_losses, forced_rows
from sim.cascade.tables import EXOGENOUS_CAUSE, LOSS_COLUMNS, checked
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
        As ``Cascade.losses`` gives them, with `wave`; text as categories.
    forced : pandas.DataFrame
        The forced rows of `losses`, with `source_clearer`, whose orders caused them.
    """

    orders: pd.DataFrame
    rest: pd.DataFrame
    losses: pd.DataFrame
    forced: pd.DataFrame


def tied(flow: ForcedFlow, losses: pd.DataFrame) -> Flows:
    """Return a flow with the part of `losses` that each of its orders caused.

    Notes
    -----
    An order carries ``share * loss of its batch``, a batch without a moving order stands in
    `rest`; together they sum to the forced part of `losses`.
    """
    losses = _complete(coded(checked(losses, LOSS_COLUMNS, "losses")))
    forced = forced_losses(losses)
    batches = condensed(forced, list(_SOURCE.values()))
    batches = batches.rename(columns={own: name for name, own in _SOURCE.items()})
    orders = flow.orders.merge(batches, on=BATCH, how="left")
    loss = orders["share"] * orders["loss"].fillna(0.0)
    moving = flow.orders.loc[flow.orders["share"] != 0.0, BATCH].drop_duplicates()
    found = batches.merge(moving, on=BATCH, how="left", indicator=True)
    orphans = found[found["_merge"] == "left_only"].drop(columns="_merge")
    rest = flow.rest[[*BATCH, "price_move"]].merge(orphans, on=BATCH, how="outer")
    rest[["price_move", "loss"]] = rest[["price_move", "loss"]].fillna(0.0)
    return Flows(orders.assign(loss=loss), rest, losses, forced)


def _complete(losses: pd.DataFrame) -> pd.DataFrame:
    """Add `wave`; let forced losses have a source, and those with a source a `through`."""
    is_forced = forced_rows(losses["cause"])
    wave = losses["source_generation"].where(is_forced, OUTSIDE)
    adrift = is_forced & (losses["source"] == "").to_numpy()
    if adrift.any():
        source = losses["source"].astype("str").where(~adrift, losses["through"].astype("str"))
        losses = losses.assign(source=source.astype("category"))
    nowhere = ((losses["through"] == "") & (losses["source"] != "")).to_numpy()
    if nowhere.any():
        through = losses["through"].astype("str").where(~nowhere, losses["source"].astype("str"))
        losses = losses.assign(through=through.astype("category"))
    return losses.assign(wave=wave)


def condensed(losses: pd.DataFrame, keys: list[str], value: str = "loss") -> pd.DataFrame:
    """Return the sum of a column by others, sorted, with text as text again."""
    rows = losses.groupby(keys, sort=True, observed=True, as_index=False)[[value]].sum()
    texts = [name for name in keys if isinstance(rows[name].dtype, pd.CategoricalDtype)]
    return rows.astype(dict.fromkeys(texts, "str"))


def per_break(losses: pd.DataFrame) -> pd.DataFrame:
    """Return one row per break.

    Returns
    -------
    pandas.DataFrame
        `break_id` (sorted), `generation`, `clearer`, `account_id`, `cohort`, `loss` [numeraire]
        and of it `forced` and `exogenous`.
    """
    known, first, number = np.unique(
        losses["break_id"].to_numpy(dtype=np.int64), return_index=True, return_inverse=True
    )
    about = losses[["break_id", "generation", "clearer", "account_id", "cohort"]].iloc[first]
    texts = dict.fromkeys(["clearer", "account_id", "cohort"], "str")
    loss = losses["loss"].to_numpy(dtype=np.float64)
    outside = (losses["cause"] == EXOGENOUS_CAUSE).to_numpy(dtype=np.bool_)
    forced = (losses["wave"] != OUTSIDE).to_numpy(dtype=np.bool_)
    parts = {"loss": loss, "forced": loss * forced, "exogenous": loss * outside}
    sums = {
        name: np.bincount(number, weights=part, minlength=len(known))
        for name, part in parts.items()
    }
    return about.astype(texts).reset_index(drop=True).assign(**sums)


def children(flows: Flows) -> FloatArray:
    """Return how many accounts each order of `flows.orders` broke, in parts [1].

    Notes
    -----
    A broken account counts as 1, split over the forced orders that cost it something, in
    proportion to what they cost it. One that no forced order hurt, and every account of
    generation 0, has no parents.
    """
    hurt = flows.forced[(flows.forced["loss"] > 0.0) & (flows.forced["generation"] >= 1)]
    _, number = np.unique(hurt["break_id"].to_numpy(dtype=np.int64), return_inverse=True)
    loss = hurt["loss"].to_numpy(dtype=np.float64)
    parts = hurt.assign(part=loss / np.bincount(number, weights=loss)[number])
    batches = condensed(parts, list(_SOURCE.values()), "part")
    batches = batches.rename(columns={own: name for name, own in _SOURCE.items()})
    part = flows.orders[[*BATCH, "share"]].merge(batches, on=BATCH, how="left")
    found = part["share"].to_numpy(dtype=np.float64) * part["part"].fillna(0.0)
    return np.asarray(found, dtype=np.float64)
