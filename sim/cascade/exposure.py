"""Who holds what: networks of shared positions, overlap, concentration.

With ``n_im`` [numeraire, signed] the notional of holder i in market m at the marks,

    overlap      cos_ij = n_i . n_j / (norm n_i norm n_j)            in [-1, 1]
    coupling     of venues u, v: gross notional of the traders who hold something on both
    HHI          sum_i (w_im / sum_j w_jm)^2,  w = abs n             in (0, 1]
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Literal

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse

Holder = Literal["account", "trader", "cohort"]

_COLUMN = {"account": "account_id", "trader": "trader_id", "cohort": "cohort"}

Tables = Mapping[str, pd.DataFrame]

MOST_PAIRS = 50_000_000
"""Pairs of holders with a common market beyond which their overlap would not fit into memory."""


def holdings(tables: Tables, by: Holder) -> pd.DataFrame:
    """Return the positions with their holder: `holder, market, venue, notional`.

    Raises
    ------
    ValueError
        `by` is unknown.
    """
    if by not in _COLUMN:
        raise ValueError(f"by is {by!r}; allowed: {', '.join(_COLUMN)}")
    positions = tables["positions"]
    owners = tables["accounts"].set_index("account_id", drop=False)[_COLUMN[by]]
    return pd.DataFrame(
        {
            "holder": positions["account_id"].map(owners).to_numpy(dtype=object),
            "market": positions["market"],
            "venue": positions["market"].str.split("/", n=1).str[0],
            "notional": positions["notional"].astype(float),
        }
    )


def bipartite(tables: Tables) -> nx.Graph[str]:
    """Return the graph of accounts and markets.

    Returns
    -------
    networkx.Graph
        Nodes ``account:<id>`` (`kind` account, `trader, cohort, clearer, equity, excess`) and
        ``market:<venue/symbol>`` (`kind` market, `venue, base, quote, depth`); edges with
        `notional` [numeraire, signed] and `weight`, its size.
    """
    graph: nx.Graph[str] = nx.Graph()
    for row in tables["markets"].to_dict("records"):
        kept = {name: row[name] for name in ("venue", "base", "quote", "depth")}
        graph.add_node(f"market:{row['market']}", kind="market", label=row["market"], **kept)
    columns = {"trader_id": "trader", "cohort": "cohort", "clearer": "clearer",
               "equity": "equity", "excess": "excess"}  # fmt: skip
    for row in tables["accounts"].to_dict("records"):
        kept = {new: row[old] for old, new in columns.items()}
        name = row["account_id"]
        graph.add_node(f"account:{name}", kind="account", label=name, **kept)
    for row in tables["positions"].to_dict("records"):
        ends = f"account:{row['account_id']}", f"market:{row['market']}"
        notional = float(row["notional"])
        graph.add_edge(*ends, notional=notional, weight=abs(notional))
    return graph


def overlap(tables: Tables, by: Holder) -> tuple[sparse.csr_array, list[str]]:
    """Return the cosines (H, H) of the holders' notional vectors, and the holders' names.

    Sparse: holders without a common market have no entry. Holders without a position are left
    out.

    Raises
    ------
    ValueError
        `by` is unknown, or too many holders share a market.
    """
    table = holdings(tables, by)
    held = table.groupby(["holder", "market"], sort=True, as_index=False)["notional"].sum()
    held = held[held["notional"] != 0.0]
    row, names = pd.factorize(held["holder"], sort=True)
    column, markets = pd.factorize(held["market"], sort=True)
    shape = len(names), len(markets)
    pairs = int((np.bincount(column, minlength=shape[1]).astype(np.int64) ** 2).sum())
    if pairs > MOST_PAIRS:
        raise ValueError(
            f"{shape[0]} holders have up to {pairs} pairs with a common market, more than "
            f"{MOST_PAIRS}; take by='cohort', or a smaller book"
        )
    vectors = sparse.csr_array((held["notional"].to_numpy(), (row, column)), shape=shape)
    norm = np.sqrt(np.bincount(row, held["notional"].to_numpy() ** 2, shape[0]))
    scaled = sparse.csr_array(sparse.diags_array(1.0 / norm) @ vectors)
    return sparse.csr_array(scaled @ scaled.T), [str(name) for name in names]


def venue_coupling(tables: Tables) -> pd.DataFrame:
    """Return how the venues hang together, a row per ordered pair of different ones.

    Returns
    -------
    pandas.DataFrame
        `venue, other`; `traders`, who hold positions on both; `notional` [numeraire], what these
        hold on `venue`; `shared_bases`, the assets that both list; `shared_notional`
        [numeraire], all that is held on `venue` in markets of these.
    """
    table = holdings(tables, "trader")
    table["gross"] = table["notional"].abs()
    table = table.merge(tables["markets"][["market", "base"]], on="market")
    listed = tables["markets"].groupby("venue", sort=True)["base"].agg(set)
    by_trader, by_base = (
        table.pivot_table("gross", column, "venue", "sum", fill_value=0).reindex(
            columns=listed.index, fill_value=0.0
        )
        for column in ("holder", "base")
    )
    rows = []
    for venue, other in permutations(listed.index, 2):
        both = (by_trader[venue] > 0.0) & (by_trader[other] > 0.0)
        bases = sorted(listed[venue] & listed[other])
        on_both = float(by_trader.loc[both, venue].sum())
        held = float(by_base[venue].reindex(bases, fill_value=0.0).sum())
        rows.append((venue, other, int(both.sum()), on_both, ",".join(bases), held))
    columns = ["venue", "other", "traders", "notional", "shared_bases", "shared_notional"]
    return pd.DataFrame(rows, columns=columns)


def concentration(tables: Tables, by: Holder, top: int) -> pd.DataFrame:
    """Return how concentrated each market is, a row per market and side.

    Parameters
    ----------
    tables : mapping of pandas.DataFrame
    by : {"account", "trader", "cohort"}
    top : int
        Number of the largest holders, >= 1.

    Returns
    -------
    pandas.DataFrame
        `market`; `side` (``long``, ``short``); `holders`; `notional` [numeraire]; `hhi` [1] and
        `top_share` [1] of the `top` largest; NaN where nobody holds anything.

    Raises
    ------
    ValueError
        `by` is unknown or `top` below 1.
    """
    if top < 1:
        raise ValueError(f"top is {top}; it must be 1 or more")
    table = holdings(tables, by)
    held = table.groupby(["market", "holder"], sort=True, as_index=False)["notional"].sum()
    rows = []
    for market in tables["markets"]["market"]:
        mine = held.loc[held["market"] == market, "notional"].to_numpy()
        for side, unsorted in (("long", mine[mine > 0.0]), ("short", -mine[mine < 0.0])):
            sizes = np.sort(unsorted)[::-1]
            total = float(sizes.sum())
            share = sizes / total if total else sizes
            figures = (float(share @ share), float(share[:top].sum())) if total else (np.nan,) * 2
            rows.append((market, side, len(sizes), total, *figures))
    columns = ["market", "side", "holders", "notional", "hhi", "top_share"]
    return pd.DataFrame(rows, columns=columns)


def venues_table(tables: Tables) -> pd.DataFrame:
    """Return the accounts by clearer.

    Returns
    -------
    pandas.DataFrame
        `clearer, accounts` (which hold positions), `equity, notional, maintenance_margin, excess`
        [numeraire]; `below`, accounts below their margin; `leverage` [1], notional over equity.
    """
    accounts = tables["accounts"]
    holding = accounts[accounts["notional"] > 0.0]
    groups = holding.assign(below=holding["excess"] < 0.0).groupby("clearer", sort=True)
    table = groups.agg(
        accounts=("account_id", "size"),
        equity=("equity", "sum"),
        notional=("notional", "sum"),
        maintenance_margin=("maintenance_margin", "sum"),
        excess=("excess", "sum"),
        below=("below", "sum"),
    )
    table["leverage"] = table["notional"] / table["equity"].where(table["equity"] > 0.0)
    return table.reset_index()
