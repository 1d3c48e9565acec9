"""Views of the causal graph that sum accounts up to venues or assets.

Nodes are ``venue:<name>`` or ``asset:<name>`` and ``cause:<name>``. An edge ``spillover`` from one
to another has, for one generation of broken accounts, the `loss` [numeraire] that forced orders of
the one (or the cause) cost the other. So what enters a node is what its accounts lost, or what was
lost through it. Losses through no asset at all (funding, fees, transfers) enter ``money``.
"""

from __future__ import annotations

import networkx as nx
import pandas as pd

from sim.cascade.balance import Flows
from sim.cascade.edges import records
from sim.cascade.spillover import MONEY, asset_of, spillover_long
from sim.cascade.tables import MARKET_KIND, with_market
from sim.cascade.windows import Window

VIEWS = {"venues": "venue", "assets": "asset"}


def group_graph(
    flows: Flows,
    liquidations: pd.DataFrame,
    view: str,
    groups: list[str],
    bases: dict[str, str],
    window: Window,
) -> nx.MultiDiGraph[str]:
    """Return the graph of venues or assets.

    Parameters
    ----------
    flows : Flows
        Forced orders and the losses in the window, tied to each other.
    liquidations : pandas.DataFrame
        Recorded table; gives nodes the forced `notional` [quote] of the window.
    view : {"venues", "assets"}
        What the nodes are.
    groups : list of str
        Venues or assets that are nodes in any case.
    bases : dict of str to str
        Base asset by market.
    window : Window
        Ticks that count.
    """
    kind = VIEWS[view]
    rows = spillover_long(flows, kind, bases, "generation")
    forced = rows["source_kind"] == "forced"
    sold = _notional(window.of(liquidations), kind, bases)
    lost = rows.groupby("target")["loss"].sum().to_dict()
    cost = rows[forced].groupby("source")["loss"].sum().to_dict()
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph(losses="attributed")
    named = dict.fromkeys([*groups, *sorted({*rows["target"], *rows.loc[forced, "source"]})])
    for name in named:
        graph.add_node(
            _node(kind, name), kind="money" if name == MONEY else kind, label=name,
            loss=float(lost.get(name, 0.0)), loss_caused=float(cost.get(name, 0.0)),
            notional=float(sold.get(name, 0.0)),
        )  # fmt: skip
    for name in sorted(set(rows.loc[~forced, "source"])):
        label = name.removeprefix("cause:")
        graph.add_node(f"cause:{label}", kind="cause", label=label)
    for row in records(rows):
        source = row.pop("source").removeprefix("cause:")
        target = row.pop("target")
        origin = _node(kind if row.pop("source_kind") == "forced" else "cause", source)
        graph.add_edge(origin, _node(kind, target), relation="spillover", **row)
    return graph


def _node(kind: str, name: str) -> str:
    return MONEY if kind == "asset" and name == MONEY else f"{kind}:{name}"


def _notional(liquidations: pd.DataFrame, kind: str, bases: dict[str, str]) -> dict[str, float]:
    """Return the notional sold to the market by clearer or by base asset."""
    sold = liquidations[liquidations["kind"] == MARKET_KIND]
    if kind == "venue":
        group = sold["clearer"].astype(str)
    else:
        group = asset_of(with_market(sold)["market"], bases)
    return {str(name): float(part) for name, part in sold.groupby(group)["notional"].sum().items()}
