"""A causal graph made ready to draw: nodes, edges of two kinds, and how much each weighs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

OWNERS = ("account", "cohort")
MARKET, CAUSE = "market", "cause"
SOLD, BROKE, NEWS = "sold", "broke", "news"
_RELATIONS = {"forced_order": SOLD, "cross_impact": SOLD, "break": BROKE}
_NODE_COLUMNS = ["name", "kind", "label", "venue", "generation", "weight"]
_EDGE_COLUMNS = ["source", "target", "relation", "weight"]
SEVERAL = "several venues"


@dataclass(frozen=True)
class NetworkData:
    """What is drawn of a causal graph.

    Parameters
    ----------
    nodes : pandas.DataFrame
        `name`, `kind` (``owner``, ``market`` or ``cause``), `label`, `venue` (clearer of an
        owner), `generation` (-1 but for owners), `weight` (>= 0).
    edges : pandas.DataFrame
        `source`, `target` (names of nodes), `relation` (``sold``, ``broke`` or ``news``),
        `weight` (> 0), comparable within a relation only.
    owners : int
        Accounts or cohorts of the whole graph.
    what : str
        ``accounts`` or ``cohorts``.
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame
    owners: int
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
        Accounts or cohorts to draw.
    """
    edges = _edges(graph)
    nodes = _nodes(graph, edges)
    owners = nodes[nodes["kind"] == "owner"]
    ranked = owners.sort_values(["weight", "name"], ascending=[False, True], kind="stable")
    kept = pd.concat([nodes[nodes["kind"] != "owner"], ranked.iloc[:most]])
    names = set(kept["name"])
    edges = edges[edges["source"].isin(names) & edges["target"].isin(names)]
    causes_drawn = set(edges["source"])
    unused = (kept["kind"] == CAUSE) & ~kept["name"].isin(causes_drawn)
    kinds = {str(kind) for _, kind in graph.nodes(data="kind")}
    what = "cohorts" if "cohort" in kinds else "accounts"
    kept = kept[~unused].reset_index(drop=True)
    return NetworkData(kept, edges.reset_index(drop=True), len(owners), what)


def _edges(graph: nx.DiGraph[str]) -> pd.DataFrame:
    """Return the edges that moved or broke something, those between two nodes summed."""
    kind = dict(graph.nodes(data="kind"))
    rows: list[tuple[str, str, str, float, float, float]] = []
    for source, target, facts in graph.edges(data=True):
        relation = _RELATIONS.get(str(facts.get("relation")))
        if kind.get(source) == CAUSE and kind.get(target) in (MARKET, *OWNERS):
            relation = NEWS
        if relation is None:
            continue
        loss, notional = _number(facts, "loss"), _number(facts, "notional")
        rows.append((source, target, relation, loss, notional, abs(_number(facts, "price_move"))))
    table = pd.DataFrame(rows, columns=[*_EDGE_COLUMNS[:-1], "loss", "notional", "move"])
    parts = [_weighted(mine) for _, mine in table.groupby("relation", sort=True)]
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in _EDGE_COLUMNS})
    found = pd.concat(parts).groupby(_EDGE_COLUMNS[:-1], sort=True, as_index=False)["weight"].sum()
    return found[found["weight"] > 0.0]


def _weighted(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the edges of one relation with the first kind of weight that any of them has."""
    for column in ("loss", "notional", "move"):
        weight = rows[column].clip(lower=0.0)
        if (weight > 0.0).any():
            break
    return rows[_EDGE_COLUMNS[:-1]].assign(weight=weight)


def _number(facts: Mapping[str, Any], name: str) -> float:
    value = float(facts.get(name) or 0.0)
    return value if np.isfinite(value) else 0.0


def _nodes(graph: nx.DiGraph[str], edges: pd.DataFrame) -> pd.DataFrame:
    """Return the nodes of the picture; venues are the places of others and no nodes."""
    touched = edges.groupby("source")["weight"].sum().add(
        edges.groupby("target")["weight"].sum(), fill_value=0.0
    ).to_dict()  # fmt: skip
    clearers = _clearers(graph)
    rows = []
    for name, facts in graph.nodes(data=True):
        kind = str(facts.get("kind"))
        if kind not in (*OWNERS, MARKET, CAUSE):
            continue
        owner = kind in OWNERS
        venue = str(facts.get("venue") or "") if not owner else clearers.get(name, "")
        label = str(facts.get("label") or name.split(":", 1)[-1])
        weight = (_number(facts, "notional") if owner else 0.0) or float(touched.get(name, 0.0))
        generation = int(facts.get("generation", 0)) if owner else -1
        rows.append((name, "owner" if owner else kind, label, venue, generation, weight))
    return pd.DataFrame(rows, columns=_NODE_COLUMNS)


def _clearers(graph: nx.DiGraph[str]) -> dict[str, str]:
    """Return the clearer of each owner, or "several venues"."""
    found: dict[str, str] = {
        str(name): str(clearer) for name, clearer in graph.nodes(data="clearer") if clearer
    }
    for source, target, relation in graph.edges(data="relation"):
        if relation == "clears":
            clearer = str(target).split(":", 1)[-1]
            found[source] = clearer if found.get(source, clearer) == clearer else SEVERAL
    return found
