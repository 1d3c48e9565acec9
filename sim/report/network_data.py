"""A causal graph made ready to draw: nodes, edges of four relations, and how much each weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from sim.core.arrays import FloatArray
from sim.report.matrix import EXOGENOUS, OTHER_CAUSES
from sim.report.network_cohorts import SEVERAL, cohorts_by_venue

OWNER, MARKET, CAUSE = "owner", "market", "cause"
SOLD, BROKE, PASSED, NEWS = "sold", "broke", "passed", "news"
COLLATERAL = "collateral"
"""Sector of the values of collateral, which are hubs as markets are."""
MAX_CAUSES = 6
MAX_LINES = 400
"""Edges drawn one by one; more are drawn as bundles of a generation, venue and market."""
_KINDS = {
    "account": OWNER, "cohort": OWNER, "market": MARKET, COLLATERAL: MARKET, "cause": CAUSE,
}  # fmt: skip
_CODES = (SOLD, BROKE, PASSED, NEWS)
_RELATIONS = {"forced_order": 0, "cross_impact": 0, "break": 1, "passes": 2}
_NEWS_CODE = 3


@dataclass(frozen=True)
class NetworkData:
    """What is drawn of a causal graph.

    Parameters
    ----------
    nodes : pandas.DataFrame
        `name`, `kind` (``owner``, ``market`` or ``cause``), `label`, `venue` (the clearer of an
        owner), `generation` (-1 but for owners), `weight` (>= 0).
    edges : pandas.DataFrame
        `source`, `target` (rows of `nodes`; -1 for the owners of a bundle), `relation`
        (``sold``, ``broke``, ``passed`` or ``news``), `venue` and `generation` of the owner,
        `weight` (> 0), comparable within a relation only.
    bundled : bool
        Whether edges are summed over the owners of a venue and generation, those that are no
        nodes of the picture included.
    owners : int
        Accounts, or parts of cohorts, of the whole graph.
    last : int
        Last generation of the whole graph; -1 without owners.
    what : str
        ``accounts`` or ``cohorts``.
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame
    bundled: bool
    owners: int
    last: int
    what: str


def network_data(graph: nx.DiGraph[str], most: int = 5000) -> NetworkData:
    """Return the markets, causes and the (at most) `most` heaviest owners of a causal graph.

    The weight of an edge is its `loss` where any edge of its relation has one, else its
    `notional`, else the size of its `price_move`; that of a node its `notional`, else what its
    edges weigh.

    Parameters
    ----------
    graph : networkx.DiGraph or networkx.MultiDiGraph
        As ``Cascade.graph()`` gives it.
    most : int
        Accounts, or parts of cohorts, to draw, >= 1.

    Raises
    ------
    ValueError
        If `most` is below 1.
    """
    if most < 1:
        raise ValueError(f"most is {most}; a picture has at least 1 account")
    cohorts = [name for name, kind in graph.nodes(data="kind") if str(kind) == "cohort"]
    graph = cohorts_by_venue(graph) if cohorts else graph
    nodes, clearers = _nodes(graph)
    edges = _edges(graph, nodes, clearers)
    nodes = _weighed(nodes.assign(venue=_venues(nodes, clearers)), edges)
    nodes, edges = _few_causes(nodes, edges)
    owner = (nodes["kind"] == OWNER).to_numpy(dtype=np.bool_)
    ranked = nodes[owner].sort_values(["weight", "name"], ascending=[False, True], kind="stable")
    drawn = ~owner & ((nodes["kind"] != CAUSE) | (nodes["weight"] > 0.0)).to_numpy()
    drawn[ranked.index[:most]] = True
    bundled = len(edges) > MAX_LINES
    edges = _owned(edges, nodes, owner)
    edges = _bundles(edges, owner) if bundled else edges
    place = np.full(len(nodes) + 1, -1, dtype=np.int64)
    place[:-1][drawn] = np.arange(int(drawn.sum()))
    edges = edges.assign(**{end: place[edges[end].to_numpy()] for end in ("source", "target")})
    if not bundled:
        edges = edges[(edges["source"] >= 0) & (edges["target"] >= 0)]
    return NetworkData(
        nodes[drawn].reset_index(drop=True), edges.reset_index(drop=True), bundled,
        int(owner.sum()), int(nodes["generation"].max()) if len(nodes) else -1,
        "cohorts" if cohorts else "accounts",
    )  # fmt: skip


def _nodes(graph: nx.DiGraph[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the nodes of the picture, and the clearers that nodes name themselves."""
    rows: list[tuple[Any, ...]] = []
    clearers: dict[str, str] = {}
    for name, facts in graph.nodes(data=True):
        kind = _KINDS.get(str(facts.get("kind")))
        if kind is None:
            continue
        if kind == OWNER and facts.get("clearer"):
            clearers[name] = str(facts["clearer"])
        label = str(facts.get("label") or str(name).split(":", 1)[-1])
        venue = str(facts.get("venue") or label.split("/", 1)[0]) if kind == MARKET else ""
        venue = COLLATERAL if facts["kind"] == COLLATERAL else venue
        generation = int(facts.get("generation", 0)) if kind == OWNER else -1
        weight = float(facts.get("notional") or 0.0) if kind == OWNER else 0.0
        rows.append((str(name), kind, label, venue, generation, weight))
    columns = ["name", "kind", "label", "venue", "generation", "weight"]
    return pd.DataFrame(sorted(rows), columns=columns), clearers


def _venues(nodes: pd.DataFrame, clearers: dict[str, str]) -> list[str]:
    columns = (nodes[name].tolist() for name in ("name", "kind", "venue"))
    return [
        clearers.get(name, "") if kind == OWNER else venue
        for name, kind, venue in zip(*columns, strict=True)
    ]


def _edges(graph: nx.DiGraph[str], nodes: pd.DataFrame, clearers: dict[str, str]) -> pd.DataFrame:
    """Return the edges that moved or broke something, and note who clears whom."""
    index = {name: row for row, name in enumerate(nodes["name"].tolist())}
    causes = set(nodes.loc[nodes["kind"] == CAUSE, "name"])
    ends: tuple[list[int], list[int], list[int]] = ([], [], [])
    facts_of: tuple[list[float], list[float], list[float]] = ([], [], [])
    for source, target, facts in graph.edges(data=True):
        relation = facts.get("relation")
        if relation == "clears":
            clearer = str(target).split(":", 1)[-1]
            known = clearers.setdefault(source, clearer)
            clearers[source] = clearer if known == clearer else SEVERAL
        code = _NEWS_CODE if source in causes else _RELATIONS.get(str(relation))
        if code is None or source not in index or target not in index:
            continue
        for column, value in zip(ends, (index[source], index[target], code), strict=True):
            column.append(value)
        for numbers, key in zip(facts_of, ("loss", "notional", "price_move"), strict=True):
            numbers.append(facts.get(key) or 0.0)
    begin, end, relations = (np.array(column, dtype=np.int64) for column in ends)
    number = np.nan_to_num(np.array(facts_of, dtype=np.float64).T)
    number[:, 2] = np.abs(number[:, 2])
    weight = _weights(np.maximum(number, 0.0), relations)
    table = pd.DataFrame({"source": begin, "target": end, "code": relations, "weight": weight})
    keys = ["source", "target", "code"]
    table = table.sort_values([*keys, "weight"], kind="stable")
    total = table.groupby(keys, sort=True, as_index=False)[["weight"]].sum()
    total = total.assign(relation=np.array(_CODES, dtype=object)[total["code"].to_numpy()])
    return total.loc[total["weight"] > 0.0, total.columns != "code"].reset_index(drop=True)


def _weights(number: FloatArray, code: np.ndarray) -> FloatArray:
    """Return the first kind of weight (loss, notional, move) that any edge of a relation has."""
    weight = np.zeros(len(number))
    for relation in range(len(_CODES)):
        mine = code == relation
        kinds = [k for k in range(3) if (number[mine, k] > 0.0).any()]
        if kinds:
            weight[mine] = number[mine, kinds[0]]
    return weight


def _weighed(nodes: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
    """Return the nodes with weights: of owners their notional if any has one, else of edges."""
    touched = np.zeros(len(nodes))
    for end in ("source", "target"):
        touched += np.bincount(edges[end], weights=edges["weight"], minlength=len(nodes))
    own = nodes["weight"].to_numpy(dtype=np.float64)
    owner = (nodes["kind"] == OWNER).to_numpy(dtype=np.bool_)
    use_own = owner & bool((own > 0.0).any())
    return nodes.assign(weight=np.where(use_own, own, touched))


def _few_causes(nodes: pd.DataFrame, edges: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Let the smallest causes be one node; exogenous is no small one."""
    causes = nodes[nodes["kind"] == CAUSE]
    news = causes["label"] == EXOGENOUS
    ranked = causes.assign(news=news).sort_values(
        ["news", "weight", "name"], ascending=[False, False, True], kind="stable"
    )
    small = ranked.index[MAX_CAUSES - 1 :]
    if len(ranked) <= MAX_CAUSES:
        return nodes, edges
    one = nodes.loc[small[:1]].assign(
        name="cause:" + OTHER_CAUSES, label=OTHER_CAUSES, weight=nodes.loc[small, "weight"].sum()
    )
    nodes = nodes.assign(weight=nodes["weight"].where(~nodes.index.isin(small), 0.0))
    nodes = pd.concat([nodes, one], ignore_index=True)
    source = edges["source"].where(~edges["source"].isin(small), len(nodes) - 1)
    keys = ["source", "target", "relation"]
    merged = edges.assign(source=source).groupby(keys, sort=True, as_index=False)[["weight"]].sum()
    return nodes, merged


def _owned(edges: pd.DataFrame, nodes: pd.DataFrame, owner: np.ndarray) -> pd.DataFrame:
    """Return the edges with the venue and the generation of their owner."""
    source, target = (edges[end].to_numpy(dtype=np.int64) for end in ("source", "target"))
    own = np.where(owner[source], source, target)
    return edges.assign(
        venue=nodes["venue"].to_numpy(dtype=object)[own],
        generation=nodes["generation"].to_numpy(dtype=np.int64)[own],
    )


def _bundles(edges: pd.DataFrame, owner: np.ndarray) -> pd.DataFrame:
    """Sum the edges of the owners of a venue and generation to or from one other node."""
    ends = {end: np.where(owner[edges[end].to_numpy()], -1, edges[end]) for end in
            ("source", "target")}  # fmt: skip
    keys = ["source", "target", "relation", "venue", "generation"]
    return edges.assign(**ends).groupby(keys, sort=True, as_index=False)[["weight"]].sum()
