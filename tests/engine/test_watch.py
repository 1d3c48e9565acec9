"""The due scheduler finds what the full scan finds, to the last byte."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings

import sim
from sim.engine.watch import DueWatch
from sim.kernels.margin import MarginInputs, MarginOutputs, account_margin
from sim.kernels.radius import account_radius, account_radius_numpy
from tests.engine.random_worlds import load, worlds

TABLES = ("liquidations", "venues", "prices", "price_causes", "cohorts")
RANDOM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


def both_ways(world, folder):
    results = []
    for mode in ("full", "due"):
        variant = copy.deepcopy(world)
        variant.setdefault("engine", {})["margin_check"] = mode
        try:
            results.append(sim.run(load(variant, folder), check=True))
        except sim.RunError as error:  # a price without bound is refused in both ways
            assume("ran away" not in str(error))
            raise
    return results


def assert_same(full, due):
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(full, name), getattr(due, name), check_exact=True)


@settings(max_examples=60, suppress_health_check=RANDOM)
@given(worlds())
def test_due_and_full_agree_on_random_worlds(tmp_path_factory, world):
    assert_same(*both_ways(world, tmp_path_factory.mktemp("world")))


@pytest.mark.slow
@settings(max_examples=400, suppress_health_check=RANDOM)
@given(worlds())
def test_due_and_full_agree_on_many_random_worlds(tmp_path_factory, world):
    assert_same(*both_ways(world, tmp_path_factory.mktemp("world")))


NOISY = """
schema_version: 1
name: noisy
clock: {tick: 1s, horizon: 10min}
record: {every: 10s}
assets: {USDT: {price: 1}, BTC: {price: 100000, volatility: 0.6}, ETH: {price: 4000, volatility: 1}}
venues:
  alpha:
    collateral: {BTC: 0.1}
    margin:
      kind: cross
      tiers: [{floor: 0, rate: 0.005}, {floor: 1e5, rate: 0.01}, {floor: 1e6, rate: 0.05}]
      call: {level: 1.4, grace: 30s}
    mark: {kind: ema, half_life: 5s}
    liquidation: {kind: partial, slice: 0.4, target_ratio: 1.2, latency: 2s, fee_bps: 20}
    waterfall: [{kind: insurance_fund, size: 1e6}, {kind: adl}, {kind: socialise}]
  beta:
    margin: {kind: cross, maintenance_rate: 0.01}
    waterfall: [{kind: socialise}]
markets:
  - {venue: alpha, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {kind: square_root, adv: 1e9, resilience_half_life: 1min}}
  - {venue: alpha, symbol: ETH-PERP, kind: perpetual, base: ETH, quote: USDT,
     impact: {kind: linear, depth: 1e7}}
  - {venue: beta, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {kind: square_root, adv: 5e8}}
coupling: [{kind: arbitrage, asset: BTC, time_constant: 5s}]
traders:
  - {cohort: c, count: 1500, venues: {alpha: 0.6, beta: 0.4}, venues_per_trader: {1: 0.7, 2: 0.3},
     long_share: 0.6, position_correlation: 0.5, collateral: {USDT: 0.6, BTC: 0.4},
     equity: {dist: pareto, alpha: 1.1, min: 1000, max: 1e6},
     leverage: {dist: lognormal, median: 10, sigma: 0.8, max: 90},
     wallet: {dist: constant, value: 0.2}, top_up: {sources: [accounts, wallet], latency: 10s}}
  - {cohort: s, count: 200, venues: {beta: 1}, behaviour: {kind: stop_loss, trigger: 0.03},
     equity: {dist: constant, value: 5000}, leverage: {dist: uniform, min: 2, max: 40}}
shocks:
  - {kind: gbm, correlation: 0.7}
  - {kind: ramp, at: 2min, duration: 1min, asset: BTC, return: -0.08}
  - {kind: jump, at: 6min, asset: ETH, return: -0.9}
  - {kind: jump, at: 7min, asset: ETH, return: 8.0}
  - {kind: outage, venue: beta, at: 150s, duration: 20s}
"""


def test_a_noisy_run_agrees_and_looks_at_far_fewer_accounts(monkeypatch):
    looked = []
    scan = DueWatch.scan

    def counting(self, holding):
        rows, broken = scan(self, holding)
        looked.append((len(rows), len(holding)))
        return rows, broken

    monkeypatch.setattr(DueWatch, "scan", counting)
    full, due = (
        sim.run(
            sim.load_text(
                NOISY.replace("record:", f"engine: {{margin_check: {mode}}}\nrecord:"), file="<t>"
            )
        )
        for mode in ("full", "due")
    )
    assert len(full.liquidations) > 1000
    assert_same(full, due)
    seen, held = np.array(looked).sum(axis=0)
    assert seen < 0.6 * held


def random_accounts(generator, count):
    """Accounts on two clearers and three markets, some without positions."""
    counts = generator.integers(0, 4, count)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    size = int(start[-1])
    floor = np.array([[[0.0, 1e3, 1e4]] * 3, [[0.0, np.inf, np.inf]] * 3])
    rate = np.array([[[0.01, 0.02, 0.1]] * 3, [[0.005] * 3] * 3])
    deduction = np.array([[[0.0, 10.0, 810.0]] * 3, [[0.0] * 3] * 3])
    return MarginInputs(
        position_start=start,
        market=generator.integers(0, 3, size).astype(np.int16),
        quantity=np.round(generator.normal(0, 5, size), 1),
        entry_price=generator.uniform(50, 150, size),
        clearer=generator.integers(0, 2, count).astype(np.int16),
        balance=generator.normal(500, 300, (count, 2)),
        weight_positive=np.array([[1.0, 80.0], [1.0, 95.0]]),
        asset_price=np.array([1.0, 100.0]),
        mark_price=np.array([100.0, 90.0, 110.0]),
        multiplier=np.array([1.0, 0.1, 10.0]),
        quote_price=np.array([1.0, 1.0, 0.5]),
        tier_floor=floor,
        tier_rate=rate,
        tier_deduction=deduction,
    )


def test_no_account_crosses_its_level_within_its_radius():
    generator = np.random.default_rng(7)
    inputs = random_accounts(generator, 3000)
    rows = np.arange(3000)
    level = generator.choice([1.0, 1.3], 3000)
    out = MarginOutputs.empty(3000)
    account_margin(inputs, rows, level, out)
    unit, column = inputs.mark_price * 1e-3, np.array([0.0, 100.0 * 1e-3])
    radius = account_radius(inputs, unit, column, rows, level, out)
    plain = account_radius_numpy(inputs, unit, column, rows, level, out)
    np.testing.assert_allclose(radius, plain, rtol=1e-12)
    healthy = (radius > 0.0) & (out.notional > 0.0)
    assert healthy.sum() > 500
    tight = np.zeros(3000)
    for _ in range(300):
        step = np.minimum(radius, 900.0)[healthy].min() if generator.random() < 0.1 else 30.0
        d = generator.uniform(0.2, 1.0) * step * generator.choice([1.0, 3.0, 10.0])
        corner = generator.choice([-1.0, 1.0], 4)
        asset = np.array([1.0, max(100.0 + corner[3] * d * column[1], 1e-9)])
        moved = inputs._replace(
            mark_price=np.maximum(inputs.mark_price + corner[:3] * d * unit, 1e-9),
            asset_price=asset,
            weight_positive=inputs.weight_positive * asset / inputs.asset_price,
        )
        then = MarginOutputs.empty(3000)
        account_margin(moved, rows, level, then)
        safe = healthy & (radius > d)
        assert (then.equity[safe] >= level[safe] * then.maintenance[safe]).all()
        crossed = healthy & (then.equity < level * then.maintenance)
        tight[crossed] = np.maximum(tight[crossed], radius[crossed] / d)
    # The bound is not idle: some accounts break soon after their radius is used up.
    assert tight.max() > 0.8
