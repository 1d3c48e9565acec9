"""The cascade against numbers worked out by hand, and its sums against the tables."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from sim.cascade import Cascade
from tests.report import synthetic
from tests.report.synthetic import CAUSE, LIQUIDATION, PRICE, VENUE, frame


def _order(
    account: str, venue: str, generation: int, quantity: float, *, tick: int = 1,
    kind: str = "market", symbol: str = "X", cohort: str = "c", clearer: str | None = None,
) -> tuple[object, ...]:  # fmt: skip
    return (
        0, tick, float(tick), generation, kind, clearer or venue, venue, symbol, account, account,
        cohort, quantity, 10.0, 10.0, 9.0, abs(quantity) * 10.0, 0.0, 0.0,
    )  # fmt: skip


def _cascade(orders: list[tuple[object, ...]], causes: list[tuple[object, ...]]) -> Cascade:
    markets = [(0, 0.0, v, "X", 10.0, 10.0, 10.0, 1.0) for v in ("a", "b")]
    venues = [(0, 0.0, v, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, False) for v in ("a", "b")]
    return Cascade(
        liquidations=frame(LIQUIDATION, orders),
        price_causes=frame(CAUSE, causes),
        prices=frame(PRICE, markets),
        venues=frame(VENUE, venues),
    )


def _of(result: synthetic.Result) -> Cascade:
    return Cascade(
        liquidations=result.liquidations,
        price_causes=result.price_causes,
        prices=result.prices,
        venues=result.venues,
    )


@pytest.fixture
def small() -> Cascade:
    """A falls by 10 %, breaks p and q; their orders break r on b one generation later."""
    return _cascade(
        [
            _order("p", "a", 0, -3.0),
            _order("q", "a", 0, -1.0),
            _order("s", "a", 0, +2.0),
            _order("r", "b", 1, -6.0, cohort="d"),
            _order("u", "b", 1, -5.0, kind="backstop"),
            _order("w", "b", 1, -4.0, kind="adl"),
        ],
        [
            (1, 0, "a", "X", "exogenous", -0.10),
            (1, 0, "b", "X", "exogenous", -0.05),
            (1, 0, "a", "X", "liquidation:a", -0.04),
            (1, 0, "b", "X", "liquidation:a", -0.02),
            (1, 1, "b", "X", "liquidation:b", -0.03),
            (1, 1, "a", "X", "arbitrage:b", -0.01),
        ],
    )


def _edges(graph: nx.MultiDiGraph, relation: str) -> list[tuple[str, str, dict[str, float]]]:
    return [(u, v, d) for u, v, d in graph.edges(data=True) if d["relation"] == relation]


def test_a_move_is_split_over_the_orders_on_the_side_of_the_net(small: Cascade) -> None:
    moves = {(u, v): d["price_move"] for u, v, d in _edges(small.graph(), "forced_order")}
    assert moves[("account:p", "market:a/X")] == pytest.approx(-0.03)
    assert moves[("account:q", "market:a/X")] == pytest.approx(-0.01)
    assert moves[("account:s", "market:a/X")] == 0.0
    assert moves[("account:r", "market:b/X")] == pytest.approx(-0.03)


def test_cross_impact_is_split_over_the_orders_sent_elsewhere(small: Cascade) -> None:
    moves = {(u, v): d["price_move"] for u, v, d in _edges(small.graph(), "cross_impact")}
    assert moves == {
        ("account:p", "market:b/X"): pytest.approx(-0.015),
        ("account:q", "market:b/X"): pytest.approx(-0.005),
        ("account:s", "market:b/X"): 0.0,
    }


def test_the_market_that_broke_an_account(small: Cascade) -> None:
    edges = {(u, v): d for u, v, d in _edges(small.graph(), "break")}
    assert set(edges) == {("market:b/X", "account:r"), ("market:b/X", "account:u")}
    edge = edges[("market:b/X", "account:r")]
    assert edge["price_move"] == pytest.approx(-0.07)  # all of generation 0, not of generation 1
    assert edge["loss"] == pytest.approx(60.0 * 0.07)


def test_a_cascade_unrolled_over_ticks_counts_the_moves_in_between() -> None:
    cascade = _cascade(
        [_order("p", "a", 0, -1.0, tick=1), _order("q", "a", 1, -1.0, tick=5)],
        [
            (0, 0, "a", "X", "exogenous", -0.5),
            (1, 0, "a", "X", "liquidation:a", -0.01),
            (3, 0, "a", "X", "exogenous", -0.02),
            (5, 0, "a", "X", "reversion", 0.005),
            (5, 1, "a", "X", "liquidation:a", -0.25),
        ],
    )
    ((_, _, edge),) = _edges(cascade.graph(), "break")
    assert edge["price_move"] == pytest.approx(-0.025)  # since tick 1, generation 0
    orphan = _cascade([_order("q", "a", 1, -1.0, tick=5)], [(5, 0, "a", "X", "exogenous", -0.2)])
    ((_, _, edge),) = _edges(orphan.graph(), "break")
    assert edge["price_move"] == pytest.approx(-0.2)  # no generation before: since its tick began


def test_an_unexplained_move_hangs_on_its_venue() -> None:
    graph = _cascade([], [(1, 0, "b", "X", "liquidation:a", -0.02)]).graph()
    ((source, target, edge),) = _edges(graph, "unattributed")
    assert (source, target, edge["price_move"]) == ("venue:a", "market:b/X", -0.02)


@pytest.mark.parametrize("level", ["accounts", "cohorts"])
@pytest.mark.parametrize("seed", [1, 2])
def test_edges_sum_to_the_forced_move_of_each_market(level: str, seed: int) -> None:
    result = synthetic.world(seed=seed)
    graph = _of(result).graph(level)  # type: ignore[arg-type]
    sums: dict[str, float] = {}
    for source, target, edge in graph.edges(data=True):
        if graph.nodes[source]["kind"] in ("account", "cohort") and target.startswith("market:"):
            sums[target] = sums.get(target, 0.0) + edge["price_move"]
    causes = result.price_causes
    forced = causes[causes["cause"].str.startswith("liquidation:")]
    want = forced.groupby("market:" + forced["venue"] + "/" + forced["symbol"])["price_move"].sum()
    assert set(sums) == set(want.index)
    for market, move in want.items():
        assert sums[str(market)] == pytest.approx(move, abs=1e-12)


def test_order_edges_carry_the_recorded_notional() -> None:
    result = synthetic.world(venues=2, assets=2, orders=500)
    market = result.liquidations[result.liquidations["kind"] == "market"]
    for level in ("accounts", "cohorts"):
        edges = _edges(_of(result).graph(level), "forced_order")  # type: ignore[arg-type]
        assert sum(d["notional"] for _, _, d in edges) == pytest.approx(market["notional"].sum())
        assert sum(d["quantity"] for _, _, d in edges) == pytest.approx(market["quantity"].sum())


def test_auto_aggregates_above_max_nodes(small: Cascade) -> None:
    kinds = nx.get_node_attributes(small.graph("auto", max_nodes=5), "kind").values()
    assert "account" in kinds
    graph = small.graph("auto", max_nodes=4)
    assert {n for n, k in graph.nodes(data="kind") if k == "cohort"} == {"cohort:c", "cohort:d"}
    assert graph.nodes["cohort:c"]["accounts"] == 4
    with pytest.raises(ValueError, match="level"):
        small.graph("traders")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_nodes"):
        small.graph(max_nodes=-1)


def test_the_graph_exports(small: Cascade, tmp_path: object) -> None:
    for level in ("accounts", "cohorts"):
        text = "\n".join(nx.generate_graphml(small.graph(level)))  # type: ignore[arg-type]
        again = nx.parse_graphml(text)
        assert set(again.nodes) == set(small.graph(level).nodes)  # type: ignore[arg-type]
        assert nx.node_link_data(small.graph(level))["nodes"]  # type: ignore[arg-type]


def test_generations_and_branching_ratio(small: Cascade) -> None:
    table = small.generations()
    assert table["accounts"].tolist() == [3, 2]
    assert table["liquidated_notional"].tolist() == [60.0, 60.0]
    assert table["price_move"].tolist() == pytest.approx([-0.06, -0.03])
    assert table["markets"].tolist() == [2, 1]
    assert small.branching_ratio == pytest.approx(60.0 / 120.0)


def test_an_empty_generation_is_a_row_of_zeros() -> None:
    table = _cascade([_order("p", "a", 2, -1.0)], []).generations()
    assert table["generation"].tolist() == [0, 1, 2]
    assert table["liquidated_notional"].tolist() == [0.0, 0.0, 10.0]


def test_moves_by_cause_amplification_and_spillover(small: Cascade) -> None:
    moves = small.price_moves_by_cause()
    assert moves.loc["liquidation:a", "b/X"] == pytest.approx(-0.02)
    assert moves.loc["liquidation:b", "a/X"] == 0.0
    assert moves["a/X"].sum() == pytest.approx(-0.15)
    assert small.price_moves_by_cause("b/X").columns.tolist() == ["b/X"]
    ratio = small.amplification()
    assert ratio["a/X"] == pytest.approx(1.5)
    assert ratio["b/X"] == pytest.approx(2.0)
    spill = small.spillover()
    assert spill.loc["a"].tolist() == pytest.approx([-0.04, -0.02])
    assert spill.loc["b"].tolist() == pytest.approx([0.0, -0.03])
    assert small.spillover(by="market").loc["a", "b/X"] == pytest.approx(-0.02)
    with pytest.raises(KeyError, match="a/Y"):
        small.price_moves_by_cause("a/Y")
    with pytest.raises(ValueError, match="by"):
        small.spillover(by="asset")  # type: ignore[arg-type]


def test_amplification_without_an_exogenous_move_is_nan() -> None:
    cascade = _cascade(
        [],
        [
            (0, 0, "a", "X", "exogenous", 0.1),
            (1, 0, "a", "X", "exogenous", -0.1),
            (1, 0, "a", "X", "adl", -0.1),
        ],
    )
    assert np.isnan(cascade.amplification()).all()


def test_moves_equal_the_recorded_prices() -> None:
    result = synthetic.world(ticks=500, every=1, orders=300)
    moves = _of(result).price_moves_by_cause().sum()
    for (venue, symbol), part in result.prices.groupby(["venue", "symbol"]):
        initial = synthetic.ASSETS[str(symbol).split("-", maxsplit=1)[0]]
        move = math.log(part["last_price"].iloc[-1] / initial)
        assert moves[f"{venue}/{symbol}"] == pytest.approx(move, abs=1e-12)


@pytest.mark.parametrize("columns", [True, False])
def test_empty_tables(columns: bool) -> None:
    empty = synthetic.empty() if columns else None
    tables = {
        name: getattr(empty, name) if columns else pd.DataFrame()
        for name in ("liquidations", "price_causes", "prices", "venues")
    }
    cascade = Cascade(**tables)
    assert len(cascade.graph()) == 0
    assert len(cascade.graph("cohorts")) == 0
    assert cascade.generations().empty
    assert cascade.branching_ratio == 0.0
    assert cascade.amplification().empty
    assert cascade.spillover().empty
    assert cascade.price_moves_by_cause().empty


def test_nothing_liquidated_leaves_markets_and_zeros() -> None:
    cascade = _of(synthetic.calm())
    graph = cascade.graph()
    assert set(nx.get_node_attributes(graph, "kind").values()) == {"market", "venue"}
    assert cascade.branching_ratio == 0.0
    assert (cascade.spillover() == 0.0).all(axis=None)
    assert cascade.spillover().shape == (2, 2)


def test_a_missing_column_is_named() -> None:
    result = synthetic.world(1, 1, 10, 1)
    with pytest.raises(ValueError, match=r"price_causes.*price_move"):
        Cascade(
            liquidations=result.liquidations,
            price_causes=result.price_causes.drop(columns="price_move"),
            prices=result.prices,
            venues=result.venues,
        )


def test_a_shortfall_without_a_trade_is_no_part_of_the_cascade():
    row = {
        "tick": 0, "generation": 0, "kind": "market", "clearer": "a", "venue": "a", "symbol": "",
        "account_id": "x", "trader_id": "t", "cohort": "c", "quantity": 0.0, "notional": 0.0,
    }  # fmt: skip
    nothing = pd.DataFrame()
    cascade = Cascade(pd.DataFrame([row]), nothing, nothing, nothing)
    assert cascade.graph().number_of_nodes() == 0
    assert cascade.generations().empty
    assert cascade.branching_ratio == 0.0
