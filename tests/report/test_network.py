"""The picture of the causal graph: who is drawn, where, and what bundles sum to."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from sim.report import RunContext, network
from sim.report.network_cohorts import SEVERAL
from sim.report.network_data import MAX_LINES, network_data
from sim.report.network_layout import HUBS, layout
from sim.report.style import save
from tests.report import synthetic_cascade
from tests.report.overlap import assert_no_overlap
from tests.report.test_figures import texts_of


@pytest.mark.parametrize("causes", [True, False])
@pytest.mark.parametrize(("accounts", "venues"), [(1, 1), (50, 2), (50, 12), (900, 5)])
def test_nodes_stand_in_the_sector_and_ring_of_their_venue_and_generation(
    accounts: int, venues: int, causes: bool
) -> None:
    data = network_data(synthetic_cascade.graph(accounts, venues, causes=causes))
    plan = layout(data, synthetic_cascade.context(venues).venues)
    radius = np.linalg.norm(plan.place, axis=1)
    step = int(plan.first[1]) if len(plan.first) > 1 else 1
    for at, node in enumerate(data.nodes.itertuples()):
        if node.kind == "cause":
            continue
        sector = plan.venues.index(node.venue)
        middle = 0.5 * (plan.begin[sector] + plan.end[sector])
        half = 0.5 * (plan.begin[sector] - plan.end[sector])
        angle = np.arctan2(plan.place[at, 1], plan.place[at, 0])
        assert abs((angle - middle + np.pi) % (2 * np.pi) - np.pi) <= half + 1e-9
        if node.kind == "market":
            assert radius[at] == pytest.approx(HUBS)
        else:
            ring = node.generation // step
            assert plan.rings[ring] - 1e-9 <= radius[at] <= plan.rings[ring + 1] + 1e-9
    assert len(np.unique(plan.place.round(9), axis=0)) == len(data.nodes)


def test_bundles_hold_all_edges_also_of_accounts_that_are_not_drawn() -> None:
    graph = synthetic_cascade.graph(900, 3)
    data = network_data(graph, most=100)
    assert data.bundled
    assert data.owners == 900
    assert (data.nodes["kind"] == "owner").sum() == 100
    for relation, name in (("forced_order", "sold"), ("break", "broke")):
        want = sum(f["loss"] for *_, f in graph.edges(data=True) if f["relation"] == relation)
        found = data.edges.loc[data.edges["relation"] == name, "weight"].sum()
        assert found == pytest.approx(want, rel=1e-9)
    assert len(data.edges) < MAX_LINES


def test_generations_and_venues_of_accounts_that_are_not_drawn_have_their_place() -> None:
    graph = synthetic_cascade.graph(900, 3, generations=9)
    few = network_data(graph, most=1)
    plan = layout(few)
    assert set(plan.venues) == {*few.edges["venue"]}
    assert few.last == 8
    assert plan.first.tolist() == [0, 2, 4, 6, 8]
    assert "Who broke whom: the 1 largest of 900 accounts in 9 generations" in texts_of(
        network.figure(graph, most=1)
    )


def test_the_heaviest_accounts_are_drawn() -> None:
    graph = synthetic_cascade.graph(60, 2)
    data = network_data(graph, most=10)
    size = {n: facts["notional"] for n, facts in graph.nodes(data=True) if "notional" in facts}
    largest = sorted(size, key=lambda name: -size[name])[:10]
    drawn = data.nodes[data.nodes["kind"] == "owner"]
    assert set(drawn["name"]) == set(largest)
    assert not data.bundled
    ends = {*data.edges["source"], *data.edges["target"]}
    assert ends <= set(range(len(data.nodes)))
    assert "Who broke whom: the 10 largest of 60 accounts in" in " ".join(
        texts_of(network.figure(graph, most=10))
    )
    with pytest.raises(ValueError, match="at least 1 account"):
        network_data(graph, most=0)


def test_the_order_of_nodes_and_edges_does_not_matter(tmp_path: Path) -> None:
    """The bytes are those of the graph and not of how it was built."""
    graph = synthetic_cascade.graph(80, 3)
    other: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    rng = np.random.default_rng(1)
    nodes, edges = list(graph.nodes(data=True)), list(graph.edges(data=True))
    other.add_nodes_from(nodes[i] for i in rng.permutation(len(nodes)))
    other.add_edges_from(edges[i] for i in rng.permutation(len(edges)))
    context = synthetic_cascade.context(3)
    for name, made in (("one", graph), ("two", other)):
        save(network.figure(made, context), tmp_path, name)
    for kind in ("svg", "png"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()


@pytest.mark.parametrize(("accounts", "venues"), [(50, 2), (5000, 12)])
def test_it_is_readable_at_50_and_at_5000(accounts: int, venues: int) -> None:
    graph = synthetic_cascade.graph(accounts, venues)
    figure = network.figure(graph, synthetic_cascade.context(venues))
    assert_no_overlap(figure, "network", least=10)
    texts = texts_of(figure)
    assert {"BTC-PERP", "ETH-PERP", "exogenous", "generation"} <= set(texts)
    assert any(text.startswith("retail-") for text in texts)
    (axis,) = figure.axes
    lines = sum(len(c.get_segments()) for c in axis.collections)  # type: ignore[attr-defined]
    assert lines <= 1500


def test_cohorts_are_parted_by_venue_and_generation() -> None:
    """By the clearer of an order, and by the market that broke them."""
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for venue in ("a", "b"):
        graph.add_node(f"venue:{venue}", kind="venue", label=venue)
        graph.add_node(f"market:{venue}/X", kind="market", label=f"{venue}/X", venue=venue)
    graph.add_node("cause:funding", kind="cause", label="funding")
    graph.add_node("cohort:retail", kind="cohort", label="retail", generation=0, notional=5.0)
    for venue, generation, notional in (("a", 0, 3.0), ("a", 1, 4.0), ("b", 1, 5.0)):
        graph.add_edge("cohort:retail", f"venue:{venue}", relation="clears")
        graph.add_edge("cohort:retail", f"market:{venue}/X", relation="forced_order",
                       clearer=venue, generation=generation, notional=notional)  # fmt: skip
        graph.add_edge(f"market:{venue}/X", "cohort:retail", relation="break",
                       generation=generation, loss=1.0)  # fmt: skip
    graph.add_edge("cause:funding", "cohort:retail", relation="cause", loss=2.0, generation=1)
    data = network_data(graph)
    parts = data.nodes[data.nodes["kind"] == "owner"]
    found = {(row.venue, row.generation): row.weight for row in parts.itertuples()}
    assert found == {("a", 0): 3.0, ("a", 1): 4.0, ("b", 1): 5.0, (SEVERAL, 1): 0.0}
    assert len(data.edges) == 7
    texts = texts_of(network.figure(graph, RunContext(venues=("a", "b"))))
    assert "Who broke whom: 1 cohort in 2 generations" in texts


def test_of_many_causes_the_smallest_are_one() -> None:
    """Exogenous is told apart however small it is."""
    graph = synthetic_cascade.graph(30, 2)
    for number in range(8):
        graph.add_node(f"cause:c{number}", kind="cause", label=f"c{number}")
        graph.add_edge(f"cause:c{number}", "market:bybit/BTC-PERP", relation="cause",
                       loss=1e9 * (number + 1))  # fmt: skip
    data = network_data(graph)
    causes = data.nodes[data.nodes["kind"] == "cause"]
    assert set(causes["label"]) == {"exogenous", "c7", "c6", "c5", "c4", "other causes"}
    news = data.edges[data.edges["relation"] == "news"]
    assert news["weight"].sum() == pytest.approx(4e6 + 36e9)
    other = data.nodes.index[data.nodes["label"] == "other causes"][0]
    assert news.loc[news["source"] == other, "weight"].tolist() == [10e9]
    assert_no_overlap(network.figure(graph), "network")


def test_a_graph_without_edges_is_a_sentence() -> None:
    graph = synthetic_cascade.graph(0, 2, causes=False)
    assert texts_of(network.figure(graph)) == [network.NOTHING]
    assert texts_of(network.figure(nx.MultiDiGraph())) == [network.NOTHING]
