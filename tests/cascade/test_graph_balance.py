"""Sums at the nodes of the causal graph, its views and windows."""

from __future__ import annotations

import math
from collections import defaultdict

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.cascade import Cascade
from tests.cascade.synthetic_losses import (
    Told,
    even,
    fall,
    linear,
    shuffled,
    told,
    two_venues,
)
from tests.report import synthetic

INTO = ("forced_order", "cross_impact", "unattributed", "cause", "passes", "break")


def sums(graph: nx.MultiDiGraph) -> tuple[dict[object, float], dict[object, float]]:
    """Return the loss that enters and leaves each node, by wave of forced selling."""
    into: dict[object, float] = defaultdict(float)
    out: dict[object, float] = defaultdict(float)
    for source, target, edge in graph.edges(data=True):
        if "loss" not in edge:
            continue
        wave = edge.get("source_generation", edge["generation"])
        into[target, wave] += edge["loss"]
        out[source, wave] += edge["loss"]
    return into, out


def assert_balanced(cascade: Cascade, graph: nx.MultiDiGraph, owner: str) -> None:
    into, out = sums(graph)
    places = [n for n, k in graph.nodes(data="kind") if k in ("market", "collateral")]
    waves = {wave for _, wave in into}
    scale = cascade.losses()["loss"].abs().sum()
    for place in places:
        for wave in waves:
            assert into[place, wave] == pytest.approx(out[place, wave], abs=1e-9 * scale)
    column = {"account": "account_id", "cohort": "cohort"}[owner]
    lost = cascade.losses().groupby(column)["loss"].sum()
    for name, loss in lost.items():
        node = f"{owner}:{name}"
        assert sum(into[node, wave] for wave in waves) == pytest.approx(loss, abs=1e-9 * scale)
        assert graph.nodes[node]["loss"] == pytest.approx(loss, abs=1e-9 * scale)


@pytest.mark.parametrize("level", ["accounts", "cohorts"])
def test_what_enters_a_market_leaves_it_and_what_enters_an_account_is_its_loss(level: str) -> None:
    for cascade in (linear(200), two_venues(), two_venues(unrolled=False)):
        graph = cascade.graph(level)  # type: ignore[arg-type]
        assert graph.graph["losses"] == "attributed"
        assert_balanced(cascade, graph, level[:-1])


def with_money_and_collateral() -> Told:
    """Two venues, with fees, a loss on collateral, a recovery, and a move without an order."""
    tables = fall({"alpha": even(30, 0.5), "beta": even(30, 0.5)}, 0.05, 0.01, 0.005, True)
    losses = tables["losses"]
    one = losses.iloc[[0]]
    more = [
        one.assign(cause="fees", through="", source="", loss=3.0),
        one.assign(cause="mark", through="alpha/X", source="", loss=-0.5),
        one.assign(cause="reversion", loss=-0.01),
        one.assign(through="collateral:BTC", source="beta/X", loss=0.25),
        one.assign(
            cause="liquidation:gamma", through="collateral:BTC", source="beta/X",
            source_generation=0, source_tick=1, loss=0.125,
        ),
    ]  # fmt: skip
    return told(tables | {"losses": pd.concat([losses, *more], ignore_index=True)})


@pytest.mark.parametrize("level", ["accounts", "cohorts"])
def test_money_collateral_and_unknown_sellers_balance_too(level: str) -> None:
    cascade = with_money_and_collateral()
    graph = cascade.graph(level)  # type: ignore[arg-type]
    assert_balanced(cascade, graph, level[:-1])
    assert graph.nodes["collateral:BTC"]["kind"] == "collateral"
    victim = "account:0@alpha" if level == "accounts" else "cohort:whales"
    edges = [d for _, _, d in graph.edges(data=True) if d["relation"] == "unattributed"]
    assert [d["loss"] for d in edges] == [0.125]
    ((fee,),) = [[d["loss"] for d in graph["cause:fees"][victim].values()]]
    assert fee == 3.0
    passed = graph["market:beta/X"]["collateral:BTC"].values()
    assert sorted((d["generation"], d["loss"]) for d in passed) == [(-1, 0.25), (0, 0.125)]


@settings(max_examples=25, deadline=None)
@given(
    levels=st.lists(st.floats(0.001, 0.6), min_size=1, max_size=30),
    others=st.lists(st.floats(0.001, 0.6), min_size=0, max_size=30),
    shock=st.floats(0.0, 0.3),
    own=st.floats(0.0, 0.05),
    other=st.floats(0.0, 0.05),
    unrolled=st.booleans(),
)
def test_any_cascade_balances(
    levels: list[float], others: list[float], shock: float, own: float, other: float,
    unrolled: bool,
) -> None:  # fmt: skip
    falls = {"alpha": np.array(levels), "beta": np.array(others)}
    cascade = told(fall(falls, shock, own, other, unrolled))
    if not cascade.has_losses:
        return
    graph = cascade.graph("accounts")
    assert_balanced(cascade, graph, "account")
    assert_balanced(cascade, cascade.graph("cohorts"), "cohort")
    children = sum(node.get("children", 0.0) for _, node in graph.nodes(data=True))
    later = (cascade.breaks["generation"] >= 1).sum()
    hurt = cascade.losses().query("source_generation >= 0 and generation >= 1 and loss > 0")
    assert children == pytest.approx(hurt["break_id"].nunique())
    assert children <= later + 1e-9


@pytest.mark.parametrize("unrolled", [True, False])
def test_mean_children_are_g_and_orders_cost_what_the_cascade_took(unrolled: bool) -> None:
    g, shock, number = 0.8, 0.02, 2000
    cascade = linear(number, g, shock, unrolled=unrolled)
    graph = cascade.graph("accounts")
    accounts = [node for _, node in graph.nodes(data=True) if node["kind"] == "account"]
    children = np.array([node["children"] for node in accounts])
    generation = np.array([node["generation"] for node in accounts])
    assert children.mean() == pytest.approx(g, abs=0.01)
    for round_ in range(6):
        assert children[generation == round_].mean() == pytest.approx(g, abs=0.05)
    moves = [d["price_move"] for *_, d in graph.edges(data=True) if d["relation"] == "forced_order"]
    end = shock / (1.0 - g)
    assert -sum(moves) * 1e6 == pytest.approx(end - shock, abs=1e-3)
    caused = sum(node["loss_caused"] for node in accounts)
    forced = cascade.losses().query("source_generation >= 0")["loss"].sum()
    assert caused == pytest.approx(forced, rel=1e-12)


@pytest.mark.parametrize("level", ["venues", "assets"])
def test_views_of_venues_and_assets_sum_to_the_losses(level: str) -> None:
    cascade = with_money_and_collateral()
    graph = cascade.graph(level)  # type: ignore[arg-type]
    into, _ = sums(graph)
    assert sum(into.values()) == pytest.approx(cascade.losses()["loss"].sum())
    for node, facts in graph.nodes(data=True):
        if facts["kind"] != "cause":
            entered = sum(loss for (target, _), loss in into.items() if target == node)
            assert facts["loss"] == pytest.approx(entered, abs=1e-9)
    if level == "venues":
        assert {"venue:alpha", "venue:beta", "venue:gamma"} <= set(graph)
        assert graph.nodes["venue:alpha"]["notional"] > 0.0
    else:
        assert {"asset:X", "asset:BTC", "money"} <= set(graph)


def test_windows_split_the_losses_and_keep_earlier_orders() -> None:
    cascade = two_venues()
    whole = cascade.losses()["loss"].sum()
    total = 0.0
    orders = 0
    for (start, end), graph in cascade.graphs(every=2.0, level="accounts"):
        part = cascade.losses().query("@start <= time < @end")
        lost = sum(n.get("loss", 0.0) for _, n in graph.nodes(data=True) if n["kind"] == "account")
        assert lost == pytest.approx(part["loss"].sum())
        total += lost
        into, out = sums(graph)
        for place in (n for n, k in graph.nodes(data="kind") if k == "market"):
            for wave in range(-1, 20):
                assert into[place, wave] == pytest.approx(out[place, wave], abs=1e-9)
        orders += sum(
            start <= d["tick"] < end
            for *_, d in graph.edges(data=True)
            if d["relation"] == "forced_order"
        )
    assert total == pytest.approx(whole)
    assert orders == len(cascade.liquidations)
    first = cascade.graph("accounts", window=(0.0, 2.0))
    generations = {n["generation"] for _, n in first.nodes(data=True) if n["kind"] == "account"}
    assert generations == {0}


@pytest.mark.parametrize("window", [(2.0, 1.0), (1.0,), (math.nan, 1.0), "ab", (1.0, 1.0)])
def test_a_window_must_be_start_and_end(window: object) -> None:
    with pytest.raises(ValueError, match="window is"):
        linear(20).graph(window=window)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="window is"):
        linear(20).spillover(unit="loss", window=window)  # type: ignore[arg-type]


@pytest.mark.parametrize("every", [0.0, -1.0, math.nan, math.inf, 1e-9])
def test_windows_must_have_a_length(every: float) -> None:
    with pytest.raises(ValueError, match="every is"):
        list(linear(20).graphs(every))


def test_a_run_without_losses_has_the_first_order_graph_and_says_so() -> None:
    cascade = linear(50)
    old = Cascade(cascade.liquidations, cascade.price_causes, cascade.prices, cascade.venues)
    graph = old.graph("accounts")
    assert graph.graph["losses"] == "first order"
    assert not any(kind == "cause" for _, kind in graph.nodes(data="kind"))
    for level in ("venues", "assets"):
        with pytest.raises(ValueError, match="did not record"):
            old.graph(level)  # type: ignore[arg-type]


def same(one: nx.MultiDiGraph, other: nx.MultiDiGraph) -> bool:
    def edges(graph: nx.MultiDiGraph) -> list[tuple[object, ...]]:
        return sorted(
            (u, v, *(f"{k}={x:.9g}" if isinstance(x, float) else f"{k}={x}"
                     for k, x in sorted(d.items())))
            for u, v, d in graph.edges(data=True)
        )  # fmt: skip

    return edges(one) == edges(other) and set(one) == set(other)


def test_the_order_of_rows_does_not_matter() -> None:
    levels = {"alpha": even(60, 0.5), "beta": even(40, 0.6)}
    tables = fall(levels, 0.05, 0.004, 0.001, True)
    for level in ("accounts", "cohorts", "venues", "assets"):
        graph = told(tables).graph(level)  # type: ignore[arg-type]
        again = told(shuffled(tables, 3)).graph(level)  # type: ignore[arg-type]
        assert same(graph, again)


def test_random_books_without_losses_still_build() -> None:
    result = synthetic.world(2, 2, orders=200)
    cascade = Cascade(result.liquidations, result.price_causes, result.prices, result.venues)
    assert cascade.graph("accounts").number_of_edges() > 200
