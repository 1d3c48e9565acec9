"""The verb ``cascade`` on folders of runs, old and new, and on what is none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import networkx as nx
import pandas as pd
import pytest

from sim.cascade import Cascade
from sim.cascade.tables import LOSS_TABLES
from sim.core.parquet import read_parquet, write_parquet
from tests.cli.command import invoke, small


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cascade")
    options = ("--out", place / "out", "--json", "--quiet", "--no-figures")
    result = invoke("run", small(place), *options)
    assert result.exit_code == 0, result.stderr
    return Path(json.loads(result.stdout)["folder"])


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "run"))


def document(*arguments: str | Path) -> dict[str, Any]:
    result = invoke("cascade", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_text_says_who_broke_whom(folder: Path) -> None:
    result = invoke("cascade", folder)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    for title in ("what broke first", "generations", "loss by venue", "sellers", "victims",
                  "statistics", "markets"):  # fmt: skip
        assert f"\n{title}" in result.stdout
    assert "nan" not in result.stdout.lower()


def test_the_document_agrees_with_the_tables(folder: Path) -> None:
    found = document(folder)
    cascade = Cascade.load(folder)
    assert found["missing"] == []
    losses = cascade.losses()
    matrix = found["spillover"]
    assert set(matrix["targets"]) == {"alpha", "beta"}
    assert {"alpha", "beta", "exogenous"} <= set(matrix["sources"])
    total = sum(value for row in matrix["loss"] for value in row)
    assert total == pytest.approx(losses["loss"].sum())
    assert total == pytest.approx(cascade.breaks["loss"].sum())
    assert [row["generation"] for row in found["generations"]] == list(
        range(len(found["generations"]))
    )
    assert found["statistics"]["breaks"] == len(cascade.breaks)
    assert found["first"][0]["time"] == cascade.breaks["time"].min()
    worst = losses.groupby("account_id")["loss"].sum().sort_values(ascending=False)
    assert found["victims"][0]["loss"] == pytest.approx(worst.iloc[0])


@pytest.mark.parametrize("view", ["accounts", "cohorts", "venues", "assets"])
def test_views(folder: Path, view: str, tmp_path: Path) -> None:
    found = document(folder, "--view", view, "--export", tmp_path / "g.graphml")
    by = {"accounts": "venue", "cohorts": "cohort", "venues": "venue", "assets": "asset"}[view]
    assert found["spillover"]["by"] == by
    graph = nx.read_graphml(tmp_path / "g.graphml", force_multigraph=True)
    kinds = {kind for _, kind in graph.nodes(data="kind")}
    assert {"accounts": "account", "cohorts": "cohort", "venues": "venue", "assets": "asset"}[
        view
    ] in kinds
    assert invoke("cascade", folder, "--view", view).exit_code == 0


def test_exports_are_the_graph_of_the_window(folder: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"graph.{ending}" for ending in ("graphml", "gexf", "json", "parquet")]
    options = [text for file in files for text in ("--export", str(file))]
    found = document(folder, "--window", "..5.5", *options)
    assert found["exports"] == [str(file) for file in files]
    assert found["window"] == [None, 5.5]
    rows = read_parquet(files[3])
    assert len(rows) == nx.read_graphml(files[0], force_multigraph=True).number_of_edges()
    assert rows.loc[rows["relation"] == "break", "tick"].max() <= 5
    inside = Cascade.load(folder).losses().query("time < 5.5")["loss"].sum()
    assert rows.loc[rows["relation"] == "break", "loss"].sum() == pytest.approx(inside)


def test_who_broke_and_was_never_sold_has_a_venue_too(copy: Path) -> None:
    sold = read_parquet(copy / "liquidations.parquet")
    spared = sold["account_id"].iloc[0]
    write_parquet({copy / "liquidations.parquet": sold[sold["account_id"] != spared]})
    graph = Cascade.load(copy).graph("accounts")
    clears = {
        source: target
        for source, target, relation in graph.edges(data="relation")
        if relation == "clears"
    }
    accounts = {name for name, kind in graph.nodes(data="kind") if kind == "account"}
    assert f"account:{spared}" in accounts
    assert clears.keys() == accounts


def test_windows_split_the_losses(folder: Path) -> None:
    def lost(*options: str) -> float:
        matrix = document(folder, *options)["spillover"]["loss"]
        return sum(value for row in matrix for value in row)

    whole = lost()
    assert whole > 0.0
    assert lost("--window", "..6") + lost("--window", "6..") == pytest.approx(whole)
    empty = document(folder, "--window", "0..1")
    assert empty["generations"] == []
    text = invoke("cascade", folder, "--window", "0..1").stdout
    assert "nobody was liquidated" in text
    assert "only 0 s <= time < 1 s" in text


def test_a_folder_of_an_older_version_shows_what_it_has(copy: Path) -> None:
    for name in LOSS_TABLES:
        (copy / f"{name}.parquet").unlink()
    result = invoke("cascade", copy)
    assert result.exit_code == 0, result.stderr
    assert "without losses: the folder has no breaks.parquet" in result.stdout
    assert "\ngenerations" in result.stdout
    assert "victims" not in result.stdout
    found = document(copy)
    assert found["missing"] == list(LOSS_TABLES)
    assert "spillover" not in found
    assert found["sellers"][0]["notional"] > 0.0
    refused = invoke("cascade", copy, "--view", "venues")
    assert refused.exit_code == 3
    assert "no breaks.parquet" in refused.stderr
    assert "run the scenario again" in refused.stderr


def test_a_run_without_record_of_losses_says_so(copy: Path) -> None:
    write_parquet({
        copy / f"{name}.parquet": read_parquet(copy / f"{name}.parquet").head(0)
        for name in LOSS_TABLES
    })  # fmt: skip
    result = invoke("cascade", copy)
    assert result.exit_code == 0, result.stderr
    assert "record.breaks off" in result.stdout
    refused = invoke("cascade", copy, "--view", "assets")
    assert refused.exit_code == 3
    assert "no rows in breaks.parquet" in refused.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--view", "venue"), "--view: found 'venue'; allowed: accounts, cohorts, venues, assets"),
        (("--view", ""), "--view: found ''"),
        (("--window", "5"), "--window: found '5'"),
        (("--window", "6..5"), "--window: found '6..5'"),
        (("--window", "nan..5"), "--window: found 'nan..5'"),
        (("--window", "a..b"), "A..B in seconds"),
        (("--window", "-5..-1"), "--window: found '-5..-1', which ends before the run starts"),
        (("--export", "graph.dot"), "allowed: a file that ends with .graphml, .gexf"),
        (("--export", "graph"), "--export: found 'graph'"),
    ],
)
def test_wrong_options_are_refused(folder: Path, options: tuple[str, ...], said: str) -> None:
    result = invoke("cascade", folder, *options)
    assert result.exit_code == 3
    assert said in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_graph_never_replaces_a_result(copy: Path) -> None:
    before = {file.name: file.read_bytes() for file in copy.iterdir() if file.is_file()}
    for name in ("breaks.parquet", "summary.json", "manifest.json", "../run/cohorts.parquet"):
        result = invoke("cascade", copy, "--export", copy / name)
        assert result.exit_code == 3
        assert "which is a result of the run" in result.stderr
    assert before == {file.name: file.read_bytes() for file in copy.iterdir() if file.is_file()}
    for _ in range(2):
        assert invoke("cascade", copy, "--export", copy / "graph.json").exit_code == 0


def test_a_place_where_nothing_can_be_written_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = invoke("cascade", folder, "--export", tmp_path / "file" / "graph.json")
    assert result.exit_code == 3
    assert "in what is no folder but a file" in result.stderr
    result = invoke("cascade", folder, "--export", tmp_path / f"{'n' * 300}.json")
    assert result.exit_code == 3
    assert "which cannot be written: File name too long" in result.stderr


def test_a_folder_above_or_below_that_of_the_run_names_it(copy: Path) -> None:
    for place in (copy.parent, copy / "figures", copy / "manifest.json"):
        (copy / "figures").mkdir(exist_ok=True)
        result = invoke("cascade", place)
        assert result.exit_code == 3
        assert f"did you mean '{copy}'?" in result.stderr


def test_the_opening_says_it_all_in_short(folder: Path) -> None:
    name, said = invoke("cascade", folder).stdout.splitlines()[:2]
    found = document(folder)
    facts = found["statistics"]
    assert name == f"small, {folder}"
    assert said.startswith(f"{facts['accounts']:,} accounts broke in generation")
    assert f"caused {100.0 * facts['forced_share_of_loss']:.3g} % of what they lost" in said
    quiet = invoke("cascade", folder, "--window", "1000..").stdout
    assert "only 1000 s <= time after the start" in quiet
    first, last = found["span"]
    assert f"nobody was liquidated; others were, from {first:g} s to {last:g} s" in quiet


def test_what_is_no_run_folder_is_refused(copy: Path, tmp_path: Path) -> None:
    def refused(place: Path, said: str) -> None:
        result = invoke("cascade", place)
        assert result.exit_code == 3
        assert said in result.stderr
        assert result.stderr.count("\n") == 2  # the problem, and how many there are

    refused(tmp_path / "none", "no such folder")
    refused(copy / "manifest.json", "found a file")
    refused(tmp_path, "no manifest.json")
    (copy / "liquidations.parquet").rename(copy / "kept")
    refused(copy, "no liquidations.parquet in it")
    (copy / "liquidations.parquet").write_bytes(b"PAR1 and no more")
    refused(copy, "cannot be read as Parquet")
    frame = read_parquet(copy / "kept").drop(columns="generation")
    write_parquet({copy / "liquidations.parquet": frame})
    refused(copy, "liquidations.parquet: RUN_DIR: found no column generation")
    (copy / "kept").replace(copy / "liquidations.parquet")
    moves = read_parquet(copy / "value_moves.parquet").drop(columns="move")
    write_parquet({copy / "value_moves.parquet": moves})
    refused(copy, "value_moves.parquet: RUN_DIR: found no column move")
    (copy / "manifest.json").write_text("{", encoding="utf-8")
    refused(copy, "cannot be read as JSON")


def test_a_folder_without_anybody_broken(copy: Path) -> None:
    for name in ("liquidations", "price_causes", *LOSS_TABLES):
        file = copy / f"{name}.parquet"
        write_parquet({file: read_parquet(file).head(0)})
    result = invoke("cascade", copy, "--view", "venues", "--export", copy / "graph.json")
    assert result.exit_code == 0, result.stderr
    assert "nobody was liquidated" in result.stdout


def test_loading_gives_what_the_run_had(folder: Path) -> None:
    cascade = Cascade.load(folder)
    assert cascade.bases == {"alpha/BTC-PERP": "BTC", "beta/BTC-PERP": "BTC"}
    assert cascade.tick_seconds == 1.0
    told = cascade.breaks.set_index("break_id")["loss"]
    found = cascade.losses().groupby("break_id")["loss"].sum().reindex(told.index, fill_value=0.0)
    pd.testing.assert_series_equal(found, told, rtol=1e-9)


@pytest.mark.slow
def test_figures_are_drawn_beside_the_tables(copy: Path) -> None:
    found = document(copy, "--figures")
    names = {Path(file).name for file in found["figures"]}
    assert {"timeline.png", "losses.svg", "spillover_venue.png", "network.png"} <= names
    assert all((copy / "cascade" / name).is_file() for name in names)
    shown = invoke("cascade", copy, "--figures").stdout
    assert f"figures written to {copy / 'cascade'} (.svg and .png): timeline" in shown
