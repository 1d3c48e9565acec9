"""Marks of every kind, indices and funding on random worlds: both schedulers, both backends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim.engine.stretch import Stretches
from tests.engine.agreement import assert_same, check_all_ways, check_ways, examples
from tests.engine.random_worlds import Dice, worlds


def part(dice: Dice, funded: bool) -> dict[str, Any]:
    of = dice.pick("last", "index", "basis")
    return dice.pick(
        {"kind": "last"},
        {"kind": "index"},
        {"kind": "ema", "half_life": dice.pick(1, 5), "of": of},
        {"kind": "twap", "window": dice.pick(1, 2.5, 5), "of": of},
        {
            "kind": "twap",
            "window": dice.pick(1, 2.5, 5),
            "of": dice.pick("last", "index"),
            "mean": "geometric",
        },
        {
            "kind": "oracle",
            "heartbeat": dice.pick(0.5, 3, 100),
            "deviation": dice.pick(1e-6, 0.01, 0.2),
            "lag": dice.pick(0, 0, 1, 2.5, 4),
            "of": dice.pick("last", "index"),
        },
        *([{"kind": "funded_index"}] * (2 * funded)),
    )


def index(dice: Dice, names: list[str]) -> dict[str, Any]:
    method = dice.pick("mean", "median", "weighted_median")
    rule: dict[str, Any] = {"method": method, "outlier": dice.pick(None, 0.001, 0.1)}
    if method == "weighted_median" or dice.often():
        rule["weights"] = {name: dice.pick(1, 2, 3) for name in names}
    return rule


def funding(dice: Dice) -> dict[str, Any]:
    interval = dice.pick(1, 3, 5)
    return {
        "interval": interval,
        "first": dice.pick(1, interval),
        "period": interval * dice.pick(1, 4),
        "interest": dice.pick(0, 0.0001, -0.01),
        "clamp": dice.pick(0, 0.0005, 0.1),
        "cap": dice.pick(None, 0.003, 0.05),
        "reference": dice.pick("mark", "index"),
        "sampling": dice.pick("mean", "rising"),
    }


def marks(dice: Dice, world: dict[str, Any], name: str) -> None:
    """Give a venue a mark of any kind, and often an index of its own and funding."""
    venue = world["venues"][name]
    listed = [market for market in world["markets"] if market["venue"] == name]
    funded = dice.often() and any(market["kind"] == "perpetual" for market in listed)
    if funded:
        venue["funding"] = funding(dice)
    bases = {market["base"] for market in listed}
    peers = sorted({m["venue"] for m in world["markets"] if m["base"] in bases})
    if peers and dice.often():
        venue["index"] = index(dice, peers)
    venue["mark"] = part(dice, funded)
    if dice.often():
        parts = [part(dice, funded) for _ in range(dice.pick(2, 3))]
        venue["mark"] = {"kind": "median_of", "of": parts}


@st.composite
def marked_worlds(draw: Any) -> dict[str, Any]:
    """Return a random world whose venues mark in all ways and may have funding."""
    world = draw(worlds())
    dice = Dice(draw)
    for name in world["venues"]:
        marks(dice, world, name)
    return world


@examples(max_examples=10)
@given(world=marked_worlds())
def test_all_ways_agree(folder, world):
    check_ways(world, folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
@examples(max_examples=150)
@given(world=marked_worlds())
def test_all_ways_agree_often(folder, world):
    check_all_ways(world, folder)


LONG = """
schema_version: 1
name: long
clock: {{tick: 1s, horizon: 20min}}
record: {{every: 1min}}
engine: {{margin_check: {mode}}}
assets: {{USDT: {{price: 1}}, BTC: {{price: 100, volatility: 0.8}}}}
venues:
  a:
    margin: {{kind: cross, maintenance_rate: 0.01}}
    index: {{method: weighted_median, weights: {{b: 2, c: 1}}, outlier: 0.05}}
    funding: {{interval: 250s, sampling: rising, cap: 0.003}}
    mark:
      kind: median_of
      of: [{{kind: funded_index}}, {{kind: twap, window: 30s, of: basis}}, {{kind: last}}]
  b:
    margin: {{kind: cross, maintenance_rate: 0.01}}
    funding: {{interval: 4min, first: 10s, period: 8min, reference: index}}
    mark: {{kind: oracle, heartbeat: 90s, deviation: 0.001, lag: 3s}}
  c:
    margin: {{kind: cross, maintenance_rate: 0.01}}
    mark: {{kind: twap, window: 45s, mean: geometric}}
markets:
  - {{venue: a, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT, price: 101,
     impact: {{kind: linear, depth: 1e6, resilience_half_life: 20s}}}}
  - {{venue: b, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {{kind: linear, depth: 1e6}}}}
  - {{venue: c, symbol: BTC-PERP, kind: future, base: BTC, quote: USDT,
     impact: {{kind: linear, depth: 1e6}}}}
traders:
  - {{cohort: c, count: 300, venues: {{a: 0.4, b: 0.4, c: 0.2}}, long_share: 0.7,
     equity: {{dist: constant, value: 1000}}, leverage: {{dist: uniform, min: 1, max: 40}}}}
shocks:
  - {{kind: gbm, assets: [BTC]}}
  - {{kind: jump, at: 5min, asset: BTC, venue: a, return: 0.01}}
  - {{kind: ramp, at: 10min, duration: 5s, asset: BTC, return: -0.04}}
  - {{kind: outage, venue: b, at: 235s, duration: 50s}}
"""


def test_calm_stretches_go_through_samples_and_stop_for_payments(monkeypatch):
    stepped, advance = [], Stretches.advance

    def counting(self, tick):
        reached, phase = advance(self, tick)
        stepped.append(reached - tick)
        return reached, phase

    monkeypatch.setattr(Stretches, "advance", counting)
    full, due = (
        sim.run(sim.load_text(LONG.format(mode=mode), file="<t>")) for mode in ("full", "due")
    )
    assert sum(stepped) > 1000
    assert 0 < len(full.liquidations) < 300
    assert_same(full, due)
    paid = full.mechanisms.query("series == 'funding_paid'").groupby("venue")["value"].last()
    assert (paid > 0.0).all()
