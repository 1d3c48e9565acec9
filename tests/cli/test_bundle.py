"""validate, list, show, schema: what needs no run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim.cli.bundled import bundled
from sim.schema import Venue, list_presets, preset
from sim.schema.preset_notes import leaves
from tests.cli.command import SMALL, invoke, small

SHOWN = ("margin", "mark", "liquidation", "waterfall")
"""Blocks of a venue that are shown as they resolve."""


def test_validate_counts(tmp_path: Path) -> None:
    file = small(tmp_path)
    result = invoke("validate", file)
    assert result.exit_code == 0
    assert result.stdout == f"{file}: ok (2 venues, 2 markets, 40 accounts, 20 ticks)\n"
    assert result.stderr == ""


def test_validate_reports_every_file_and_every_problem(tmp_path: Path) -> None:
    good = small(tmp_path)
    bad = tmp_path / "bad.yaml"
    text = SMALL.replace("depth: 1e7", "depth: -1", 1).replace("seed: 7", "sed: 7")
    bad.write_text(text, encoding="utf-8")
    result = invoke("validate", bad, good)
    assert result.exit_code == 3
    assert result.stdout.startswith(f"{good}: ok")
    lines = result.stderr.splitlines()
    assert lines[-1] == "2 problems"
    assert all(line.startswith(f"{bad}:") for line in lines[:-1])
    assert any("did you mean 'seed'?" in line for line in lines)


def test_validate_reads_the_books(tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text(
        "account_id,trader_id,clearer,margin_mode\na1,t1,alpha,cross\na2,t1,wallet,cross\n"
    )
    (tmp_path / "balances.csv").write_text("account_id,asset,amount\na1,USDT,1000\na2,USDT,5\n")
    (tmp_path / "positions.csv").write_text(
        "account_id,venue,symbol,quantity,entry_price\na1,alpha,BTC-PERP,0.1,100000\n"
    )
    book = "  - book: {accounts: accounts.csv, balances: balances.csv, positions: positions.csv}\n"
    file = small(tmp_path, **{"shocks:\n": f"{book}shocks:\n"})
    assert "41 accounts" in invoke("validate", file).stdout
    (tmp_path / "positions.csv").write_text(
        "account_id,venue,symbol,quantity,entry_price\na1,alpha,BTC-PERF,0.1,100000\n"
    )
    result = invoke("validate", file)
    assert result.exit_code == 3
    assert "positions.csv:2" in result.stderr
    assert "BTC-PERF" in result.stderr


def test_validate_json_is_one_document(tmp_path: Path) -> None:
    result = invoke("validate", small(tmp_path), tmp_path / "none.yaml", "--json")
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert document["ok"] is False
    assert [row["ok"] for row in document["files"]] == [True, False]
    assert document["files"][0]["accounts"] == 40
    assert len(document["files"][1]["problems"]) == 1


@pytest.mark.parametrize("name", list(bundled()))
def test_every_bundled_scenario_is_valid(name: str) -> None:
    result = invoke("validate", name)
    assert result.exit_code == 0, result.stderr


def test_list_shows_three_sections() -> None:
    result = invoke("list")
    assert result.exit_code == 0
    for word in ("scenarios", "two-venues", "venues", "models", "square_root", "insurance_fund"):
        assert word in result.stdout


def test_list_one_section_as_json() -> None:
    document = json.loads(invoke("list", "models", "--json").stdout)
    assert list(document) == ["models"]
    variants = {(entry["socket"], entry["kind"]) for entry in document["models"]}
    assert {("mark", "ema"), ("mark", "median_of"), ("shock", "jump"), ("impact", "power")} <= (
        variants
    )
    assert {socket for socket, _ in variants} == {
        "behaviour",
        "breaker",
        "coupling",
        "distribution",
        "impact",
        "liquidation",
        "mark",
        "shock",
        "waterfall",
    }
    assert all(entry["description"] for entry in document["models"])


def test_list_refuses_an_unknown_section() -> None:
    assert invoke("list", "coins").exit_code == 2


@pytest.mark.parametrize("name", list_presets())
def test_show_venue_has_its_notes_and_every_tier(name: str) -> None:
    document = json.loads(invoke("show", "venue", name, "--json").stdout)
    result = invoke("show", "venue", name)
    assert result.exit_code == 0
    assert document["meta"]["title"] in result.stdout
    for base in document["margin"].get("tiers") or {}:
        assert f"margin tiers: {base}" in result.stdout


@pytest.mark.parametrize("name", list_presets())
def test_show_venue_says_what_stands_where_the_venue_states_nothing(name: str) -> None:
    lines = [line.split() for line in invoke("show", "venue", name).stdout.splitlines()]
    rules = [line for line in lines if line and "." in line[0] and line[0].split(".")[0] in SHOWN]
    keys = [line[0] for line in rules]
    assert len(keys) == len(set(keys))
    whole = Venue(preset=name).model_dump(include=set(SHOWN))
    stated = dict(leaves(preset(name)))
    for place, value in leaves(whole):
        if place.startswith("margin.tiers") or (value is None and place not in keys):
            continue
        assert place in keys
        assert (rules[keys.index(place)][-1] == "default") == (place not in stated)


def test_show_scenario_prints_the_file() -> None:
    result = invoke("show", "scenario", "two-venues")
    assert result.stdout == bundled()["two-venues"].read_text(encoding="utf-8")
    assert json.loads(invoke("show", "scenario", "two-venues", "--json").stdout)["name"] == (
        "two-venues"
    )


@pytest.mark.parametrize(
    ("kind", "word", "near"),
    [("venue", "binance-usd", "binance-usdm"), ("scenario", "two-venue", "two-venues")],
)
def test_show_names_the_nearest(kind: str, word: str, near: str) -> None:
    result = invoke("show", kind, word)
    assert result.exit_code == 2
    assert f"did you mean '{near}'?" in result.stderr


def test_schema_is_a_json_schema() -> None:
    document = json.loads(invoke("schema").stdout)
    assert {"schema_version", "clock", "venues", "markets"} <= set(document["properties"])
