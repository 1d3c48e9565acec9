"""With breakers, gates and caps the due scheduler still finds what the full scan finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import sim
from sim.engine.halts import Halts
from sim.engine.stretch import Stretches
from sim.kernels import compiling
from tests.engine.random_worlds import Dice, load, worlds
from tests.engine.test_watch import RANDOM, assert_same, both_ways


def reopening(dice: Dice) -> dict[str, Any]:
    return {"reopening": {"auction": dice.pick(1, 2)}} if dice.often() else {}


def breakers(dice: Dice) -> list[Any]:
    found = []
    if dice.often():
        falls = dice.pick([0.02], [0.05, 0.2], [0.01, 0.1, 0.3])
        found.append(
            {
                "kind": "market_wide",
                "levels": [{"fall": f, "pause": dice.pick(1, 3, "rest")} for f in falls],
                "reference": dice.pick("start", "start", {"window": 5}),
                "margin_stops": dice.seldom(),
                **reopening(dice),
            }
        )
    if dice.often():
        found.append(
            {
                "kind": "limit_band",
                "band": dice.pick(0.001, 0.05, 0.3),
                "window": dice.pick(1, 4),
                "limit_time": dice.pick(0, 2),
                "pause": dice.pick(1, 3),
                "margin_stops": dice.seldom(),
                **reopening(dice),
            }
        )
    return found


@st.composite
def halting_worlds(draw: Any) -> dict[str, Any]:
    """Return a random world of which some venues halt, gate and cap."""
    world, dice = draw(worlds()), Dice(draw)
    places = {market["venue"] for market in world["markets"]}
    for name, venue in world["venues"].items():
        venue["breakers"] = breakers(dice) if name in places else []
        if dice.seldom():
            venue["withdrawals"] = {
                "keep": dice.pick("maintenance", "initial_margin"),
                "keep_share": dice.pick(0, 0.1),
                "gate_after_negative": dice.pick(0, 3),
                "gate_after_outage": dice.pick(0, 2),
            }
        listed = [m for m in world["markets"] if m["venue"] == name and m["kind"] != "spot"]
        if listed and dice.seldom():
            caps = {market["base"]: dice.pick(0, 1000, 1e5) for market in listed}
            venue["open_interest_caps"] = caps
    return world


def run(world: dict[str, Any], folder: Path) -> sim.Result:
    """Run a world with every invariant checked; leave out those whose prices run away."""
    try:
        return sim.run(load(world, folder), check=True)
    except sim.RunError as error:
        assume("ran away" not in str(error))
        raise


def assert_same_series(one: sim.Result, other: sim.Result) -> None:
    pd.testing.assert_frame_equal(one.mechanisms, other.mechanisms, check_exact=True)


@settings(max_examples=15, suppress_health_check=RANDOM)
@given(world=halting_worlds())
def test_due_and_full_agree(tmp_path_factory, world):
    full, due = both_ways(world, tmp_path_factory.mktemp("world"))
    assert_same(full, due)
    assert_same_series(full, due)


@pytest.mark.slow
@pytest.mark.slow
@settings(max_examples=400, suppress_health_check=RANDOM)
@given(world=halting_worlds())
def test_due_and_full_agree_on_many(tmp_path_factory, world):
    full, due = both_ways(world, tmp_path_factory.mktemp("world"))
    assert_same(full, due)
    assert_same_series(full, due)


@settings(max_examples=6, suppress_health_check=RANDOM)
@given(world=halting_worlds())
def test_compiled_and_plain_kernels_agree(tmp_path_factory, on_numpy, world):
    folder, results = tmp_path_factory.mktemp("world"), []
    try:
        for plain in (True, False):
            on_numpy(plain)
            results.append(run(world, folder))
    finally:
        on_numpy(False)
    assert_same(*results)


@settings(max_examples=10, suppress_health_check=RANDOM)
@given(world=halting_worlds())
def test_a_halted_market_stands_still(tmp_path_factory, monkeypatch, world):
    world["record"] = {"every": 1}
    resumed = set()

    def noting(self):
        begin_tick(self)
        for market in np.flatnonzero(self.resumed).tolist():
            resumed.add((*self.world.board.ids[market].split("/"), self.world.tick))

    begin_tick = Halts.begin_tick
    with monkeypatch.context() as patch:
        patch.setattr(Halts, "begin_tick", noting)
        result = run(world, tmp_path_factory.mktemp("world"))
    keys = ["venue", "symbol", "tick"]
    shown = result.mechanisms.query("series == 'halted'").set_index(keys)["value"]
    last = result.prices.set_index(keys)["last_price"]
    sold = set(result.liquidations.query("quantity != 0").groupby(keys).groups)
    for venue, symbol, tick in shown[shown == 1.0].index:
        before, now = (venue, symbol, tick - 1), (venue, symbol, tick)
        if tick and shown[before] == 1.0 and now not in resumed:
            assert last[now] == last[before]
            assert now not in sold


CALM = """
schema_version: 1
name: calm
clock: {{tick: 1s, horizon: 3000s}}
record: {{every: 500s}}
engine: {{margin_check: {mode}}}
assets: {{USDT: {{price: 1}}, BTC: {{price: 100}}}}
venues:
  a:
    margin: {{kind: cross, maintenance_rate: 0.01}}
    breakers:
      - {{kind: market_wide, levels: [{{fall: 3%, pause: 60s}}], reference: {{window: 1000s}}}}
markets:
  - {{venue: a, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {{kind: linear, depth: 1e5, resilience_half_life: 100s}}}}
traders:
  - {{cohort: c, count: 300, venues: {{a: 1}}, equity: {{dist: constant, value: 1000}},
     leverage: {{dist: uniform, min: 1, max: 20}}}}
shocks:
  - {{kind: gbm, assets: [BTC], volatility: 3}}
"""


def test_levels_far_away_leave_calm_stretches_alone(monkeypatch):
    stretched = []
    step = Stretches._step

    def counted(self, watch, books, tick, stop):
        stretched.append(stop - tick)
        return step(self, watch, books, tick, stop)

    monkeypatch.setattr(Stretches, "_step", counted)
    results = [
        sim.run(sim.load_text(CALM.format(mode=mode), file="<t>")) for mode in ("full", "due")
    ]
    assert_same(*results)
    assert_same_series(*results)
    assert compiling.HAS_NUMBA
    assert max(stretched) > 50
