"""Graphs as files: read back they are the same graph, and the same graph gives the same bytes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import networkx as nx
import pytest

from sim.cascade.export import edge_frame, export_graph
from sim.core.parquet import read_parquet
from tests.cascade.synthetic_losses import linear, two_venues
from tests.cascade.test_graph_balance import same, with_money_and_collateral

LEVELS = ("accounts", "cohorts", "venues", "assets")


def read(file: Path) -> nx.MultiDiGraph:
    if file.suffix == ".graphml":
        return nx.read_graphml(file, force_multigraph=True)
    if file.suffix == ".gexf":
        return nx.MultiDiGraph(nx.read_gexf(file))
    return nx.node_link_graph(json.loads(file.read_text(encoding="utf-8")), edges="edges")


def without_ids(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    for _, _, facts in graph.edges(data=True):
        facts.pop("id", None)
    return graph


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("ending", ["graphml", "gexf", "json"])
def test_what_is_written_is_read_back(level: str, ending: str, tmp_path: Path) -> None:
    graph = with_money_and_collateral().graph(level)  # type: ignore[arg-type]
    file = export_graph(graph, tmp_path / "new" / f"cascade.{ending}")
    again = without_ids(read(file))
    assert same(graph, again)
    for node, facts in graph.nodes(data=True):
        kept = again.nodes[node]
        assert {key: kept[key] for key in facts} == pytest.approx(facts) if _plain(facts) else True
        assert kept["kind"] == facts["kind"]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def _plain(facts: dict[str, object]) -> bool:
    return all(isinstance(value, (int, float)) for value in facts.values())


def test_edges_as_parquet(tmp_path: Path) -> None:
    graph = two_venues().graph("accounts")
    rows = read_parquet(export_graph(graph, tmp_path / "edges.parquet"))
    assert len(rows) == graph.number_of_edges()
    broken = rows[rows["relation"] == "break"]
    assert broken["loss"].sum() == pytest.approx(two_venues().losses()["loss"].sum())
    lists = rows[rows["relation"] == "lists"].iloc[0]
    assert (lists["generation"], lists["clearer"]) == (-1, "")
    assert math.isnan(lists["loss"])
    assert edge_frame(nx.MultiDiGraph()).empty


@pytest.mark.parametrize("ending", ["graphml", "gexf", "json", "parquet"])
def test_the_same_graph_gives_the_same_bytes(ending: str, tmp_path: Path) -> None:
    graph = linear(40).graph("accounts")
    one = export_graph(graph, tmp_path / f"one.{ending}").read_bytes()
    other = export_graph(linear(40).graph("accounts"), tmp_path / f"other.{ending}").read_bytes()
    assert one == other
    assert b"lastmodified" not in one


@pytest.mark.parametrize("ending", ["graphml", "gexf", "json", "parquet"])
def test_an_empty_graph_is_written(ending: str, tmp_path: Path) -> None:
    assert export_graph(nx.MultiDiGraph(), tmp_path / f"empty.{ending}").stat().st_size > 0


@pytest.mark.parametrize("name", ["graph.dot", "graph", "graph.graphml.gz"])
def test_another_ending_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"allowed: \.graphml, \.gexf, \.json, \.parquet"):
        export_graph(nx.MultiDiGraph(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    graph = nx.MultiDiGraph()
    graph.add_node("a", loss=math.nan)
    with pytest.raises(ValueError, match="JSON"):
        export_graph(graph, tmp_path / "graph.json")
    assert list(tmp_path.iterdir()) == []
