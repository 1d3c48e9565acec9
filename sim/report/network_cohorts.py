"""A causal graph of cohorts with each cohort parted by venue and generation, as accounts are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx as nx

SEVERAL = "several venues"


def cohorts_by_venue(graph: nx.DiGraph[str]) -> nx.MultiDiGraph[str]:
    """Return the graph with a node for each cohort, venue and generation that has an edge.

    Parameters
    ----------
    graph : networkx.DiGraph or networkx.MultiDiGraph
        As ``Cascade.graph("cohorts")`` gives it.

    Returns
    -------
    networkx.MultiDiGraph
        The venue of a part is the `clearer` of its edges, else the venue of the market at their
        other end; its `notional` is what it sold by force. Membership and takeovers are left
        out.
    """
    parted: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    kind = {name: str(kind) for name, kind in graph.nodes(data="kind")}
    parted.add_nodes_from(
        (name, facts) for name, facts in graph.nodes(data=True) if kind[name] != "cohort"
    )
    for source, target, facts in graph.edges(data=True):
        ends = [source, target]
        for at, name in enumerate(ends):
            if kind[name] == "cohort":
                other = graph.nodes[ends[1 - at]]
                if kind[ends[1 - at]] == "venue":
                    break
                ends[at] = _part(parted, name, graph.nodes[name], facts, other)
        else:
            parted.add_edge(*ends, **facts)
    return parted


def _part(
    parted: nx.MultiDiGraph[str],
    name: str,
    cohort: Mapping[str, Any],
    edge: Mapping[str, Any],
    other: Mapping[str, Any],
) -> str:
    """Return the part of a cohort that an edge belongs to; it is made if missing."""
    venue = str(edge.get("clearer") or other.get("venue") or SEVERAL)
    generation = max(int(edge.get("generation", 0)), 0)
    part = f"{name}\N{MIDDLE DOT}{venue}\N{MIDDLE DOT}{generation}"
    if part not in parted:
        label = str(cohort.get("label") or name.split(":", 1)[-1])
        parted.add_node(part, kind="cohort", label=label, clearer=venue, generation=generation,
                        notional=0.0)  # fmt: skip
    if edge.get("relation") == "forced_order":
        parted.nodes[part]["notional"] += float(edge.get("notional") or 0.0)
    return part
