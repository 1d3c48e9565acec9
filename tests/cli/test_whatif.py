"""``liqsim whatif``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sim
from sim.experiments import counterfactual
from tests.cli.command import invoke, small


def test_json_is_one_document_of_what_the_library_says(tmp_path: Path) -> None:
    file = small(tmp_path)
    result = invoke("whatif", file, "silence:alpha", "without:retail", "--json", "-q",
                    "--replications", 2)  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["scenario"] == "small"
    assert told["seeds"] == [7, 8]
    assert [world["changes"] for world in told["worlds"]] == [["silence:alpha"], ["without:retail"]]
    expected = counterfactual(sim.load(file), "silence:alpha", replications=2)
    figure = "venues.alpha.shortfall"
    found = told["worlds"][0]["figures"][figure]
    assert found["differences"] == expected.differences[figure].tolist()
    row = expected.summary().loc[figure]
    assert (found["difference"], found["low"]) == (row["difference"], row["low"])
    assert found["correlation"] is None


def test_together_is_one_world(tmp_path: Path) -> None:
    result = invoke("whatif", small(tmp_path), "silence:alpha", "shocks.0.return=-0.1",
                    "--together", "--json", "-q")  # fmt: skip
    worlds = json.loads(result.stdout)["worlds"]
    assert [world["changes"] for world in worlds] == [["silence:alpha", "shocks.0.return=-0.1"]]


def test_a_table_is_for_reading(tmp_path: Path) -> None:
    result = invoke("whatif", small(tmp_path), "fence:beta", "--replications", 2, "--seed", 3)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "fence:beta"
    assert "factual" in result.stdout
    assert "high" in result.stdout
    row = next(line for line in lines if "accounts_liquidated" in line)
    assert row.split()[3] == "0"  # the venues are not tied
    assert "difference: counterfactual less factual." in result.stdout
    once = invoke("whatif", small(tmp_path), "fence:beta", "-q").stdout
    assert "high" not in once


def test_rank_compares_venues_and_cohorts(tmp_path: Path) -> None:
    file = small(tmp_path)
    shown = invoke("whatif", file, "--rank", "venue", "-q")
    assert shown.exit_code == 0, shown.output
    for title in ("avoided by silence", "avoided by fence", "avoided by absent", "network"):
        assert title in shown.stdout
    assert "below 0 the change makes it worse" in shown.stdout
    assert "adl" not in shown.stdout  # nobody is deleveraged in either world
    told = json.loads(invoke("whatif", file, "--rank", "cohort", "--json", "-q").stdout)
    assert told["by"] == "cohort"
    avoided = {row["figure"]: row["avoided"] for row in told["effects"] if row["name"] == "retail"}
    facts = sim.run(sim.load(file)).summary
    assert avoided["liquidated_notional"] == facts["liquidated_notional"]
    assert set(told["measures"]) == {"retail"}
    assert {"network", "correlations"} <= set(told)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["silence:alhpa"], 3, "did you mean 'alpha'?"),
        (["silense:alpha"], 3, "did you mean 'silence'?"),
        (["without:retial"], 3, "did you mean 'retail'?"),
        (["shocks.9.return=1"], 3, "what if: shocks.9.return"),
        (["shocks.0.retrun=1"], 3, "what if: shocks.0.retrun: found unknown key 'retrun'"),
        (["silence:alpha", "silence:alpha"], 3, "the same change twice"),
        ([], 2, "give one or more changes, or --rank venue or cohort"),
        (["silence:alpha", "--rank", "venue"], 2, "give one or more changes, or --rank"),
        (["--rank", "trader"], 2, "--rank"),
        (["silence:alpha", "--replications", "0"], 2, "--replications"),
    ],
)
def test_mistakes_are_one_clear_sentence(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    result = invoke("whatif", small(tmp_path), *arguments, "-q")
    assert result.exit_code == code
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert not result.stdout
