"""The causal graph of a cascade: who moved which market, which market broke whom.

Nodes are named ``<kind>:<name>``, so that an account and a venue may share a name:
``account:17`` or ``cohort:retail``, ``market:alpha/BTC-PERP``, ``collateral:BTC``,
``venue:alpha``, ``cause:exogenous``. Edges carry `relation`:

================ ========================= ==================================================
relation         from -> to                attributes
================ ========================= ==================================================
``forced_order`` account or cohort->market generation, tick, quantity [contracts, signed],
                                           notional [quote], price_move [1, log price], clearer,
                                           loss [numeraire]: what it cost accounts that broke
``cross_impact`` account or cohort->market generation, tick, price_move, clearer, loss: the
                                           forced order was sent on another market
``unattributed`` venue -> market           the same: a move booked to the venue's liquidations
                                           without a recorded order in that generation
``cause``        cause -> market, or       price_move, loss: news, voluntary orders, reversion,
                 collateral, or owner      funding, fees; to the owner where no price moved
``passes``       market -> market or       generation, loss: the move of one market was felt
                 collateral                through the mark or the value of another
``break``        market or collateral ->   generation, tick, loss, source_generation: that of
                 account or cohort         the forced orders behind it, -1 for other causes
``takeover``     account or cohort->venue  generation, tick, quantity, notional of positions
                                           that a backstop or an auction took over
``clears``       account or cohort->venue  membership: the clearer of the account
``lists``        market -> venue           membership
================ ========================= ==================================================

**Balance.** At every market and collateral `loss` comes in as it goes out, for each generation of
forced orders and for what is outside them (-1): in by ``forced_order``, ``cross_impact``,
``unattributed``, ``cause`` and ``passes`` edges, by their `generation`; out by ``passes`` edges,
by `generation`, and ``break`` edges, by `source_generation`. What enters an account is its loss.

Where a run has no record of losses, ``break`` edges hold the first-order estimate of
``sim.cascade.attribution.breaks`` (`price_move`, `notional`, `loss` [quote]) for generations from 1
on, ``cause`` and ``passes`` edges are missing, and nothing balances. ``graph.graph["losses"]`` says
which it is: ``attributed`` or ``first order``.

A cohort stands for its accounts: its edges are summed per market, clearer and generation over
all ticks; `tick` is the first of them. Every attribute is a plain str, int or float, so the graph
exports to GraphML as it is.
"""

from __future__ import annotations

import networkx as nx
import pandas as pd

from sim.cascade.attribution import breaks as first_order_breaks
from sim.cascade.balance import children, per_break
from sim.cascade.edges import (
    OWNERS,
    Recorded,
    add_causes,
    add_estimates,
    add_losses,
    add_orders,
    add_takeovers,
    is_collateral,
    prefixed,
    records,
    uncollected,
)
from sim.cascade.tables import BROKEN_KINDS, MARKET_KIND


def build_graph(recorded: Recorded, owner: str) -> nx.MultiDiGraph[str]:
    """Build the graph with `owner` (``account`` or ``cohort``) as the nodes that trade."""
    with uncollected():
        return _built(recorded, owner)


def _built(recorded: Recorded, owner: str) -> nx.MultiDiGraph[str]:
    losses = "attributed" if recorded.attributed else "first order"
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph(losses=losses)
    inside = recorded.window.of(recorded.liquidations)
    broken = inside[inside["kind"].isin(BROKEN_KINDS)]
    _add_places(graph, recorded, broken)
    orders = _orders(recorded, owner)
    _add_owners(graph, recorded, broken, orders, owner)
    add_orders(graph, recorded, orders, owner)
    if recorded.attributed:
        add_causes(graph, recorded, owner)
        add_losses(graph, recorded, owner)
    else:
        estimated = first_order_breaks(recorded.liquidations, recorded.price_causes)
        add_estimates(graph, recorded.window.of(estimated), owner)
    add_takeovers(graph, broken[broken["kind"] != MARKET_KIND], owner)
    return graph


def _add_places(graph: nx.MultiDiGraph[str], recorded: Recorded, broken: pd.DataFrame) -> None:
    """Add venues, markets and collateral."""
    sellers = sorted({*broken["clearer"], *recorded.flows.rest["clearer"]} - {*recorded.venues})
    known = [*recorded.venues, *(str(name) for name in sellers)]
    graph.add_nodes_from((f"venue:{name}", {"kind": "venue", "label": name}) for name in known)
    through = [str(name) for name in recorded.flows.losses["through"].unique()]
    sources = [str(name) for name in recorded.flows.losses["source"].unique()]
    held = sorted(name for name in through if is_collateral(name))
    listed = [*recorded.markets, *sorted({*through, *sources} - {*held, "", *recorded.markets})]
    for market in listed:
        venue = market.split("/", 1)[0]
        graph.add_node(f"market:{market}", kind="market", label=market, venue=venue)
        if f"venue:{venue}" not in graph:
            graph.add_node(f"venue:{venue}", kind="venue", label=venue)
        graph.add_edge(f"market:{market}", f"venue:{venue}", relation="lists")
    for name in held:
        graph.add_node(name, kind="collateral", label=name.split(":", 1)[1])


def _orders(recorded: Recorded, owner: str) -> pd.DataFrame:
    """Return the orders that traded in the window or cost somebody something who broke in it."""
    orders = recorded.flows.orders
    orders = orders.assign(children=children(recorded.flows))
    orders = orders[recorded.window.holds(orders["tick"]) | (orders["loss"] != 0.0)]
    if owner == "account":
        return orders
    totals = {"tick": "min"} | dict.fromkeys(
        ("quantity", "notional", "price_move", "loss", "children"), "sum"
    )
    keys = ["cohort", "clearer", "market", "generation", "relation"]
    return orders.groupby(keys, sort=True, as_index=False).agg(totals)


def _add_owners(
    graph: nx.MultiDiGraph[str],
    recorded: Recorded,
    broken: pd.DataFrame,
    orders: pd.DataFrame,
    owner: str,
) -> None:
    """Add account or cohort nodes with what they lost and caused, and their membership."""
    column = OWNERS[owner]
    at_market = broken["notional"].where(broken["kind"] == MARKET_KIND, 0.0)
    nodes = broken.assign(notional=at_market).groupby(column, sort=True).agg(
        generation=("generation", "min"), notional=("notional", "sum"),
        accounts=("account_id", "nunique"), cohort=("cohort", "first"),
    )  # fmt: skip
    breaks = per_break(recorded.flows.losses)
    hurt = breaks.groupby(column, sort=True).agg(
        first=("generation", "min"), hit=("account_id", "nunique"), of=("cohort", "first"),
        loss=("loss", "sum"),
    )  # fmt: skip
    cost = orders.groupby(column, sort=True).agg(
        since=("generation", "min"), own=("cohort", "first"), loss_caused=("loss", "sum"),
        children=("children", "sum"),
    ) if owner == "account" else orders.groupby(column, sort=True).agg(
        since=("generation", "min"), loss_caused=("loss", "sum"), children=("children", "sum"),
    )  # fmt: skip
    facts = nodes.join(hurt, how="outer").join(cost, how="outer")
    first = facts[["generation", "first", "since"]].min(axis=1).astype("int64")
    cohort = facts["cohort"].fillna(facts["of"])
    cohort = cohort.fillna(facts["own"]) if owner == "account" else facts.index.to_series()
    frame = pd.DataFrame({
        "label": facts.index.astype(str), "generation": first, "notional": facts["notional"],
        "accounts": facts["accounts"].fillna(facts["hit"]).fillna(1).astype("int64"),
        "cohort": cohort.astype(str), "loss": facts["loss"],
        "loss_caused": facts["loss_caused"], "children": facts["children"],
    })  # fmt: skip
    numbers = ["notional", "loss", "loss_caused", "children"]
    frame[numbers] = frame[numbers].fillna(0.0)
    graph.add_nodes_from(
        (f"{owner}:{row['label']}", {"kind": owner, **row}) for row in records(frame)
    )
    named = [frame[[column, "clearer"]].astype("str") for frame in (broken, breaks)]
    pairs = pd.concat(named).drop_duplicates()
    ends = zip(
        prefixed(f"{owner}:", pairs[column]), prefixed("venue:", pairs["clearer"]), strict=True
    )
    graph.add_edges_from(ends, relation="clears")
