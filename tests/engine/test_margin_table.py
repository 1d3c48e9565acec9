"""Margin by account and position, and the prices at which each breaks, by hand and by running."""

from __future__ import annotations

import math

import numpy as np
import pytest

import sim
from tests.engine.lending import borrower
from tests.engine.small_worlds import build, jump, longs, perp, play, venue

TIERS = [{"floor": 0, "rate": 0.1}, {"floor": 500, "rate": 0.2}]
ASSETS = {"USDT": {"price": 1}, "BTC": {"price": 100, "haircut": 0.2}, "ETH": {"price": 10}}


def rows(table, *columns):
    return list(table[list(columns)].itertuples(index=False, name=None))


def test_a_cross_account_by_hand(tmp_path):
    # 30 + 0.8 x 100 = 110; BTC long 4 from 90: +40; ETH short 60 from 9: -60. Equity 90.
    # Margin 40 + (0.2 x 600 - 50 = 70).
    book = [
        (
            "a", "t", "one", {"USDT": 30, "BTC": 1},
            [("one/BTC-PERP", 4, 90), ("one/ETH-PERP", -60, 9)],
        )
    ]  # fmt: skip
    scenario = build(
        tmp_path,
        book,
        assets=ASSETS,
        venues={"one": venue(tiers=TIERS, initial_rate=0.4)},
        markets=[perp(), perp(base="ETH")],
    )
    accounts, positions = sim.margin_table(scenario)
    assert rows(accounts, "account_id", "trader_id", "clearer", "margin_mode") == [
        ("a", "t", "one", "cross")
    ]
    figures = accounts.iloc[0][
        ["equity", "initial_margin", "maintenance_margin", "margin_ratio", "gross_notional"]
    ].tolist()
    assert figures == pytest.approx([90, 400, 110, 90 / 110, 1000])
    assert rows(positions, "symbol", "quantity", "notional", "unrealised_profit") == [
        ("BTC-PERP", 4.0, 400.0, 40.0),
        ("ETH-PERP", -60.0, 600.0, -60.0),
    ]
    # BTC with the collateral at its present value: 90 + 4 (p - 100) = 70 + 0.4 p - 0 in the
    # first tier, 0.8 p - 50 above 125. ETH: 90 - 60 (p - 10) = 40 + 12 p - 50, or 6 p.
    btc, eth = positions["liquidation_price"]
    assert btc == pytest.approx(380 / 3.6)
    assert eth == pytest.approx(700 / 72)
    assert positions["bankruptcy_price"].tolist() == pytest.approx([100 - 90 / 4, 10 + 90 / 60])


def test_prices_that_do_not_exist_are_not_numbers(tmp_path):
    # A long with more money than its notional cannot break, nor can it be bankrupt.
    accounts, positions = sim.margin_table(build(tmp_path, longs((1, 150))))
    assert positions[["liquidation_price", "bankruptcy_price"]].isna().all().all()
    assert accounts["margin_ratio"].tolist() == [15.0]
    empty = build(tmp_path, [("a", "t", "one", {"USDT": 5}, [])])
    accounts, positions = sim.margin_table(empty)
    assert math.isnan(accounts["margin_ratio"].item())
    assert len(positions) == 0


def test_other_prices_and_one_account(tmp_path):
    scenario = build(tmp_path, longs((1, 20), (2, 90)))
    accounts, positions = sim.margin_table(scenario, {"one/BTC-PERP": 80.0}, "a1")
    assert rows(accounts, "account_id", "equity", "maintenance_margin") == [("a1", 50.0, 16.0)]
    assert rows(positions, "account_id", "mark_price") == [("a1", 80.0)]


@pytest.mark.parametrize(
    ("prices", "account", "message"),
    [
        ({"one/BTC-PREP": 80.0}, None, "did you mean"),
        ({"one/BTC-PERP": -1.0}, None, "above 0"),
        ({"one/BTC-PERP": float("nan")}, None, "above 0"),
        ({}, "a9", "an account of the scenario"),
    ],
)
def test_mistakes_are_refused(prices, account, message, tmp_path):
    with pytest.raises(sim.ScenarioError, match=message):
        sim.margin_table(build(tmp_path, longs((1, 20))), prices, account)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("size", [1.0, 4.9, 5.1, 20.0])
@pytest.mark.parametrize("multiplier", [1.0, 0.1])
def test_an_account_breaks_just_beyond_its_liquidation_price(side, size, multiplier, tmp_path):
    market = "one/BTC-PERP"
    book = [("a", "t", "one", {"USDT": 23 * size}, [(market, side * size / multiplier, 100)])]
    world = {
        "venues": {"one": venue(tiers=TIERS)},
        "markets": [perp(multiplier=multiplier)],
    }
    _, positions = sim.margin_table(build(tmp_path, book, **world))
    price = positions["liquidation_price"].item()
    for nudge, broken in ((1e-6, 1), (-1e-6, 0)):
        target = price * (1 - side * nudge)
        result = play(tmp_path, book, shocks=[jump(target / 100 - 1)], **world)
        assert len(result.liquidations) == broken
    at, _ = sim.margin_table(build(tmp_path, book, **world), {market: price})
    assert at["margin_ratio"].item() == pytest.approx(1)
    bankrupt = positions["bankruptcy_price"].item()
    at, _ = sim.margin_table(build(tmp_path, book, **world), {market: bankrupt})
    assert at["equity"].item() == pytest.approx(0, abs=1e-9 * size)


def test_the_table_of_a_cohort_is_the_first_tick_of_its_run(tmp_path):
    cohort = {
        "cohort": "c", "count": 50, "venues": {"one": 1},
        "equity": {"dist": "pareto", "alpha": 1.5, "min": 50, "max": 5000},
        "leverage": {"dist": "uniform", "min": 1, "max": 9},
    }  # fmt: skip
    scenario = build(tmp_path, traders=[cohort], venues={"one": venue(0.05)})
    accounts, _ = sim.margin_table(scenario)
    first = sim.run(scenario).cohorts.iloc[0]
    assert accounts["equity"].sum() == pytest.approx(first["equity"])
    assert accounts["gross_notional"].sum() == pytest.approx(first["gross_notional"])
    assert (accounts["margin_ratio"] >= 2 - 1e-9).all()
    assert np.all(accounts["initial_margin"] <= accounts["equity"] * (1 + 1e-12))


def loans(folder, accounts, liquidation, threshold):
    loan = {"loan_to_value": threshold - 0.01, "liquidation_threshold": threshold}
    return build(
        folder,
        accounts,
        assets={"USDC": {"price": 2}, "WETH": {"price": 6000}},
        venues={
            "pool": {
                "margin": {"kind": "cross", "loans": {"WETH": loan}},
                "liquidation": liquidation,
            }
        },
        markets=[
            {
                "venue": "pool", "symbol": "WETH-USDC", "kind": "collateral", "base": "WETH",
                "quote": "USDC", "impact": {"kind": "none"},
            }
        ],
    )  # fmt: skip


def test_health_of_loans_is_collateral_at_its_threshold_over_debt(tmp_path):
    accounts = [borrower(24_000), borrower(0, name="a1"), borrower(6000, entry=1800, name="a2")]
    world = loans(tmp_path, accounts, {"kind": "fixed_spread", "bonus": 0.05}, 0.83)
    table, positions = sim.margin_table(world)
    assert table["health"].tolist() == pytest.approx(
        [0.83 * 3 / 2.4, math.nan, 1.0375], nan_ok=True
    )
    assert positions["liquidation_price"][0] == pytest.approx(24_000 / 8.3)
    table, _ = sim.margin_table(world, {"pool/WETH-USDC": 24_000 / 8.3}, "a0")
    assert table["health"].item() == pytest.approx(1)
    assert table["margin_ratio"].item() == pytest.approx(1)


def test_loans_in_bands_have_the_health_of_their_bands_and_no_liquidation_price(tmp_path):
    accounts = [borrower(24_000), borrower(0, name="a1"), borrower(26_500, name="a2")]
    world = loans(tmp_path, accounts, {"kind": "bands"}, 0.94)
    for price in (3000.0, 2800.0):
        table, positions = sim.margin_table(world, {"pool/WETH-USDC": price})
        # The third is larger than its discount allows: bands worth 28,541.6 from the price down.
        assert table["health"].tolist() == pytest.approx(
            [0.94 / 0.91 - 1, math.nan, 0.94 * 28_541.6 / 26_500 - 1], abs=5e-6, nan_ok=True
        )
        assert positions["liquidation_price"].isna().all()
        assert positions["bankruptcy_price"][0] == pytest.approx(2400)


def test_perpetuals_have_no_health(tmp_path):
    accounts, _ = sim.margin_table(build(tmp_path, longs((1, 20))))
    assert accounts["health"].isna().all()
