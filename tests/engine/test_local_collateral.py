"""Collateral that a clearer prices by its own book or at par: equity, sales, top-ups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import sim
from sim.engine.build import build_world
from sim.engine.stretch import Stretches
from tests.engine.agreement import assert_same
from tests.engine.small_worlds import build, equity_at, jump, linear, perp, play, sold, venue

ROOT = Path(__file__).parents[2]
ASSETS = {"USDT": {"price": 1}, "BTC": {"price": 100}, "USDE": {"price": 1.0, "haircut": 0.1}}
KINDS = ("own", "par", "index")


def spot(place, **fields):
    return perp(place, "USDE", symbol="USDE-USDT", kind="spot", **fields)


def places(**more):
    """Return one venue for each way of pricing the coin, each with its own spot market."""
    return {kind: venue(collateral_price={"USDE": kind}, **more) for kind in KINDS}


def three(book, **fields):
    """Return a world of the three venues; `book` gives balances and positions of an account."""
    markets = [spot(kind) for kind in KINDS] + [perp(kind) for kind in KINDS]
    balances, positions = book
    accounts = [
        (kind, kind, kind, balances, [(f"{kind}/BTC-PERP", *held) for held in positions])
        for kind in KINDS
    ]
    return accounts, {"venues": places(), "markets": markets, "assets": ASSETS, **fields}


def equities(accounts, fields, folder):
    """Return the equity of each venue's accounts at tick 2."""
    result = play(folder, accounts, **fields)
    table = result.venues[result.venues["tick"] == 2].set_index("venue")["equity"]
    return [table[kind] for kind in KINDS]


def test_held_collateral_counts_at_the_price_that_the_venue_goes_by(tmp_path):
    accounts, fields = three(({"USDE": 1000, "USDT": 50}, [(1, 100)]))
    # The book of `own` falls by 60 %, the others stay: over all three the coin is worth 0.8.
    fields["shocks"] = [jump(-0.6, asset="USDE", venue="own")]
    assert equities(accounts, fields, tmp_path) == pytest.approx([50 + 360, 950, 50 + 720])
    # All books fall: only par holds.
    fields["shocks"] = [jump(-0.6, asset="USDE")]
    assert equities(accounts, fields, tmp_path) == pytest.approx([410, 950, 410])


def test_debts_count_at_the_value_over_all_venues(tmp_path):
    accounts, fields = three(({"USDE": -1000, "USDT": 2000}, [(1, 100)]))
    fields["shocks"] = [jump(-0.6, asset="USDE", venue="own")]
    assert equities(accounts, fields, tmp_path) == pytest.approx([1200] * 3)


def test_only_the_venue_that_goes_by_its_own_book_liquidates(tmp_path):
    accounts, fields = three(({"USDE": 100}, [(5, 100)]))
    fields["shocks"] = [jump(-0.6, asset="USDE", venue="own")]
    result = play(tmp_path, accounts, **fields)
    assert sold(result, "account_id", "generation") == [("own", 0)]


@pytest.mark.parametrize(
    ("kind", "left"),
    [("own", 90 * 0.8 - 64), ("par", 90 - 64 * 0.9 / 0.8), ("index", 90 * 0.8 - 64)],
)
def test_the_desk_takes_collateral_at_what_it_counts_or_is_worth(kind, left, tmp_path):
    # 100 coins at 0.9 back 8 BTC; BTC falls to 92 and the coin by 20 %: the loss of 64 is paid
    # for out of coins, and equity stays what it was. Coins at par go for 0.8, and count for 0.9.
    book = [("a", "t", kind, {"USDE": 100}, [(f"{kind}/BTC-PERP", 8, 100)])]
    fields = {
        "venues": {kind: venue(collateral_price={"USDE": kind})},
        "markets": [spot(kind), perp(kind)],
        "assets": ASSETS,
        "shocks": [jump(-0.2, asset="USDE"), jump(-0.08)],
    }
    result = play(tmp_path, book, **fields)
    assert len(result.liquidations) == 1
    assert equity_at(result, "book", 2) == pytest.approx(left)
    last = result.cohorts.iloc[-1]
    assert last["equity"] == pytest.approx(left)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shortfall_is_the_same_however_its_collateral_was_counted(kind, tmp_path):
    # 1,000 coins that fetch 400 are sold against a loss of 1,200, and a fund pays the rest.
    book = [("a", "t", kind, {"USDE": 1000}, [(f"{kind}/BTC-PERP", 20, 100)])]
    waterfall = [{"kind": "insurance_fund", "size": 5000}, {"kind": "clearer"}]
    fields = {
        "venues": {
            kind: venue(0.01, collateral_price={"USDE": kind}, collateral={"USDE": 0, "USDT": 0},
                        waterfall=waterfall)
        },
        "markets": [spot(kind), perp(kind)],
        "assets": {**ASSETS, "USDE": {"price": 1.0}},
        "shocks": [jump(-0.6, at=2, asset="USDE"), jump(-0.6, at=3)],
    }  # fmt: skip
    summary = play(tmp_path, book, **fields).summary
    assert summary["shortfall"] == summary["insurance_fund_used"] == pytest.approx(800)


def test_own_prices_follow_the_book_and_the_value_of_its_quote(tmp_path):
    assets = {**ASSETS, "USDC": {"price": 1.25}}
    book = [("a", "t", "own", {"USDE": 1000}, [("own/BTC-PERP", 1, 100)])]
    scenario = build(
        tmp_path, book, venues={"own": places()["own"]}, assets=assets,
        markets=[spot("own", quote="USDC", price=0.8), perp("own")],
        shocks=[jump(-0.5, asset="USDC"), jump(-0.75, at=2, asset="USDE")],
    )  # fmt: skip
    accounts, _ = sim.margin_table(scenario)
    assert accounts["equity"].tolist() == pytest.approx([900])
    accounts, _ = sim.margin_table(scenario, {"own/USDE-USDT": 0.4})
    assert accounts["equity"].tolist() == pytest.approx([450])
    result = sim.run(scenario, check=True)
    shown = result.mechanisms
    assert set(shown["series"]) == {"collateral_price"}
    assert set(shown["symbol"]) == {"USDE-USDT"}
    # USDC loses half its value, and what is quoted in it doubles, but for the jump of its own.
    last = result.prices[result.prices["symbol"] == "USDE-USDT"]["last_price"]
    assert last.tolist()[:3] == pytest.approx([0.8, 1.6, 0.4])
    assert shown["value"].tolist()[:3] == pytest.approx([1.0, 1.0, 0.25])


def test_a_cohort_is_drawn_with_the_leverage_that_its_own_price_allows(tmp_path):
    group = {
        "cohort": "c", "count": 50, "venues": {"own": 1}, "collateral": {"USDE": 1},
        "equity": {"dist": "constant", "value": 100},
        "leverage": {"dist": "constant", "value": 50}, "portfolio": {"BTC": 1},
    }  # fmt: skip
    for price in (1.0, 0.5):
        scenario = build(
            tmp_path, traders=[group], assets=ASSETS,
            venues={"own": venue(collateral_price={"USDE": "own"}, initial_rate=0.2)},
            markets=[spot("own", price=price), perp("own")],
        )  # fmt: skip
        accounts, _ = sim.margin_table(scenario)
        assert accounts["equity"].tolist() == pytest.approx([90 * price] * 50)
        assert accounts["initial_margin"].tolist() == pytest.approx([90 * price] * 50)


def test_a_top_up_counts_at_the_price_of_the_clearer_that_gets_it(tmp_path):
    # Called at a ratio of 1.5: 70 over 46.67 was 1.5; at 0.5 own coins of a wallet count for half.
    call = {"level": 1.5, "grace": 60}
    book = [
        ("a", "t", "own", {"USDT": 70}, [("own/BTC-PERP", 5, 100)]),
        ("w", "t", "wallet", {"USDE": 1000}, []),
    ]
    fields = {
        "venues": {"own": venue(collateral_price={"USDE": "own"}, call=call)},
        "markets": [spot("own", price=0.5), perp("own")],
        "assets": {**ASSETS, "USDE": {"price": 1.0}},
        "source": {"top_up": {"sources": ["wallet"], "latency": 0}},
        "horizon": 2,
    }
    scenario = build(tmp_path, book, **fields)
    result = sim.run(scenario, check=True)
    assert result.venues["equity"].tolist()[0] == pytest.approx(75.0)  # 5 USDT: 10 coins
    accounts = build_world(scenario, 1)
    assert accounts.local.own_price.tolist() == [0.5]


NOISY = """
schema_version: 1
name: noisy
clock: {{tick: 1s, horizon: 20min}}
record: {{every: 20s}}
engine: {{margin_check: {mode}}}
assets:
  USDT: {{price: 1}}
  USDE: {{price: 1, haircut: 0.05}}
  BTC: {{price: 100, volatility: 0.1}}
venues:
  own:
    margin: {{kind: cross, maintenance_rate: 0.02, size_rate: 0.002, size_root: 0.001,
              liquidation_ratio: 1.05}}
    collateral_price: {{USDE: own}}
    liquidation: {{kind: to_target, target_ratio: 1.2}}
  par:
    margin: {{kind: cross, maintenance_rate: 0.02, size_root: 0.004}}
    collateral_price: {{USDE: par}}
markets:
  - {{venue: own, symbol: USDE-USDT, kind: spot, base: USDE, quote: USDT,
     impact: {{kind: linear, depth: 1e7}}}}
  - {{venue: par, symbol: USDE-USDT, kind: spot, base: USDE, quote: USDT,
     impact: {{kind: linear, depth: 1e7}}}}
  - {{venue: own, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {{kind: linear, depth: 1e8}}}}
  - {{venue: par, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {{kind: linear, depth: 1e8}}}}
traders:
  - {{cohort: c, count: 600, venues: {{own: 0.7, par: 0.3}}, collateral: {{USDE: 1}},
     equity: {{dist: uniform, min: 100, max: 1000}},
     leverage: {{dist: uniform, min: 2, max: 15}}}}
shocks:
  - {{kind: gbm, assets: [BTC]}}
  - {{kind: path, asset: USDE, venue: own, points: {points}}}
"""


def noisy(mode, smooth):
    """Run the noisy world: the coin falls by a quarter in the book of `own`, or swings there."""
    steps = range(0, 1200, 1 if smooth else 40)
    fall = [[t, 1 - 0.25 * t / 1200] if smooth else [t, (1, 0.8)[t // 40 % 2]] for t in steps]
    return sim.run(sim.load_text(NOISY.format(mode=mode, points=fall), file="<text>"), check=True)


@pytest.mark.parametrize("smooth", [True, False])
def test_due_finds_who_breaks_because_of_an_own_book_alone(smooth, monkeypatch):
    stepped, advance = [], Stretches.advance

    def counting(self, tick):
        reached, phase = advance(self, tick)
        stepped.append(reached - tick)
        return reached, phase

    full = noisy("full", smooth)
    monkeypatch.setattr(Stretches, "advance", counting)
    due = noisy("due", smooth)
    assert set(full.liquidations["venue"]) == {"own"}
    assert full.liquidations["account_id"].nunique() > 30
    assert_same(full, due)
    assert sum(stepped) > 300  # ticks gone through in calm stretches


def test_an_own_book_that_forced_sales_reach_makes_the_next_generation(tmp_path):
    # The whale breaks and sells 20 BTC, which moves its market by 10 and the spot book of `own` by
    # cross impact as much: 10 BTC of collateral there are worth 900 instead of 1000.
    book = [
        ("whale", "w", "far", {"USDT": 230}, [("far/BTC-PERP", 20, 100)]),
        ("b", "b", "own", {"BTC": 10, "USDT": -50}, [("own/ETH-PERP", 900, 10)]),
    ]
    fields = {
        "assets": {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}},
        "markets": [
            perp("far", impact=linear(0.5)),
            perp("own", symbol="BTC-SPOT", kind="spot", impact=linear(0.5)),
            perp("own", "ETH"),
        ],
        "coupling": [{"kind": "cross_impact", "asset": "BTC", "phi": 1}],
        "shocks": [jump(-0.02, venue="far")],
    }
    for kind, broken in (("own", [("whale", 0), ("b", 1)]), ("par", [("whale", 0)])):
        venues = {"far": venue(), "own": venue(collateral_price={"BTC": kind})}
        result = play(tmp_path, book, venues=venues, **fields)
        assert sold(result, "account_id", "generation") == broken


def test_the_shipped_scenario_says_what_one_sees():
    file = ROOT / "scenarios" / "venues" / "local-collateral.yaml"
    for changes in ({}, {"venues.beta.collateral_price.USDE": "index"}):
        result = sim.run(sim.load(file, changes))
        by_venue = result.liquidations.groupby("venue")["account_id"].nunique()
        assert list(by_venue.index) == ["alpha"]
        assert by_venue["alpha"] > 150
        lowest = result.prices.groupby(["venue", "symbol"])["last_price"].min()
        assert lowest["alpha", "BTC-PERP"] < 0.99 * lowest["beta", "BTC-PERP"]
    assert np.isclose(result.mechanisms["value"].min(), 0.65)
