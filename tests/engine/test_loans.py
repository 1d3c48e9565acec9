"""Loans liquidated at a fixed spread: what keepers take, when they stay away, who earns what."""

from __future__ import annotations

import pytest

import sim
from tests.engine.lending import MARKET, borrower, lend, shown
from tests.engine.small_worlds import (
    equity_at,
    jump,
    linear,
    perp,
    play,
    price_at,
    sold,
    venue,
    venue_at,
)
from tests.engine.test_handwritten_trader import Gambler

AAVE = {"kind": "fixed_spread", "bonus": 0.05}


def health(equity, value, threshold=0.83):
    return threshold * value / (value - equity)


@pytest.mark.parametrize(("to", "quantity"), [(2891.6, 0), (2891.5, 4.3576), (2800, 4.5)])
def test_half_a_loan_is_liquidated_where_its_health_falls_below_one(tmp_path, to, quantity):
    result = lend(tmp_path, [borrower(24_000)], AAVE, to=to)
    assert [-q for (q,) in sold(result, "quantity")] == pytest.approx([quantity] * (quantity > 0))


def test_books_of_a_worked_liquidation(tmp_path):
    result = lend(tmp_path, [borrower(24_000)], AAVE, to=2800)
    equity = equity_at(result, "book", 4)
    assert equity == pytest.approx(4000 - 600)
    assert health(equity, 5.5 * 2800) == pytest.approx(1.0652, abs=5e-5)
    assert venue_at(result, "pool", 4, "insurance_fund") == pytest.approx(1e6 + 60)
    assert shown(result, "keeper_capital")[-1] == pytest.approx(540)
    assert sold(result, "fee") == [pytest.approx((600,))]


def test_a_loan_below_the_lower_health_is_repaid_whole(tmp_path):
    result = lend(tmp_path, [borrower(24_000)], AAVE, to=2700)
    assert sold(result, "quantity") == [pytest.approx((-9.33333333,))]
    assert equity_at(result, "book", 4) == pytest.approx(27_000 - 24_000 * 1.05)
    assert result.summary["shortfall"] == 0


def test_bad_debt_begins_where_the_collateral_no_longer_pays_the_bonus(tmp_path):
    for to, lost in ((2521, 0.0), (2500, 24_000 - 25_000 / 1.05)):
        result = lend(tmp_path, [borrower(24_000)], AAVE, to=to)
        assert result.summary["shortfall"] == pytest.approx(lost, abs=1e-6)


def test_a_deposit_without_entry_price_is_the_loan_that_one_with_it_is(tmp_path):
    without = lend(tmp_path, [borrower(24_000)], AAVE, to=2800)
    priced = lend(tmp_path, [borrower(-4000, entry=2800)], AAVE, to=2800)
    assert equity_at(without, "book", 4) == pytest.approx(equity_at(priced, "book", 4))


def test_keepers_stay_away_from_a_sale_that_costs_more_than_the_spread(tmp_path):
    # A sale of q earns q (133.33 - c q / 2): 499 at c = 10, and at c = 30 at most 296.
    for coefficient, acts in ((10.0, True), (30.0, False)):
        rule = AAVE | {"least_left": 0, "protocol_share": 0, "keepers": {"gas": 400}}
        result = lend(tmp_path, [borrower(24_000)], rule, to=2800, impact=linear(coefficient))
        assert bool(sold(result, "quantity")) == acts
        assert (max(shown(result, "loans_waiting")) == 1) == (not acts)
        assert shown(result, "keeper_profit")[-1] >= 0


def test_keepers_who_sell_together_take_what_just_pays_all_of_them(tmp_path):
    """Ten equal loans at one average price: it ends at the spread, no matter how many there are."""
    rule = AAVE | {"least_left": 0, "protocol_share": 0, "latency": 100}
    many = [borrower(24_000, name=f"a{k}") for k in range(10)]
    result = lend(tmp_path, many, rule, to=2800, impact=linear(20.0), horizon=200, tick=50)
    orders = sold(result, "quantity", "close_out_price", "mark_price")
    assert len(orders) == 10
    assert len({quantity for quantity, *_ in orders}) == 1
    for _, price, mark in orders:
        assert price == pytest.approx(mark / 1.05)
    assert shown(result, "keeper_profit")[-1] == pytest.approx(0, abs=1e-3)


def test_gas_keeps_keepers_from_small_loans_only(tmp_path):
    loans = [borrower(24_000, name="large"), borrower(240, size=0.1, name="small")]
    result = lend(tmp_path, loans, AAVE | {"keepers": {"gas": 30}}, to=2800)
    assert {name for (name,) in sold(result, "account_id")} == {"large"}
    assert shown(result, "keeper_profit")[-1] == pytest.approx(540 - 30)


def test_capital_bounds_what_keepers_repay_without_flash_loans(tmp_path):
    for flash, repaid in ((True, 12_000), (False, 3000)):
        keepers = {"capital": 3000, "flash_loan": flash}
        rule = AAVE | {"latency": 100, "keepers": keepers}
        result = lend(tmp_path, [borrower(24_000)], rule, to=2800, horizon=200, tick=50)
        ((notional,),) = sold(result, "notional")
        assert notional == pytest.approx(repaid * 1.05, rel=1e-6)


def test_a_stale_oracle_keeps_keepers_away_until_it_follows(tmp_path):
    mark = {"kind": "ema", "half_life": "2s"}
    result = lend(tmp_path, [borrower(24_000)], AAVE, to=2400, mark=mark, horizon=25)
    first = result.liquidations["tick"].min()
    assert first > 1
    assert max(shown(result, "loans_waiting")) == 1
    assert price_at(result, MARKET, first, "mark_price") < 2400 * 1.05
    assert result.summary["shortfall"] > 0


def test_collateral_of_several_kinds_is_taken_in_equal_shares(tmp_path):
    result = play(
        tmp_path,
        [("a", "t", "pool", {"USDC": -28_000}, [("pool/W", 10, 0), ("pool/B", 0.1, 0)])],
        assets={"USDC": {"price": 1}, "WETH": {"price": 3000}, "WBTC": {"price": 60_000}},
        venues={
            "pool": {
                "margin": {
                    "kind": "cross",
                    "loans": {
                        "WETH": {"loan_to_value": 0.8, "liquidation_threshold": 0.83},
                        "WBTC": {"loan_to_value": 0.7, "liquidation_threshold": 0.78},
                    },
                },
                "liquidation": {"kind": "fixed_spread", "bonus": {"WETH": 0.05, "WBTC": 0.1}},
            }
        },
        markets=[
            {"venue": "pool", "symbol": s, "kind": "collateral", "base": b, "quote": "USDC",
             "impact": {"kind": "none"}} for s, b in (("W", "WETH"), ("B", "WBTC"))
        ],
        shocks=[{"kind": "jump", "at": 1, "asset": "WETH", "return": -0.08}],
    )  # fmt: skip
    orders = sold(result, "symbol", "quantity", "notional")
    share = {symbol: -q / size for (symbol, q, _), size in zip(orders, (10, 0.1), strict=True)}
    assert share["W"] == pytest.approx(share["B"])
    repaid = orders[0][2] / 1.05 + orders[1][2] / 1.1
    assert repaid == pytest.approx(14_000)


def test_a_drawn_cohort_borrows_no_more_than_it_may(tmp_path):
    cohort = {
        "cohort": "drawn", "count": 200, "venues": {"pool": 1}, "long_share": 0,
        "equity": {"dist": "constant", "value": 1000},
        "leverage": {"dist": "uniform", "min": 1, "max": 12},
    }  # fmt: skip
    result = lend(tmp_path, [], AAVE, traders=[cohort])
    table = result.cohorts
    assert result.summary["accounts_liquidated"] == 0
    assert (table["equity"] <= table["gross_notional"]).all()
    assert table["gross_notional"].iloc[0] <= 200 * 1000 / (1 - 0.81) * (1 + 1e-9)


def test_nobody_goes_short_in_collateral(tmp_path):
    class Seller(sim.Trader):
        def decide(self, market):
            self.order("WETH-USDC", -1.0)

    short = Seller.plan("me", venue="pool", deposit={"USDC": 1e5})
    result = lend(tmp_path, [borrower(1000)], AAVE, plans=[short], impact=linear(1.0))
    assert price_at(result, MARKET, 4) == 3000
    owing = Seller.plan("me", venue="pool", deposit={}, positions={"WETH-USDC": -1.0})
    with pytest.raises(sim.RunError, match="only be deposited"):
        lend(tmp_path, [borrower(1000)], AAVE, plans=[owing])


def test_a_lending_venue_beside_perpetuals_gives_collateral_its_value(tmp_path):
    """The price of the collateral's market is what the asset is worth elsewhere."""
    result = play(
        tmp_path,
        [("p", "t", "one", {"WETH": 1.0}, [("one/BTC-PERP", 1, 100)])],
        assets={"USDT": {"price": 1}, "BTC": {"price": 100}, "WETH": {"price": 10}},
        venues={
            "one": venue(0.05),
            "pool": {
                "margin": {
                    "kind": "cross",
                    "loans": {"WETH": {"loan_to_value": 0.5, "liquidation_threshold": 0.6}},
                },
                "liquidation": AAVE,
            },
        },
        markets=[
            perp(),
            {"venue": "pool", "symbol": "W", "kind": "collateral", "base": "WETH",
             "quote": "USDT", "impact": {"kind": "none"}},
        ],
        shocks=[{"kind": "jump", "at": 1, "asset": "WETH", "return": -0.6}],
    )  # fmt: skip
    assert sold(result, "account_id") == [("p",)]


@pytest.mark.parametrize("voluntary", [0, 30, 45])
def test_keepers_reckon_with_the_orders_that_wait_for_a_reopening(tmp_path, voluntary):
    # Down 6 % the market halts; it re-opens with an auction at 5 s, in which a trader sells too.
    halt = {
        "kind": "market_wide", "levels": [{"fall": 0.05, "pause": 2}], "reopening": {"auction": 2},
    }  # fmt: skip
    plan = Gambler.plan(
        "me", venue="pool", deposit={"USDC": 200_000.0}, positions={"WETH-USDC": 50.0},
        orders={5.0: [("WETH-USDC", -float(voluntary))]} if voluntary else {},
    )  # fmt: skip
    rule = AAVE | {"close_factor": 1, "protocol_share": 0}
    falls = [jump(-0.06, asset="WETH"), jump(-0.01, at=2, asset="WETH")]
    result = lend(
        tmp_path, [borrower(24_000)], rule, impact=linear(5.0), shocks=falls, plans=[plan],
        horizon=9, venue={"breakers": [halt]},
    )  # fmt: skip
    (first, *_) = sold(result, "tick", "quantity", "mark_price", "close_out_price", "fee")
    tick, quantity, mark, price, fee = first
    assert tick == 5
    # The account gets its claim for each ether, whatever the auction's price was.
    assert price - fee / -quantity == pytest.approx(mark / 1.05)


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        (AAVE, {"to": 2800}),
        ({"kind": "auction", "buffer": 1.3, "step": 1, "keepers": {"gas": 0}}, {"to": 2800}),
        (
            {"kind": "bands", "fee": 0.01},
            {
                "shocks": [
                    {"kind": "ramp", "at": 1, "duration": 30, "asset": "WETH", "return": -0.1}
                ],
                "threshold": 0.97,
            },
        ),
        (
            {"kind": "absorb", "factor": 0.95, "storefront": 0.5, "reserves": 5e6},
            {"to": 2800},
        ),
    ],
    ids=["fixed_spread", "auction", "bands", "absorb"],
)
def test_what_a_protocol_earns_goes_to_the_fund_of_the_contract(tmp_path, rule, fields):
    fund = {"kind": "insurance_fund", "sizes": {"WETH-USDC": 1000}}
    by_contract = {"waterfall": [fund, {"kind": "clearer"}]}
    whole, split = (
        lend(tmp_path, [borrower(24_000)], rule, horizon=40, fund=1000, venue=rules, **fields)
        for rules in ({}, by_contract)
    )
    held = venue_at(whole, "pool", 39, "insurance_fund")
    assert held > 1000
    assert venue_at(split, "pool", 39, "insurance_fund") == pytest.approx(held)
