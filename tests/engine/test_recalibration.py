"""Margin that follows volatility during a run, against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

import sim
from sim.engine.stretch import Stretches
from tests.engine.small_worlds import build, longs, perp, play, price_at, sold

YEAR = 365.0 * 86_400.0
Z = 2.3263478740408408
ASSETS = {"USDT": {"price": 1}, "BTC": {"price": 100, "volatility": 0.5}}
MODEL = {"kind": "ewma", "decay": 0.9, "sample": 1, "every": 1, "period_of_risk": "2d"}
START = Z * 0.5 * math.sqrt(2 / 365)
"""Rate the model starts with, some 8.6 %."""


def model(**keys):
    """Return a venue whose rates come from a model."""
    return {"margin": {"kind": "cross", "risk_model": MODEL | keys}}


def stressed(rate=0.1, **keys):
    """Return a venue that multiplies its margins from a volatility of 1 and of 100 on."""
    steps = [{"volatility": 1, "multiplier": 1.5}, {"volatility": 100, "multiplier": 2}]
    stress = {"window": 3, "sample": 1, "steps": steps} | keys
    return {"margin": {"kind": "cross", "maintenance_rate": rate, "stress": stress}}


def path(*prices, asset="BTC"):
    """Return a price for every tick."""
    return {"kind": "path", "asset": asset, "points": [[t, p] for t, p in enumerate(prices)]}


def series(result, name, venue="one", symbol="BTC-PERP"):
    """Return a recorded series by tick."""
    table = result.mechanisms
    chosen = (table["series"] == name) & (table["venue"] == venue) & (table["symbol"] == symbol)
    return table[chosen].set_index("tick")["value"]


def expected_rates(prices, decay, sample, every):
    """Return the rate of every tick, from the definition."""
    variance, rate, rates = 0.5**2 * sample / YEAR, START, [START]
    for t in range(1, len(prices)):
        if t % sample == 0:
            move = math.log(prices[t] / prices[t - sample])
            variance = decay * variance + (1 - decay) * move**2
        if t % every == 0:
            rate = min(Z * math.sqrt(variance * 2 * 86_400 / sample), 1.0)
        rates.append(rate)
    return rates


@pytest.mark.parametrize(("sample", "every"), [(1, 1), (1, 4), (2, 4), (3, 5)])
def test_rates_are_those_of_the_definition(tmp_path, sample, every):
    prices = [100 * math.exp(1e-4 * math.sin(3 * t)) for t in range(20)]
    result = play(
        tmp_path,
        longs((1, 1e4)),
        assets=ASSETS,
        venues={"one": model(sample=sample, every=every)},
        shocks=[path(*prices)],
        horizon=20,
    )
    found = series(result, "margin_rate")
    assert found.to_list() == pytest.approx(expected_rates(prices, 0.9, sample, every), rel=1e-9)
    assert found.nunique() > 2


def test_an_account_breaks_because_its_margin_rises(tmp_path):
    # The price is back where it was, and the position as well covered as at the start.
    result = play(
        tmp_path,
        longs((1, 15), (1, 40)),
        assets=ASSETS,
        venues={"one": model(sample=1, every=3)},
        shocks=[path(100, 100.04, 100, 100)],
    )
    assert price_at(result, "one/BTC-PERP", 3) == pytest.approx(100)
    variance = 0.5**2 / YEAR
    for move in (math.log(1.0004), math.log(1.0004), 0.0):
        variance = 0.9 * variance + 0.1 * move**2
    rate = Z * math.sqrt(variance * 2 * 86_400)
    assert 0.15 < rate < 0.4
    assert sold(result, "tick", "account_id", "generation") == [(3, "a0", 0)]
    assert series(result, "margin_rate")[3] == pytest.approx(rate, rel=1e-9)


@pytest.mark.parametrize(("floor", "falls"), [(None, False), (0.5, True)])
def test_margin_falls_in_calm_unless_a_floor_holds_it(tmp_path, floor, falls):
    # A fall of 4 leaves 6.7 of 10.7: above what is asked after two quiet samples, and below the
    # 8.3 of the volatility at the start.
    result = play(
        tmp_path,
        longs((1, 10.7)),
        assets=ASSETS,
        venues={"one": model(decay=0.5, every=2, floor_volatility=floor)},
        shocks=[path(100, 100, 100, 96, 96)],
        horizon=4,
    )
    rate = series(result, "margin_rate")[2]
    assert rate == pytest.approx(START if floor else START / 2, rel=1e-6)
    assert bool(sold(result, "tick")) == falls


def test_a_position_elsewhere_is_under_the_clearers_model(tmp_path):
    assets = ASSETS | {"ETH": {"price": 10, "volatility": 0.5}}
    account = ("a", "t", "one", {"USDT": 30}, [("two/ETH-PERP", 20, 10)])
    other = ("b", "u", "two", {"USDT": 30}, [("two/ETH-PERP", 20, 10)])
    result = play(
        tmp_path,
        [account, other],
        assets=assets,
        venues={
            "one": model(),
            "two": {"margin": {"kind": "cross", "maintenance_rate": START}},
        },
        markets=[perp("two", "ETH")],
        shocks=[path(10, 10.01, 10, 10, asset="ETH")],
    )
    assert [key for _, key in sold(result, "tick", "account_id")] == ["a"]
    # A clearer that lists no market of its own shows those it clears.
    assert series(result, "margin_rate", "one", "ETH-PERP").iloc[-1] > 0.15


def test_nothing_is_sampled_or_set_while_the_clearer_is_down(tmp_path):
    prices = [100, 100.01, 100.02, 100.04, 100.05, 100.06, 100.06]
    result = play(
        tmp_path,
        longs((1, 1e4)),
        assets=ASSETS,
        venues={"one": model()},
        shocks=[path(*prices), {"kind": "outage", "venue": "one", "at": 2, "duration": 3}],
        horizon=7,
    )
    rate = series(result, "margin_rate")
    assert rate[1] == rate[2] == rate[3] == rate[4] != rate[5]
    first = 0.9 * 0.5**2 / YEAR + 0.1 * math.log(100.01 / 100) ** 2
    over_four = math.log(prices[5] / prices[1]) ** 2 / 4
    variance = 0.9**4 * first + (1 - 0.9**4) * over_four
    assert rate[5] == pytest.approx(Z * math.sqrt(variance * 2 * 86_400), rel=1e-9)


def test_a_jump_at_the_start_counts(tmp_path):
    result = play(
        tmp_path,
        longs((1, 1e4)),
        assets=ASSETS,
        venues={"one": model()},
        shocks=[{"kind": "jump", "at": 0, "asset": "BTC", "return": -0.01}],
        horizon=2,
    )
    variance = 0.9 * 0.5**2 / YEAR + 0.1 * math.log(0.99) ** 2
    assert series(result, "margin_rate")[1] == pytest.approx(
        min(Z * math.sqrt(variance * 2 * 86_400), 1)
    )


def test_margins_are_multiplied_in_stress_and_come_back(tmp_path):
    # The account has 12 for 10, then for 15 while the move of tick 1 is in the window.
    result = play(
        tmp_path,
        longs((1, 12), (1, 16)),
        assets=ASSETS,
        venues={"one": stressed()},
        shocks=[path(100, 100.05, 100, 100, 100, 100, 100)],
        horizon=7,
    )
    assert sold(result, "tick", "account_id") == [(1, "a0")]
    multiplier = series(result, "margin_multiplier")
    assert multiplier.to_list() == [1, 1.5, 1.5, 1.5, 1.5, 1, 1]
    volatility = series(result, "realised_volatility")
    move = math.log(1.0005)
    assert volatility[0] == 0.5
    assert volatility[1] == pytest.approx(math.sqrt((move**2 + 0.25 * 2 / YEAR) / (3 / YEAR)))
    assert volatility[3] == pytest.approx(math.sqrt(2 * move**2 / (3 / YEAR)))
    assert volatility[6] == pytest.approx(0, abs=1e-9)


def test_rate_deduction_and_initial_rate_are_multiplied(tmp_path):
    tiers = [{"floor": 0, "rate": 0.1}, {"floor": 100, "rate": 0.2, "max_leverage": 4}]
    venue = stressed()
    venue["margin"] |= {"tiers": tiers}
    del venue["margin"]["maintenance_rate"]
    # 300 of notional need 0.2 * 300 - 10 = 50, and 75 in stress.
    result = play(
        tmp_path,
        longs((3, 74.9), (3, 75.1)),
        assets=ASSETS,
        venues={"one": venue},
        shocks=[path(100, 100.05, 100, 100)],
    )
    assert [key for (key,) in sold(result, "account_id")] == ["a0"]


def test_stress_asks_for_no_more_than_the_notional(tmp_path):
    # Times 1.5 the first 100 need 90 and all beyond them what it is worth: 190 of 200.
    tiers = [{"floor": 0, "rate": 0.6}, {"floor": 100, "rate": 0.8, "max_leverage": 1}]
    venue = stressed()
    venue["margin"] |= {"tiers": tiers}
    del venue["margin"]["maintenance_rate"]
    result = play(
        tmp_path,
        longs((2, 189.8), (2, 190.2)),
        assets=ASSETS,
        venues={"one": venue},
        shocks=[path(100, 100.05, 100, 100)],
    )
    assert [key for (key,) in sold(result, "account_id")] == ["a0"]


def test_what_size_adds_is_multiplied_as_well(tmp_path):
    # 10 contracts need (0.1 + 0.01 * 10) * 1,000 = 200, and 300 in stress.
    venue = stressed()
    venue["margin"]["size_rate"] = 0.01
    result = play(
        tmp_path,
        longs((10, 299), (10, 301)),
        assets=ASSETS,
        venues={"one": venue},
        shocks=[path(100, 100.05, 100, 100)],
    )
    assert [key for (key,) in sold(result, "account_id")] == ["a0"]


def test_an_outage_keeps_the_multiplier(tmp_path):
    result = play(
        tmp_path,
        longs((1, 1e4)),
        assets=ASSETS,
        venues={"one": stressed()},
        shocks=[
            path(100, 100.05, 100, *[100] * 8),
            {"kind": "outage", "venue": "one", "at": 3, "duration": 5},
        ],
        horizon=11,
    )
    multiplier = series(result, "margin_multiplier")
    assert multiplier.to_list() == [1] + [1.5] * 7 + [1, 1, 1]


def test_a_model_may_be_multiplied_as_well(tmp_path):
    venue = stressed()
    del venue["margin"]["maintenance_rate"]
    venue["margin"]["risk_model"] = MODEL
    result = play(
        tmp_path,
        longs((1, 1e4)),
        assets=ASSETS,
        venues={"one": venue},
        shocks=[path(100, 100.002, 100, 100.04)],
        horizon=4,
    )
    plain = expected_rates([100, 100.002, 100, 100.04], 0.9, 1, 1)
    factor = series(result, "margin_multiplier")
    assert factor.iloc[-1] == 1.5
    found = series(result, "margin_rate")
    assert found.to_list() == pytest.approx((np.array(plain) * factor).to_list(), rel=1e-9)


def test_orders_that_add_need_the_new_initial_margin(tmp_path):
    # Three times the equity can be bought at an initial margin of 26 %, and not at one above 33 %.
    def traded(shocks):
        cohort = {
            "cohort": "f", "count": 1, "venues": {"one": 1}, "long_share": 1,
            "equity": {"dist": "constant", "value": 1000},
            "leverage": {"dist": "constant", "value": 2},
            "behaviour": {"kind": "fundamentalist", "aggressiveness": 150, "max_leverage": 4},
        }  # fmt: skip
        result = play(
            tmp_path,
            traders=[cohort],
            assets=ASSETS,
            venues={"one": model(initial_multiple=3, every=3)},
            shocks=[*shocks, {"kind": "jump", "at": 4, "asset": "BTC", "return": -0.02}],
            horizon=5,
        )
        notional = result.cohorts[result.cohorts["cohort"] == "f"].set_index("tick")
        return notional["gross_notional"]

    quiet, shaken = traded([]), traded([path(100, 100.05, 100, 100, 100)])
    assert quiet[4] == pytest.approx(150 * 0.02 / 0.98 * 1000)
    assert shaken[4] == 0


def test_the_margin_table_shows_the_rates_at_the_start(tmp_path):
    scenario = build(tmp_path, longs((2, 100)), assets=ASSETS, venues={"one": model()})
    accounts, positions = sim.margin_table(scenario)
    assert accounts["maintenance_margin"].item() == pytest.approx(200 * START)
    assert accounts["initial_margin"].item() == pytest.approx(200 * START)
    # 100 + 2 (P - 100) = 2 P rate
    expected = 50 / (1 - START)
    assert positions["liquidation_price"].item() == pytest.approx(expected)


def test_a_margin_of_all_the_notional_has_no_liquidation_price_for_a_long(tmp_path):
    venue = model(start_volatility=100)
    scenario = build(tmp_path, longs((2, 250)), assets=ASSETS, venues={"one": venue})
    accounts, positions = sim.margin_table(scenario)
    assert accounts["maintenance_margin"].item() == 200
    assert math.isnan(positions["liquidation_price"].item())


def test_ticks_between_samples_may_be_calm(tmp_path, monkeypatch):
    stepped, advance = [], Stretches.advance

    def counting(self, tick):
        reached, phase = advance(self, tick)
        stepped.append((tick, reached))
        return reached, phase

    monkeypatch.setattr(Stretches, "advance", counting)
    play(
        tmp_path,
        longs((1, 90)),
        assets=ASSETS,
        venues={"one": model(sample=20, every=40)},
        shocks=[{"kind": "gbm", "assets": ["BTC"]}],
        record={"every": 100},
        horizon=100,
    )
    reached = {stop for start, stop in stepped if stop > start}
    assert reached >= {20, 40, 60, 80}
