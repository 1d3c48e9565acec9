"""Cascades told apart: a root and everything that it broke, directly or by others.

A cluster is a connected part of the graph of broken accounts and batches of forced orders. A
broken account is tied to the batches (clearer, market, tick, generation) that its own orders went
into, and, from generation 1 on, to those that cost it something. Orders of one batch are netted
and trade at one price, so they belong to one cluster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sim.cascade.balance import Flows, condensed
from sim.cascade.sellers import BATCH
from sim.core.arrays import IntArray

_SOURCE = ["source_clearer", "source", "source_tick", "source_generation"]


def cluster_of(flows: Flows) -> pd.Series:
    """Return the cluster of each break.

    Parameters
    ----------
    flows : Flows
        Forced orders and losses, tied to each other.

    Returns
    -------
    pandas.Series
        Index `break_id` (sorted), values `cluster` (int64), numbered from 0 in the order of
        their lowest `break_id`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids = np.unique(flows.losses["break_id"].to_numpy(dtype=np.int64))
    if not len(ids):
        index = pd.Index(ids, name="break_id")
        return pd.Series(np.zeros(0, dtype=np.int64), index=index, name="cluster")
    own = _own_batches(flows)
    hurt = flows.forced[(flows.forced["loss"] > 0.0) & (flows.forced["generation"] >= 1)]
    hurt = condensed(hurt, ["break_id", *_SOURCE])[["break_id", *_SOURCE]]
    ties = pd.concat([own, hurt.set_axis(["break_id", *BATCH], axis=1)], ignore_index=True)
    batch = ties.groupby(BATCH, sort=False).ngroup().to_numpy(dtype=np.int64)
    place = np.searchsorted(ids, ties["break_id"].to_numpy(dtype=np.int64))
    number = len(ids) + (int(batch.max()) + 1 if len(batch) else 0)
    graph = coo_array((np.ones(len(batch)), (place, len(ids) + batch)), shape=(number, number))
    _, label = connected_components(graph, directed=False)
    return pd.Series(
        _numbered(label[: len(ids)]), index=pd.Index(ids, name="break_id"), name="cluster"
    )


def _own_batches(flows: Flows) -> pd.DataFrame:
    """Return the batches that each break's forced orders went into.

    An order belongs to the last break of its account at or before its tick.
    """
    orders = flows.orders.loc[flows.orders["relation"] == "forced_order", [*BATCH, "account_id"]]
    broken = flows.losses[["account_id", "tick", "break_id"]].drop_duplicates("break_id")
    broken = broken.sort_values(["tick", "break_id"], kind="stable")
    orders = orders.sort_values("tick", kind="stable")
    text = {"account_id": "str"}  # of one type in both, whoever made the tables
    found = pd.merge_asof(orders.astype(text), broken.astype(text), on="tick", by="account_id")
    found = found[found["break_id"].notna()]
    return found.astype({"break_id": "int64"})[["break_id", *BATCH]]


def _numbered(label: Any) -> IntArray:
    """Return labels numbered in order of first appearance."""
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def clusters(flows: Flows, breaks: pd.DataFrame) -> pd.DataFrame:
    """Return size and shape of each cluster.

    Parameters
    ----------
    flows : Flows
        Forced orders and losses, tied to each other.
    breaks : pandas.DataFrame
        As ``Cascade.breaks`` has them; those without any loss form clusters of one.

    Returns
    -------
    pandas.DataFrame
        One row per cluster, largest first: `cluster`, `breaks` (its size), `roots` (breaks of
        generation 0), `depth` (highest generation), `breadth` (breaks of its largest
        generation), `start`, `end` (first and last break), `duration` [s], `loss` [numeraire].
    """
    label = cluster_of(flows).reindex(breaks["break_id"].to_numpy(dtype=np.int64))
    alone = label.isna().to_numpy(dtype=np.bool_)
    value = np.array(label, dtype=np.float64)
    value[alone] = np.arange(alone.sum()) + (np.nanmax(value) + 1 if not alone.all() else 0)
    rows = breaks.assign(cluster=value.astype(np.int64), root=breaks["generation"] == 0)
    shape = rows.groupby("cluster", sort=True).agg(
        breaks=("break_id", "size"), roots=("root", "sum"), depth=("generation", "max"),
        start=("time", "min"), end=("time", "max"), loss=("loss", "sum"),
    )  # fmt: skip
    widths = rows.groupby(["cluster", "generation"], sort=True).size()
    breadth = widths.groupby(level="cluster").max()
    shape = shape.assign(breadth=breadth, duration=shape["end"] - shape["start"]).reset_index()
    order = ["cluster", "breaks", "roots", "depth", "breadth", "start", "end", "duration", "loss"]
    whole = {name: "int64" for name in order[:5]}
    shape = shape[order].astype({**whole, "loss": "float64"})
    return shape.sort_values(["breaks", "cluster"], ascending=[False, True], ignore_index=True)
