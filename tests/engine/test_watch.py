"""The due scheduler finds what the full scan finds, to the last byte."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

import sim
import sim.engine.run
from sim.engine.stretch import Stretches
from sim.kernels.margin import MarginInputs, MarginOutputs, account_margin
from sim.kernels.radius import RadiusInputs, account_radius, account_radius_numpy
from tests.engine.agreement import assert_same, check_all_ways, check_ways, examples
from tests.engine.identities import check_identities
from tests.engine.random_worlds import worlds


@examples(max_examples=20)
@given(world=worlds())
def test_all_ways_agree_on_random_worlds(folder, world):
    check_identities(check_ways(world, folder), world)


@pytest.mark.slow
@pytest.mark.timeout(900)
@examples(max_examples=200)
@given(world=worlds())
def test_all_ways_agree_on_many_random_worlds(folder, world):
    check_identities(check_all_ways(world, folder), world)


SWUNG = """
schema_version: 1
name: swung
clock: {{tick: 1s, horizon: 300s}}
engine: {{margin_check: {mode}}}
assets:
  USDT: {{price: 1}}
  BTC: {{price: 100, volatility: 0.02}}
  ETH: {{price: 10, volatility: 0.02}}
venues: {{a: {{margin: {{kind: cross, maintenance_rate: 0.01}}, collateral: {{BTC: 0}}}}}}
markets:
  - {{venue: a, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {{kind: linear, depth: 1e7}}}}
  - {{venue: a, symbol: ETH-PERP, kind: perpetual, base: ETH, quote: USDT,
     impact: {{kind: linear, depth: 1e6}}}}
traders:
  - {{cohort: c, count: 300, venues: {{a: 1}}, long_share: 1, portfolio: {{BTC: 1}},
     collateral: {{BTC: 1}}, equity: {{dist: constant, value: 1000}},
     leverage: {{dist: constant, value: 0.5}}}}
  - {{cohort: s, count: 5, venues: {{a: 1}}, long_share: 1, portfolio: {{ETH: 1}},
     behaviour: {{kind: stop_loss, trigger: 0.1}}, equity: {{dist: constant, value: 1000}},
     leverage: {{dist: constant, value: 2}}}}
shocks:
  - {{kind: path, at: 0, asset: BTC, points: {points}}}
  - {{kind: jump, at: {at}, asset: ETH, return: -0.2}}
"""


def test_a_stop_on_the_last_tick_of_a_sweep_is_seen():
    # Collateral swings until tick 270, so that everybody is looked at; near 257 a sweep ends.
    points = [[t, (100, 500)[t % 2] if t < 270 else 100] for t in range(300)]
    for at in range(254, 262):
        full, due = (
            sim.run(sim.load_text(SWUNG.format(mode=mode, points=points, at=at), file="<t>"))
            for mode in ("full", "due")
        )
        assert (full.price_causes["cause"] == "trade:stop_loss").any()
        assert_same(full, due)


OUT = """
schema_version: 1
name: out
clock: {{tick: 1s, horizon: 5min}}
record: {{every: 97s}}
engine: {{margin_check: {mode}}}
assets: {{USDT: {{price: 1}}, BTC: {{price: 100, volatility: 0.6}}}}
venues:
  a: {{margin: {{kind: cross, maintenance_rate: 0.01}}, mark: {{kind: twap, window: 7s}}}}
  b: {{margin: {{kind: cross, maintenance_rate: 0.01}}, mark: {{kind: ema, half_life: 3s}}}}
markets:
  - {{venue: a, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {{kind: linear, depth: 1e6, resilience_half_life: 20s}}}}
  - {{venue: b, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {{kind: linear, depth: 1e6}}}}
traders:
  - {{cohort: c, count: 200, venues: {{a: 0.5, b: 0.5}}, long_share: 0.7,
     equity: {{dist: constant, value: 1000}}, leverage: {{dist: uniform, min: 1, max: 40}}}}
shocks:
  - {{kind: gbm, assets: [BTC]}}
  - {{kind: ramp, at: 40s, duration: 5s, asset: BTC, return: -0.04}}
  - {{kind: outage, venue: b, at: 70s, duration: 50s}}
  - {{kind: outage, venue: a, at: 150s, duration: 30s}}
"""


def test_calm_ticks_hold_back_what_moves_while_a_venue_is_down():
    full, due = (
        sim.run(sim.load_text(OUT.format(mode=mode), file="<t>")) for mode in ("full", "due")
    )
    assert 0 < len(full.liquidations) < 200
    assert_same(full, due)


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
    run_module, stepped = sys.modules["sim.engine.run"], []
    summarise, advance = run_module.summarise, Stretches.advance

    def noting(world, *rest):
        looked.append(int(world.watch.looked_at[0]))
        return summarise(world, *rest)

    def counting(self, tick):
        reached, phase = advance(self, tick)
        stepped.append(reached - tick)
        return reached, phase

    monkeypatch.setattr(run_module, "summarise", noting)
    monkeypatch.setattr(Stretches, "advance", counting)
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
    assert looked[1] < 0.3 * looked[0]
    assert sum(stepped) > 100  # ticks of calm stretches, before the crash


SHIPPED = {
    "scenarios/october-2025.yaml": {},
    "benchmarks/scenarios/day.yaml": {
        "clock.horizon": "4h",
        "traders.0.count": "10000",
        "traders.1.count": "10000",
        **{f"shocks.{k}.at": "2h" for k in (1, 2, 3, 4)},
    },
}


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", SHIPPED)
def test_due_and_full_agree_on_large_scenarios(monkeypatch, name):
    monkeypatch.setenv("LIQSIM_CHECK", "0")  # checked as a user runs it: at rows and at the end
    path = Path(__file__).parents[2] / name
    full, due = (
        sim.run(sim.load(path, SHIPPED[name] | {"engine.margin_check": mode}))
        for mode in ("full", "due")
    )
    assert len(due.liquidations) > 1000
    assert_same(full, due)


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


QUOTE = np.array([0, 0, 1])
"""Which of two quote coins each market settles in."""


def moved(inputs, marks, quotes, coin):
    """Return the inputs at other marks, values of the quote coins and of the collateral coin."""
    asset = np.array([quotes[0], coin])
    return inputs._replace(
        mark_price=marks,
        quote_price=quotes[QUOTE],
        asset_price=asset,
        weight_positive=inputs.weight_positive * asset / inputs.asset_price,
    )


def stopped(inputs, marks, trigger):
    """Return which accounts hold a position at its stop, as the behaviour decides it."""
    owner = np.repeat(np.arange(len(inputs.clearer)), np.diff(inputs.position_start))
    adverse = np.sign(inputs.quantity) * (1.0 - marks[inputs.market] / inputs.entry_price)
    reached = (inputs.quantity != 0.0) & (adverse >= trigger[owner])
    return np.bincount(owner, reached, len(inputs.clearer)) > 0


@pytest.mark.parametrize("quotes_move", [False, True])
def test_nothing_happens_to_an_account_within_its_radius(quotes_move):
    generator = np.random.default_rng(7)
    count = 3000
    inputs = random_accounts(generator, count)
    rows = np.arange(count)
    call = generator.choice([0.0, 1.3], count)
    level = np.maximum(call, 1.0)
    cohort = generator.integers(0, 2, count).astype(np.int16)
    stop = np.array([np.inf, 0.25])
    out = MarginOutputs.empty(count)
    account_margin(inputs, rows, np.ones(count), out)
    value = inputs.mark_price * inputs.quote_price
    coin_unit = np.array([1.0, 0.5]) * 2e-4 * quotes_move
    column = np.array([coin_unit[0], 100.0 * 1e-3])
    units = RadiusInputs(value * 1e-3, coin_unit[QUOTE], column, call, cohort, stop)
    radius = account_radius(inputs, units, rows, np.ones(count), out)
    plain = account_radius_numpy(inputs, units, rows, np.ones(count), out)
    np.testing.assert_allclose(radius, plain, rtol=1e-12)
    healthy = (radius > 0.0) & (out.notional > 0.0)
    assert healthy.sum() > 400
    close = np.zeros(count)
    for _ in range(400):
        step = np.minimum(radius, 900.0)[healthy].min() if generator.random() < 0.1 else 30.0
        d = generator.uniform(0.2, 1.0) * step * generator.choice([1.0, 3.0, 10.0])
        corner = generator.choice([-1.0, 1.0], 6)
        quotes = np.array([1.0, 0.5]) + corner[:2] * d * coin_unit
        marks = np.maximum(value + corner[2:5] * d * units.market_unit, 1e-9) / quotes[QUOTE]
        then = moved(inputs, marks, quotes, max(100.0 + corner[5] * d * column[1], 1e-9))
        new = MarginOutputs.empty(count)
        account_margin(then, rows, np.ones(count), new)
        happens = new.equity < level * new.maintenance
        happens |= stopped(inputs, marks, stop[cohort])
        assert not (happens & healthy & (radius > d)).any()
        struck = healthy & happens
        close[struck] = np.maximum(close[struck], radius[struck] / d)
    # The bound is not idle: to some accounts something happens soon after it is used up.
    assert close.max() > 0.8


def test_without_positions_only_a_debtor_has_a_radius():
    generator = np.random.default_rng(3)
    inputs = random_accounts(generator, 3)
    inputs = inputs._replace(
        quantity=np.zeros_like(inputs.quantity),
        balance=np.array([[10.0, 0.0], [-80.0, 1.0], [-120.0, 1.0]]),
    )
    out = MarginOutputs.empty(3)
    account_margin(inputs, np.arange(3), np.ones(3), out)
    market, column = np.ones(3), np.array([0.0, 1.0])
    units = RadiusInputs(
        market, np.zeros(3), column, np.empty(0), np.zeros(3, np.int16), np.empty(0)
    )
    for twin in (account_radius, account_radius_numpy):
        radius = twin(inputs, units, np.arange(3), np.ones(3), out)
        # The coin is worth 80 or 95 after the haircut of the clearer, and moves in units of 1.
        value = [80.0, 95.0][inputs.clearer[1]]
        slack = 1e-9 * (180.0 + value - 80.0)
        assert radius[0] == np.inf
        if value > 80.0:
            assert radius[1] == pytest.approx(value - 80.0 - slack, rel=1e-12)
        else:
            assert radius[1] <= 0.0
        assert radius[2] < 0.0
