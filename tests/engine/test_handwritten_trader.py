"""Traders written by hand: what they see, what they send, and that they are margined like all."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import sim
from tests.engine.small_worlds import (
    build,
    causes_at,
    jump,
    linear,
    perp,
    price_at,
    sold,
    venue,
)

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "dip_buyer.py"
FALL = [jump(-0.2), jump(0.3, at=3)]


def example():
    """Return the trader of the documented example."""
    spec = importlib.util.spec_from_file_location("dip_buyer", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.DipBuyer


def equity(result, name="me"):
    return result.cohorts[result.cohorts["cohort"] == name]["equity"].tolist()


def test_the_documented_example_is_short_and_trades_as_it_says(tmp_path):
    # Bought 1 at 80 (in front of it the book moved by 0.5), sold at 104.5 once it is back.
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 40
    scenario = build(tmp_path, markets=[perp(impact=linear(1.0))], shocks=FALL, horizon=6)
    plan = example().plan(
        "me", venue="one", deposit={"USDT": 1000}, symbol="BTC-PERP", dip=0.05, size=1.0
    )
    result = sim.run(scenario, traders=[plan], check=True)
    assert price_at(result, "one/BTC-PERP", 1) == pytest.approx(81)
    assert causes_at(result, "one/BTC-PERP", 1).keys() == {"exogenous", "trade:DipBuyer"}
    bought, sold_at = 80.5, 81 * 1.3 - 0.5
    assert equity(result)[-1] == pytest.approx(1000 + sold_at - bought)
    gross = result.cohorts["gross_notional"].tolist()
    assert gross == pytest.approx([0, 81, 81, 0, 0, 0])


class Gambler(sim.Trader):
    """Sends given orders at given ticks."""

    def prepare(self, orders):
        self.orders = orders

    def decide(self, market):
        for symbol, quantity in self.orders.get(market.time, ()):
            self.order(symbol, quantity)


def gamble(folder, orders, deposit=1000.0, positions=None, **fields):
    scenario = build(folder, **{"horizon": 4, **fields})
    plan = Gambler.plan(
        "me", venue="one", deposit={"USDT": deposit}, positions=positions, orders=orders
    )
    return sim.run(scenario, traders=[plan], check=True)


def test_several_orders_for_one_market_fill_as_one(tmp_path):
    markets = [perp(impact=linear(1.0))]
    orders = {1.0: [("BTC-PERP", 3.0), ("BTC-PERP", -1.0)]}
    result = gamble(tmp_path, orders, markets=markets)
    assert price_at(result, "one/BTC-PERP", 1) == pytest.approx(102)
    # Bought 2 at 101, marked at 102.
    assert equity(result)[-1] == pytest.approx(1002)


def test_a_hand_written_trader_is_liquidated_like_any_other(tmp_path):
    result = gamble(tmp_path, {}, deposit=20, positions={"BTC-PERP": 1.0}, shocks=[jump(-0.15)])
    assert sold(result, "account_id", "trader_id", "cohort") == [("me@one", "me", "me")]
    assert equity(result)[-1] == pytest.approx(5)


def test_an_account_being_liquidated_cannot_trade(tmp_path):
    venues = {"one": venue(liquidation={"kind": "full", "latency": 2})}
    result = gamble(
        tmp_path,
        {2.0: [("BTC-PERP", 5.0)]},
        deposit=20,
        positions={"BTC-PERP": 1.0},
        shocks=[jump(-0.15)],
        venues=venues,
    )
    assert result.cohorts["gross_notional"].tolist() == pytest.approx([100, 85, 85, 0])


@pytest.mark.parametrize("quantity", [float("nan"), float("inf")])
def test_an_order_must_be_a_number(quantity, tmp_path):
    with pytest.raises(sim.RunError, match="not a finite number"):
        gamble(tmp_path, {1.0: [("BTC-PERP", quantity)]})


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        ({1.0: [("ETH-PERP", 1.0)]}, "no market 'ETH-PERP'"),
        ({1.0: [("BTC-SPOT", 1.0)]}, "spot market"),
    ],
)
def test_orders_go_to_markets_that_hold_positions(orders, message, tmp_path):
    spot = {**perp(), "symbol": "BTC-SPOT", "kind": "spot"}
    with pytest.raises(sim.RunError, match=message):
        gamble(tmp_path, orders, markets=[perp(), spot])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"venue": "nowhere", "deposit": {}}, "no venue"),
        ({"venue": "one", "deposit": {"EUR": 1}}, "no asset 'EUR'"),
        ({"venue": "one", "deposit": {}, "positions": {"X": 1}}, "no market 'X'"),
        ({"venue": "one", "deposit": {"USDT": float("nan")}}, "not a finite number"),
        ({"venue": "one", "deposit": {}, "positions": {"BTC-PERP": float("inf")}}, "not a finite"),
    ],
)
def test_a_plan_must_fit_the_scenario(fields, message, tmp_path):
    with pytest.raises(sim.RunError, match=message):
        sim.run(build(tmp_path), traders=[sim.Trader.plan("me", **fields)])


def test_names_are_unique(tmp_path):
    plans = [sim.Trader.plan("me", venue="one", deposit={"USDT": 1}) for _ in range(2)]
    with pytest.raises(sim.ScenarioError, match="two groups named 'me'"):
        sim.run(build(tmp_path), traders=plans)


def test_a_trader_sees_its_own_account_and_the_market(tmp_path):
    seen = []

    class Watcher(sim.Trader):
        def decide(self, market):
            seen.append(
                (
                    market.time,
                    market.last_price("BTC-PERP"),
                    market.mark_price("BTC-PERP"),
                    market.initial_price("BTC-PERP"),
                    self.position("BTC-PERP"),
                    self.equity(),
                )
            )

    plan = Watcher.plan("me", venue="one", deposit={"USDT": 50}, positions={"BTC-PERP": -1.0})
    sim.run(build(tmp_path, shocks=[jump(0.1)], horizon=3), traders=[plan])
    # It looks after the shock and before the marks follow.
    assert seen == [
        (0.0, 100, 100, 100, -1, 50),
        (1.0, pytest.approx(110), 100, 100, -1, 50),
        (2.0, pytest.approx(110), pytest.approx(110), 100, -1, pytest.approx(40)),
    ]
