"""The scenarios of waterfalls as shipped: what their comments say is what comes out."""

from __future__ import annotations

from pathlib import Path

import pytest

import sim

FOLDER = Path(sim.__file__).parents[1] / "scenarios" / "venues"


def test_three_queues_hit_different_winners() -> None:
    result = sim.run(sim.load(FOLDER / "adl-queue.yaml"), check=True)
    rows = result.liquidations
    hit = rows[~rows["account_id"].str.startswith("short")]
    closed = {
        venue: dict(zip(part["account_id"].str[0], -part["quantity"], strict=True))
        for venue, part in hit.groupby("clearer")
    }
    assert closed == {
        "binance": pytest.approx({"B": 2000, "A": 1000, "D": 500}),
        "bitmex": pytest.approx({"A": 1000, "B": 2000, "C": 200, "D": 300}),
        "hyperliquid": pytest.approx({"B": 2000, "D": 1500}),
    }
    cost = {name: facts["adl_cost"] for name, facts in result.summary["venues"].items()}
    assert cost == pytest.approx({"binance": 2000, "bitmex": 2000, "hyperliquid": 7000})


def test_two_defaults_walk_down_all_layers() -> None:
    result = sim.run(sim.load(FOLDER / "ccp-default.yaml"), check=True)
    assert result.summary["venues"]["house"]["layers"] == pytest.approx(
        {
            "own_contribution": 40,
            "skin_in_the_game": 100,
            "default_fund": 460,
            "assessments": 100 + 1063.695652,
            "gains_haircut": 236.304348,
            "tear_up": 0,
            "clearer": 0,
        }
    )
    assert pytest.approx(0.12, abs=2e-3) == 236.304348 / 1950
