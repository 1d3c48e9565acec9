"""The causal graph of a cascade: who moved which market, which market broke whom.

Nodes are named ``<kind>:<name>``, so that an account and a venue may share a name:
``account:17`` or ``cohort:retail``, ``market:alpha/BTC-PERP``, ``venue:alpha``. Edges carry
`relation`:

================ ========================= ==================================================
relation         from -> to                attributes
================ ========================= ==================================================
``forced_order`` account or cohort->market generation, tick, quantity [contracts, signed],
                                           notional [quote], price_move [1, log price], clearer
``cross_impact`` account or cohort->market generation, tick, price_move, clearer: the forced
                                           order was sent on another market
``unattributed`` venue -> market           the same: a move booked to the venue's liquidations
                                           without a recorded order in that generation
``break``        market->account or cohort generation, tick, price_move [1, log price],
                                           loss [quote], notional [quote]
``takeover``     account or cohort->venue  generation, tick, quantity, notional of positions
                                           that a backstop or an auction took over
``clears``       account or cohort->venue  membership: the clearer of the account
``lists``        market -> venue           membership
================ ========================= ==================================================

A cohort stands for its accounts: its edges are summed per market, clearer and generation over
all ticks; `tick` is the first of them, `price_move` of a ``break`` the notional-weighted mean
(the plain mean where the notional is zero). Every attribute is a plain str, int or float, so the
graph exports to GraphML as it is.
"""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from sim.cascade.attribution import breaks, cross_impacts, forced_orders
from sim.cascade.tables import BROKEN_KINDS, MARKET_KIND

_EDGE = ["generation", "tick", "quantity", "notional", "price_move", "loss", "clearer"]


def build_graph(
    liquidations: pd.DataFrame,
    price_causes: pd.DataFrame,
    markets: list[str],
    venues: list[str],
    owner: str,
) -> nx.MultiDiGraph[str]:
    """Build the graph with `owner` (``account`` or ``cohort``) as the nodes that trade."""
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    broken = liquidations[liquidations["kind"].isin(BROKEN_KINDS)]
    known = dict.fromkeys([*venues, *(str(name) for name in broken["clearer"].unique())])
    for venue in known:
        graph.add_node(f"venue:{venue}", kind="venue", label=venue)
    for market in markets:
        venue = market.split("/", 1)[0]
        graph.add_node(f"market:{market}", kind="market", label=market, venue=venue)
        graph.add_edge(f"market:{market}", f"venue:{venue}", relation="lists")
    _add_owners(graph, broken, owner)
    _add_orders(graph, liquidations, price_causes, owner)
    _add_breaks(graph, breaks(liquidations, price_causes), owner)
    _add_takeovers(graph, broken[broken["kind"] != MARKET_KIND], owner)
    return graph


def _column(owner: str) -> str:
    return "account_id" if owner == "account" else "cohort"


def _add_owners(graph: nx.MultiDiGraph[str], broken: pd.DataFrame, owner: str) -> None:
    """Add account or cohort nodes and their membership edges."""
    column = _column(owner)
    market = broken["kind"] == MARKET_KIND
    facts = broken.assign(
        notional=broken["notional"].where(market, 0.0), owner=broken[column].astype(str)
    )
    nodes = facts.groupby("owner", sort=True, as_index=False).agg(
        generation=("generation", "min"),
        notional=("notional", "sum"),
        accounts=("account_id", "nunique"),
        cohort=("cohort", "first"),
    )
    for row in nodes.to_dict("records"):
        name = row.pop("owner")
        graph.add_node(f"{owner}:{name}", kind=owner, label=name, **_plain(row))
    for name, clearer in broken[[column, "clearer"]].drop_duplicates().itertuples(index=False):
        graph.add_edge(f"{owner}:{name}", f"venue:{clearer}", relation="clears")


def _add_orders(
    graph: nx.MultiDiGraph[str], liquidations: pd.DataFrame, price_causes: pd.DataFrame, owner: str
) -> None:
    """Add the forced orders, their cross impact, and the moves that no order explains."""
    orders = forced_orders(liquidations, price_causes)
    crossed, rest = cross_impacts(orders, price_causes)
    column = _column(owner)
    for relation, rows in (("forced_order", orders), ("cross_impact", crossed)):
        edges = _by_cohort(rows) if owner == "cohort" else rows
        sources = f"{owner}:" + edges[column].astype(str)
        _add_edges(graph, relation, sources, "market:" + edges["market"], edges)
    sources = "venue:" + rest["clearer"].astype(str)
    _add_edges(graph, "unattributed", sources, "market:" + rest["market"], rest)


def _by_cohort(orders: pd.DataFrame) -> pd.DataFrame:
    """Return the orders summed per cohort, clearer, market and generation."""
    totals = {"tick": "min", "quantity": "sum", "notional": "sum", "price_move": "sum"}
    known = {name: how for name, how in totals.items() if name in orders.columns}
    keys = ["cohort", "clearer", "market", "generation"]
    return orders.groupby(keys, sort=True, as_index=False).agg(known)


def _add_breaks(graph: nx.MultiDiGraph[str], rows: pd.DataFrame, owner: str) -> None:
    """Add the market moves behind the accounts broken in generation 1 or later."""
    column = _column(owner)
    if owner == "cohort" and len(rows):
        weighted = rows.assign(weighted=rows["price_move"] * rows["notional"])
        rows = weighted.groupby([column, "market", "generation"], sort=True, as_index=False).agg(
            tick=("tick", "min"),
            notional=("notional", "sum"),
            loss=("loss", "sum"),
            weighted=("weighted", "sum"),
            mean=("price_move", "mean"),
        )
        notional = rows["notional"].where(rows["notional"] > 0.0, 1.0)
        move = (rows["weighted"] / notional).where(rows["notional"] > 0.0, rows["mean"])
        rows = rows.assign(price_move=move)
    rows = rows.drop(columns="quantity", errors="ignore")
    _add_edges(graph, "break", "market:" + rows["market"],
               f"{owner}:" + rows[column].astype(str), rows)  # fmt: skip


def _add_takeovers(graph: nx.MultiDiGraph[str], rows: pd.DataFrame, owner: str) -> None:
    """Add the positions that a backstop or an auction took over."""
    column = _column(owner)
    taken = rows.groupby([column, "clearer", "generation"], sort=True, as_index=False).agg(
        {"tick": "min", "quantity": "sum", "notional": "sum"}
    )
    _add_edges(graph, "takeover", f"{owner}:" + taken[column].astype(str),
               "venue:" + taken["clearer"].astype(str), taken)  # fmt: skip


def _add_edges(
    graph: nx.MultiDiGraph[str],
    relation: str,
    sources: pd.Series,
    targets: pd.Series,
    rows: pd.DataFrame,
) -> None:
    """Add one edge per row with the edge attributes that `rows` holds."""
    attributes = rows[[name for name in _EDGE if name in rows.columns]].to_dict("records")
    for source, target, row in zip(sources, targets, attributes, strict=True):
        graph.add_edge(source, target, relation=relation, **_plain(row))


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """Return `row` with built-in types, as GraphML and JSON ask for."""
    return {str(k): v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
