"""Margins that change during a run: the due scheduler finds what the full scan finds."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import sim
from tests.engine.agreement import (
    assert_same,
    check_all_ways,
    check_ways,
    examples,
    plain_kernels,
    short_sweeps,
)
from tests.engine.random_worlds import PRICES, Dice, worlds


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


@examples(max_examples=10)
@given(world=moving_margins())
def test_all_ways_agree_on_random_worlds(folder: Path, world: dict[str, Any]) -> None:
    check_ways(world, folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
@examples(max_examples=150)
@given(world=moving_margins())
def test_all_ways_agree_on_many_random_worlds(folder: Path, world: dict[str, Any]) -> None:
    check_all_ways(world, folder)


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


def calm(mode: str) -> sim.Result:
    return sim.run(sim.load_text(CALM.format(mode=mode), file="<t>"))


def test_a_long_run_with_calm_stretches_agrees() -> None:
    full, due = calm("full"), calm("due")
    moved = due.mechanisms.groupby(["venue", "series"])["value"].nunique()
    assert moved["a", "margin_rate"] > 5
    assert moved["b", "margin_multiplier"] == 3
    assert len(due.liquidations) > 10
    assert_same(full, due)
    with short_sweeps():
        assert_same(full, calm("due"))
    with plain_kernels():
        assert_same(full, calm("due"))
    with plain_kernels(), short_sweeps():
        assert_same(full, calm("due"))
