"""Edges of the causal graph; ``sim.cascade.graph`` says what they mean."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import networkx as nx
import pandas as pd

from sim.cascade.balance import OUTSIDE, Flows, condensed
from sim.cascade.tables import LIQUIDATION_CAUSE, with_market
from sim.cascade.windows import Window

OWNERS = {"account": "account_id", "cohort": "cohort"}
"""Column of the tables by what trades."""

_EDGE = [
    "generation", "source_generation", "tick", "quantity", "notional", "price_move", "loss",
    "clearer",
]  # fmt: skip


class Recorded(NamedTuple):
    """What the graph is built from.

    Attributes
    ----------
    liquidations, price_causes : pandas.DataFrame
        Recorded tables.
    markets, venues : list of str
        Names in order of appearance.
    flows : Flows
        Forced orders and losses, tied to each other.
    attributed : bool
        Whether the run recorded losses.
    window : Window
        Ticks that count.
    """

    liquidations: pd.DataFrame
    price_causes: pd.DataFrame
    markets: list[str]
    venues: list[str]
    flows: Flows
    attributed: bool
    window: Window


def is_collateral(through: str) -> bool:
    """Return whether a loss came through collateral rather than a position."""
    return through.startswith("collateral:")


def _place(names: pd.Series) -> pd.Series:
    """Return the nodes of markets and collateral by the names that losses have for them."""
    nodes = [name if is_collateral(name) else f"market:{name}" for name in values(names)]
    return pd.Series(nodes, index=names.index, dtype="str")


def add_orders(
    graph: nx.MultiDiGraph[str], recorded: Recorded, orders: pd.DataFrame, owner: str
) -> None:
    """Add the forced orders, their cross impact, and the moves that no order explains."""
    for relation in ("forced_order", "cross_impact"):
        rows = orders[orders["relation"] == relation].drop(columns="relation")
        if relation == "cross_impact":
            rows = rows.drop(columns=["quantity", "notional"])
        sources = prefixed(f"{owner}:", rows[OWNERS[owner]])
        _add_edges(graph, relation, sources, prefixed("market:", rows["market"]), rows)
    rest = recorded.flows.rest
    rest = rest[recorded.window.holds(rest["tick"]) | (rest["loss"] != 0.0)]
    sources = prefixed("venue:", rest["clearer"])
    _add_edges(graph, "unattributed", sources, prefixed("market:", rest["market"]), rest)


def add_causes(graph: nx.MultiDiGraph[str], recorded: Recorded, owner: str) -> None:
    """Add everything but forced orders that moved a market or cost a broken account something."""
    moves = with_market(recorded.window.of(recorded.price_causes))
    moves = moves[~moves["cause"].str.startswith(LIQUIDATION_CAUSE)]
    moved = moves.groupby(["cause", "market"], sort=True, as_index=False)[["price_move"]].sum()
    moved = moved.assign(place=_place(moved["market"]))
    losses = recorded.flows.losses
    column = OWNERS[owner]
    other = losses[losses["wave"] == OUTSIDE]
    rows = condensed(other, ["cause", "source", "through"])
    rows = rows[rows["through"] != ""]
    place = _place(rows["source"].where(rows["source"] != "", rows["through"]))
    money = condensed(other[other["through"] == ""], ["cause", column])
    money = money.assign(place=f"{owner}:" + money[column].astype("str"))
    both = [rows.assign(place=place), money]
    lost = pd.concat([part[["cause", "place", "loss"]] for part in both], ignore_index=True)
    lost = lost.groupby(["cause", "place"], sort=True, as_index=False)[["loss"]].sum()
    edges = moved.drop(columns="market").merge(lost, on=["cause", "place"], how="outer")
    edges = edges.assign(generation=OUTSIDE).fillna({"price_move": 0.0, "loss": 0.0})
    for name in sorted(edges["cause"].unique()):
        graph.add_node(f"cause:{name}", kind="cause", label=name)
    _add_edges(graph, "cause", prefixed("cause:", edges["cause"]), edges["place"], edges)


def add_losses(graph: nx.MultiDiGraph[str], recorded: Recorded, owner: str) -> None:
    """Add what markets passed on to others, and what they cost those that broke."""
    losses = recorded.flows.losses
    losses = losses[(losses["through"] != "").to_numpy()]
    passed = condensed(losses, ["source", "through", "wave"])
    onward = (passed["source"] != "") & (passed["source"] != passed["through"])
    edges = passed[onward].rename(columns={"wave": "generation"})
    _add_edges(graph, "passes", _place(edges["source"]), _place(edges["through"]), edges)
    column = OWNERS[owner]
    keys = [column, "generation", "through", "wave"]
    if owner == "account":
        keys = [column, "break_id", "generation", "through", "wave"]
    rows = losses.groupby(keys, sort=True, observed=True, as_index=False).agg(
        tick=("tick", "min"), loss=("loss", "sum")
    )
    rows = rows.rename(columns={"wave": "source_generation"})
    targets = prefixed(f"{owner}:", rows[column])
    _add_edges(graph, "break", _place(rows["through"]), targets, rows)


def add_estimates(graph: nx.MultiDiGraph[str], rows: pd.DataFrame, owner: str) -> None:
    """Add the market moves behind the accounts broken in generation 1 or later."""
    column = OWNERS[owner]
    if owner == "cohort" and len(rows):
        weighted = rows.assign(weighted=rows["price_move"] * rows["notional"])
        rows = weighted.groupby([column, "market", "generation"], sort=True, as_index=False).agg(
            tick=("tick", "min"), notional=("notional", "sum"), loss=("loss", "sum"),
            weighted=("weighted", "sum"), mean=("price_move", "mean"),
        )  # fmt: skip
        notional = rows["notional"].where(rows["notional"] > 0.0, 1.0)
        move = (rows["weighted"] / notional).where(rows["notional"] > 0.0, rows["mean"])
        rows = rows.assign(price_move=move)
    rows = rows.drop(columns="quantity", errors="ignore")
    targets = prefixed(f"{owner}:", rows[column])
    _add_edges(graph, "break", prefixed("market:", rows["market"]), targets, rows)


def add_takeovers(graph: nx.MultiDiGraph[str], rows: pd.DataFrame, owner: str) -> None:
    """Add the positions that a backstop or an auction took over."""
    column = OWNERS[owner]
    taken = rows.groupby([column, "clearer", "generation"], sort=True, as_index=False).agg(
        {"tick": "min", "quantity": "sum", "notional": "sum"}
    )
    sources = prefixed(f"{owner}:", taken[column])
    _add_edges(graph, "takeover", sources, prefixed("venue:", taken["clearer"]), taken)


def _add_edges(
    graph: nx.MultiDiGraph[str],
    relation: str,
    sources: Iterable[str],
    targets: Iterable[str],
    rows: pd.DataFrame,
) -> None:
    """Add one edge per row with the edge attributes that `rows` holds."""
    known = rows[[name for name in _EDGE if name in rows.columns]]
    graph.add_edges_from(zip(sources, targets, records(known), strict=True), relation=relation)


def values(names: pd.Series) -> list[Any]:
    """Return a column as built-in values; text column by column is slow to walk through."""
    return names.to_numpy().tolist()


def prefixed(prefix: str, names: pd.Series) -> list[str]:
    """Return ``prefix + name`` for each of the names."""
    return [f"{prefix}{name}" for name in values(names)]


def records(frame: pd.DataFrame) -> Iterable[dict[str, Any]]:
    """Yield the rows as mappings with built-in types, as GraphML and JSON ask for."""
    names = [str(name) for name in frame.columns]
    columns = [values(frame[name]) for name in frame.columns]
    return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the garbage collector: a large graph has a million objects, none of them garbage."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
