"""Margins that change during a run: the due scheduler finds what the full scan finds."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import sim
from tests.engine.random_worlds import PRICES, Dice, load, worlds

TABLES = ("liquidations", "venues", "prices", "price_causes", "cohorts", "mechanisms")
RANDOM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


def risk_model(dice: Dice) -> dict[str, Any]:
    sample = dice.pick(1, 1, 2, 5)
    model: dict[str, Any] = {
        "kind": "ewma",
        "decay": dice.pick(0.3, 0.9, 0.99),
        "sample": sample,
        "every": sample + dice.pick(0, 0, 1, 3),
        "period_of_risk": dice.pick("1s", "5min", "2d"),
        "initial_multiple": dice.pick(1, 1.5),
        "buffer": dice.pick(0, 0.25),
    }
    if dice.seldom():
        model["floor_volatility"] = dice.pick(0.2, {"BTC": 2})
    if dice.seldom():
        model |= {"stressed_weight": 0.25, "stressed_volatility": dice.pick(0.2, 3)}
    if dice.seldom():
        model["start_volatility"] = {base: 0.1 for base in PRICES}
    return model


def stress(dice: Dice) -> dict[str, Any]:
    sample = dice.pick(1, 2)
    first = dice.pick(0.1, 5, 100)
    return {
        "sample": sample,
        "window": sample * dice.pick(1, 3, 10),
        "steps": [
            {"volatility": first, "multiplier": dice.pick(1.1, 2)},
            {"volatility": 3 * first, "multiplier": dice.pick(2, 6)},
        ],
    }


@st.composite
def moving_margins(draw: Any) -> dict[str, Any]:
    """Return a random world of which some clearers change their margins."""
    world = copy.deepcopy(draw(worlds()))
    dice = Dice(draw)
    model = stress_too = False
    for venue in world["venues"].values():
        kind = dice.pick("model", "stress", "both", "none")
        margin = venue["margin"]
        if kind in ("model", "both"):
            del margin["tiers"]
            margin["risk_model"], model = risk_model(dice), True
        if kind in ("stress", "both"):
            margin["stress"], stress_too = stress(dice), True
    if model:  # which needs no volatility where it states one for everybody
        for asset in PRICES:
            world["assets"].setdefault(asset, {"price": PRICES[asset], "volatility": 0.8})
    assume(model or stress_too)
    return world


def both_ways(world: dict[str, Any], folder: Path) -> list[sim.Result]:
    results = []
    for mode in ("full", "due"):
        variant = copy.deepcopy(world)
        variant["engine"]["margin_check"] = mode
        try:
            results.append(sim.run(load(variant, folder), check=True))
        except sim.RunError as error:  # a price without bound is refused in both ways
            assume("ran away" not in str(error))
            raise
    return results


def assert_same(full: sim.Result, due: sim.Result) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(full, name), getattr(due, name), check_exact=True)


@settings(max_examples=10, suppress_health_check=RANDOM)
@given(world=moving_margins())
def test_due_and_full_agree_on_random_worlds(
    tmp_path_factory: pytest.TempPathFactory, sweeps: None, world: dict[str, Any]
) -> None:
    assert_same(*both_ways(world, tmp_path_factory.mktemp("world")))


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=RANDOM)
@given(world=moving_margins())
def test_due_and_full_agree_on_many_random_worlds(
    tmp_path_factory: pytest.TempPathFactory, sweeps: None, world: dict[str, Any]
) -> None:
    assert_same(*both_ways(world, tmp_path_factory.mktemp("world")))


CALM = """
schema_version: 1
name: calm
clock: {{tick: 1s, horizon: 9min}}
record: {{every: 61s}}
engine: {{margin_check: {mode}}}
assets: {{USDT: {{price: 1}}, BTC: {{price: 100, volatility: 0.6}}}}
venues:
  a:
    margin:
      kind: cross
      call: {{level: 1.3, grace: 40s}}
      risk_model: {{kind: ewma, decay: 0.95, sample: 10s, every: 30s, period_of_risk: 6h,
                    buffer: 0.25}}
  b:
    margin:
      kind: cross
      tiers: [{{floor: 0, rate: 0.01}}, {{floor: 20000, rate: 0.03}}]
      stress: {{window: 2min, sample: 5s, steps: [{{volatility: 0.8, multiplier: 1.2}},
                {{volatility: 1.5, multiplier: 3}}]}}
    liquidation: {{kind: to_target, target_ratio: 1.1, latency: 2s}}
markets:
  - {{venue: a, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {{kind: linear, depth: 5e6, resilience_half_life: 20s}}}}
  - {{venue: b, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {{kind: linear, depth: 5e6}}}}
traders:
  - {{cohort: c, count: 300, venues: {{a: 0.5, b: 0.5}}, long_share: 0.7,
     equity: {{dist: pareto, alpha: 1.5, min: 500, max: 5000}},
     leverage: {{dist: uniform, min: 1, max: 40}}}}
shocks:
  - {{kind: gbm, assets: [BTC]}}
  - {{kind: ramp, at: 4min, duration: 20s, asset: BTC, return: -0.01}}
  - {{kind: outage, venue: b, at: 5min, duration: 50s}}
"""


def test_a_long_run_with_calm_stretches_agrees(sweeps: None) -> None:
    full, due = (
        sim.run(sim.load_text(CALM.format(mode=mode), file="<t>")) for mode in ("full", "due")
    )
    moved = due.mechanisms.groupby(["venue", "series"])["value"].nunique()
    assert moved["a", "margin_rate"] > 5
    assert moved["b", "margin_multiplier"] == 3
    assert len(due.liquidations) > 10
    assert_same(full, due)


def test_compiled_and_plain_kernels_agree(sweeps: None, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = sim.run(sim.load_text(CALM.format(mode="due"), file="<t>"))
    for name, module in list(sys.modules.items()):
        if name.startswith("sim.") and hasattr(module, "HAS_NUMBA"):
            monkeypatch.setattr(module, "HAS_NUMBA", False)
    assert_same(compiled, sim.run(sim.load_text(CALM.format(mode="due"), file="<t>")))
