"""Checkpoints write down what is there and change nothing; states agree with the margin kernel."""

from __future__ import annotations

import copy
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

import sim
from sim.cascade import State
from sim.cascade.state_tables import TABLES
from sim.engine.state import state
from tests.engine.combined_worlds import combined_worlds
from tests.engine.random_worlds import load, worlds
from tests.engine.small_worlds import build, jump, linear, longs, perp, play, venue

OUTPUTS = ("prices", "venues", "liquidations", "price_causes", "cohorts", "mechanisms")

examples = partial(settings, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder whose book every example overwrites."""
    return tmp_path_factory.mktemp("worlds")


def written(world: dict[str, Any], folder: Path, check: str, times: list[float]) -> sim.Result:
    chosen = copy.deepcopy(world)
    chosen.setdefault("engine", {})["margin_check"] = check
    chosen.setdefault("record", {})["checkpoints"] = times
    try:
        return sim.run(load(chosen, folder), check=True)
    except sim.RunError as error:
        assume("ran away" not in str(error))
        raise


def assert_valued_alike(found: State) -> None:
    """At the prices of the state the analysis gives the equity and margin that were recorded."""
    cascade = found.cascade
    levels = cascade.prices.at(cascade.prices.last, cascade.prices.free)
    out, _ = cascade.book.margin(levels, cascade.book.start, cascade.book.everybody)
    table = found.accounts
    scale = 1e-9 * (1.0 + table["notional"] + table["equity"].abs()).to_numpy()
    assert (np.abs(out.equity - table["equity"]) <= scale).all()
    assert (np.abs(out.maintenance - table["maintenance_margin"]) <= scale).all()
    assert (np.abs(out.notional - table["notional"]) <= scale).all()
    excess = table["equity"] - table["required_ratio"] * table["maintenance_margin"]
    assert (np.abs(excess - table["excess"]) <= scale).all()


@examples(max_examples=12)
@given(worlds())
def test_checkpoints_change_nothing_and_agree(folder, world):
    times = [0.0, 3.0, 8.0]
    plain = written(world, folder, "due", [])
    due, full = (written(world, folder, check, times) for check in ("due", "full"))
    for name in OUTPUTS:
        pd.testing.assert_frame_equal(getattr(plain, name), getattr(due, name), check_exact=True)
    assert set(due.states) == set(TABLES)
    for name, frame in due.states.items():
        pd.testing.assert_frame_equal(frame, full.states[name], check_exact=True)
        assert list(frame.columns) == list(TABLES[name])
    for time in times:
        assert_valued_alike(due.state(time))


@examples(max_examples=5)
@given(combined_worlds())
def test_states_where_all_mechanisms_meet(folder, world):
    """Halts, outages, recalibrated margins, loans, funding: equity and margin are as recorded."""
    times = [0.0, 2.0, 5.0, 9.0]
    due, full = (written(world, folder, check, times) for check in ("due", "full"))
    for name, frame in due.states.items():
        pd.testing.assert_frame_equal(frame, full.states[name], check_exact=True)
    for time in times:
        found = due.state(time)
        assert_valued_alike(found)
        found.amplification()
        ladder = found.liquidation_ladder(asset=found.markets["base"].iloc[0], moves=[-0.5, 0.5])
        assert np.isfinite(ladder["notional"]).all()


def test_a_calm_stretch_ends_at_a_checkpoint(tmp_path: Path) -> None:
    """A thousand calm ticks under noise: the state of tick 400 has its own price and time."""
    noise = {"kind": "gbm", "assets": ["BTC"], "volatility": 0.2}
    fields: dict[str, Any] = {"horizon": 1000, "shocks": [noise]}
    record = {"every": 100, "checkpoints": [400, 650]}
    plain = play(tmp_path, longs((1, 500)), **fields, record={"every": 1})
    result = play(tmp_path, longs((1, 500)), **fields, record=record)
    for time in (400, 650):
        found = result.state(time)
        assert found.markets["time"].item() == time
        there = plain.prices[plain.prices["tick"] == time]
        assert found.markets["last"].item() == there["last_price"].item()
        equity = 500 + (found.markets["mark"].item() - 100)
        assert found.accounts["equity"].item() == pytest.approx(equity, rel=1e-12)
    rows = plain.prices[plain.prices["tick"].isin(result.prices["tick"])]
    assert result.prices["last_price"].tolist() == rows["last_price"].tolist()


def test_states_in_a_run_folder(tmp_path: Path) -> None:
    """What is saved is read back the same, and replayed to the same bytes."""
    result = play(
        tmp_path, longs((20, 300), (5, 900)), markets=[perp(impact=linear(0.05))],
        shocks=[jump(-0.12, at=2)], record={"checkpoints": ["1s", "3s"]},
    )  # fmt: skip
    run = result.save(tmp_path / "results", figures=False)
    for time in (1, 3):
        read, kept = State.load(run, at=time), result.state(time)
        for name, frame in kept.tables.items():
            pd.testing.assert_frame_equal(
                read.tables[name], frame, check_exact=True, check_dtype=False
            )
        assert read.critical_shock({"BTC": -1}) == kept.critical_shock({"BTC": -1})
    outputs = json.loads((run / "manifest.json").read_text())["outputs"]
    assert {f"state_{name}.parquet" for name in TABLES} <= set(outputs)
    assert set(sim.replay(run)) == set(outputs)
    before = result.state(1).accounts
    assert before["equity"].tolist() == [300, 900]
    assert result.state(3).accounts.set_index("account_id").loc["a0", "notional"] == 0.0


def test_the_state_of_a_scenario_is_its_first_tick(tmp_path: Path) -> None:
    """Without a shock at 0 s, `state` is the checkpoint of tick 0, field by field."""
    scenario = build(
        tmp_path, longs((20, 300), (-5, 900)), record={"checkpoints": [0]},
        venues={"one": venue(mark={"kind": "ema", "half_life": 3})},
    )  # fmt: skip
    first, run = state(scenario), sim.run(scenario).state()
    for name, frame in first.tables.items():
        pd.testing.assert_frame_equal(frame, run.tables[name], check_exact=True)


def test_a_cohort_is_drawn_by_the_seed(tmp_path: Path) -> None:
    cohort = {
        "cohort": "retail", "count": 50, "venues": {"one": 1},
        "equity": {"dist": "pareto", "alpha": 1.5, "min": 50, "max": 5000},
        "leverage": {"dist": "uniform", "min": 1, "max": 8}, "long_share": 0.5,
        "behaviour": {"kind": "hold"},
    }  # fmt: skip
    scenario = build(tmp_path, traders=[cohort])
    one, same, other = state(scenario, seed=1), state(scenario, seed=1), state(scenario, seed=2)
    pd.testing.assert_frame_equal(one.accounts, same.accounts)
    assert one.accounts["equity"].tolist() != other.accounts["equity"].tolist()


@pytest.mark.parametrize(
    ("times", "found"),
    [([0.5], "0.5 s"), ([5], "5 s"), ([-1], "-1 s"), (["soon"], "soon"), ([float("nan")], "NaN")],
)
def test_checkpoints_that_no_tick_meets_are_refused(
    tmp_path: Path, times: list[Any], found: str
) -> None:
    with pytest.raises(sim.ScenarioError, match=r"record\.checkpoints") as error:
        build(tmp_path, longs((1, 500)), record={"checkpoints": times})
    assert found in str(error.value)


def test_states_that_are_not_there(tmp_path: Path) -> None:
    result = play(tmp_path, longs((1, 500)), record={"checkpoints": [1, 2]})
    with pytest.raises(ValueError, match=r"checkpoints at 1 s, 2 s; say which"):
        result.state()
    with pytest.raises(ValueError, match=r"no checkpoint at 3 s"):
        result.state(3)
    bare = play(tmp_path, longs((1, 500)))
    assert bare.states == {}
    with pytest.raises(ValueError, match=r"no checkpoints; give times in record\.checkpoints"):
        bare.state()
    run = bare.save(tmp_path / "results", figures=False)
    assert not list(run.glob("state_*"))
    with pytest.raises(ValueError, match=r"record\.checkpoints"):
        State.load(run)


@pytest.mark.parametrize("name", ["state_accounts.parquet", "manifest.json"])
def test_a_damaged_run_folder(tmp_path: Path, name: str) -> None:
    result = play(tmp_path, longs((1, 500)), record={"checkpoints": [1]})
    run = result.save(tmp_path / "results", figures=False)
    (run / name).write_text("[1, 2]")
    with pytest.raises(ValueError, match="no run folder that can be read"):
        State.load(run)
    (run / name).unlink()
    with pytest.raises(ValueError, match=f"has no {name}"):
        State.load(run)
    with pytest.raises(ValueError, match="nowhere is no folder; allowed: the folder of a finished"):
        State.load(tmp_path / "nowhere")
