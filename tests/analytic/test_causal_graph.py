"""The causal graph of runs whose cascade has a closed form.

In the linear cascade (thresholds even on 0 .. Theta, g accounts broken per account) generation k
has ``N_k = N s g**k / Theta`` of the N accounts, which hold 1 / N each and lost the move before
it, ``s g**k``. So

    loss by the shock   s**2 / Theta,
    loss in all         s**2 / (Theta (1 - g**2)),

and of all loss the share g**2 was caused by forced orders.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import sim
from sim.cascade.statistics import branching_ratio_interval
from tests.analytic.bench import fall, run, uniform_book
from tests.analytic.test_poisson_cascade import BookWriter, scenario

THETA, G, SHOCK, ACCOUNTS = 0.5, 0.8, 0.02, 20_000


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> sim.Result:
    book = uniform_book(ACCOUNTS, THETA).write(tmp_path_factory.mktemp("uniform"))
    values = {"markets.0.impact.coefficient": G * THETA, "shocks.0.return": -SHOCK}
    return run("linear-cascade", {**book, **values})


@pytest.fixture(scope="module")
def graph(linear: sim.Result) -> nx.MultiDiGraph:
    return linear.cascade.graph("accounts")


def test_mean_children_are_g_in_every_generation(graph: nx.MultiDiGraph) -> None:
    accounts = [facts for _, facts in graph.nodes(data=True) if facts["kind"] == "account"]
    children = np.array([facts["children"] for facts in accounts])
    generation = np.array([facts["generation"] for facts in accounts])
    # A finite book ends half an account early in each generation.
    assert children.mean() == pytest.approx(G, abs=2e-3)
    for k in range(10):
        assert children[generation == k].mean() == pytest.approx(
            G, abs=10.0 / (generation == k).sum()
        )


def test_orders_move_the_price_by_what_the_cascade_added(
    linear: sim.Result, graph: nx.MultiDiGraph
) -> None:
    moves = [d["price_move"] for *_, d in graph.edges(data=True) if d["relation"] == "forced_order"]
    assert np.exp(sum(moves)) == pytest.approx((1.0 - fall(linear)) / (1.0 - SHOCK), rel=1e-12)
    ((_, _, shock),) = [e for e in graph.edges(data=True) if e[2]["relation"] == "cause"]
    assert np.exp(shock["price_move"]) == pytest.approx(1.0 - SHOCK, rel=1e-12)


def test_losses_have_their_closed_form(linear: sim.Result, graph: nx.MultiDiGraph) -> None:
    (market,) = [node for node, kind in graph.nodes(data="kind") if kind == "market"]
    into: dict[int, float] = defaultdict(float)
    out: dict[int, float] = defaultdict(float)
    for _, _, edge in graph.in_edges(market, data=True):
        into[edge["generation"]] += edge["loss"]
    for _, _, edge in graph.out_edges(market, data=True):
        if edge["relation"] == "break":
            out[edge["source_generation"]] += edge["loss"]
    sizes = linear.cascade.generations()["accounts"].to_numpy(dtype=float)
    assert into[-1] == pytest.approx(SHOCK * sizes[0] / ACCOUNTS, rel=1e-9)
    for k in range(len(sizes) - 1):
        move = G * THETA * sizes[k] / ACCOUNTS
        assert into[k] == pytest.approx(move * sizes[k + 1] / ACCOUNTS, rel=1e-9)
        assert out[k] == pytest.approx(into[k], rel=1e-12)
    whole = SHOCK**2 / (THETA * (1.0 - G**2))
    assert sum(out.values()) == pytest.approx(whole, rel=5e-3)
    assert 1.0 - out[-1] / sum(out.values()) == pytest.approx(G**2, abs=2e-3)


def test_one_shock_makes_one_cascade(linear: sim.Result) -> None:
    (whole,) = linear.cascade.clusters().to_dict("records")
    assert whole["breaks"] == linear.summary["accounts_liquidated"]
    assert whole["roots"] == pytest.approx(ACCOUNTS * SHOCK / THETA, abs=1)


def test_poisson_cascades_are_told_apart_and_branch_with_g(tmp_path: Path) -> None:
    """Markets that nothing ties: each cluster has the size of its market's cascade."""
    a, g, markets = 2.0, 0.6, 1_000
    loaded = scenario(tmp_path, a, g)
    generator = np.random.default_rng(41)
    counts = generator.poisson(60.0, markets)
    symbol = np.char.add("R", np.char.zfill(np.repeat(np.arange(markets), counts).astype(str), 4))
    threshold = generator.random(len(symbol)) * 60.0
    BookWriter().add("a", "one", threshold * 0.002, [("one", symbol, 1.0)]).write(tmp_path)
    cascade = sim.run(loaded).cascade
    sold = cascade.liquidations
    found = cascade.clusters()
    assert sorted(found["breaks"]) == sorted(sold.groupby("symbol").size())
    mean, variance = a / (1.0 - g), a / (1.0 - g) ** 3
    assert abs(found["breaks"].sum() / markets - mean) < 4.0 * np.sqrt(variance / markets)
    sizes = sold.groupby(["symbol", "generation"]).agg(
        accounts=("account_id", "nunique"), liquidated_notional=("notional", "sum")
    )
    tables = [table.reset_index("generation") for _, table in sizes.groupby("symbol")]
    interval = branching_ratio_interval(tables, level=0.999).set_index("generation")
    assert interval.loc[-1, "replications"] == len(found)
    # 1 - roots / all, and markets without a root have neither.
    assert interval.loc[-1, "low"] < g < interval.loc[-1, "high"]
    assert interval.loc[-1, "high"] - interval.loc[-1, "low"] < 0.15
