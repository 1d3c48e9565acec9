"""Slices, cool-downs, buffers and tier steps in whole runs, checked by hand."""

from __future__ import annotations

import pytest

import sim
from tests.engine.small_worlds import (
    build,
    equity_at,
    jump,
    linear,
    longs,
    perp,
    play,
    sold,
    venue,
)


def one(rate=0.1, **fields):
    margin = {k: fields.pop(k) for k in ("tiers",) if k in fields}
    return {"one": venue(rate, liquidation=fields, **margin)}


def sizes(result):
    return [q for (q,) in sold(result, "quantity")]


# -- slices


def test_hyperliquid_long_of_fifty_btc(tmp_path):
    # 50 BTC long at 100,000 with 300,000 and a margin of 1.25 %: breaks at 95,189.87, and the
    # first order is a fifth.
    rules = {"kind": "partial", "slice": 0.2, "above": 100_000, "whole_within": "30s"}
    fields = {
        "assets": {"USDC": {"price": 1}, "BTC": {"price": 100_000}},
        "markets": [perp(quote="USDC", impact=linear(0.001))],
        "venues": one(0.0125, **rules),
    }
    book = [("a", "a", "one", {"USDC": 300_000}, [("one/BTC-PERP", 50, 100_000)])]
    for price, orders in ((95_190, []), (95_189.8, [-10])):
        result = play(tmp_path, book, shocks=[jump(price / 100_000 - 1)], **fields)
        assert sizes(result) == pytest.approx(orders)
    _, positions = sim.margin_table(build(tmp_path, book, **fields))
    assert positions["liquidation_price"].item() == pytest.approx(95_189.87, abs=0.005)


@pytest.mark.parametrize(
    ("within", "orders"), [(0, [-2, -1.6]), (2, [-2, -1.6]), (2.5, [-2, -8]), (30, [-2, -8])]
)
def test_an_order_in_the_cool_down_is_for_the_whole(within, orders, tmp_path):
    # 88: 80 < 88, after a slice 80 > 70.4: the episode is over. Two seconds later 80: 16 < 64.
    result = play(
        tmp_path,
        longs((10, 200)),
        venues=one(kind="partial", slice=0.2, whole_within=within),
        shocks=[jump(-0.12), jump(80 / 88 - 1, at=3)],
    )
    assert sizes(result)[:2] == pytest.approx(orders)


def test_within_a_tick_the_second_order_is_for_the_whole(tmp_path):
    fields = {"markets": [perp(impact=linear(1.0))], "shocks": [jump(-0.12)]}
    rules = one(kind="partial", slice=0.2, whole_within=1)
    result = play(tmp_path, longs((10, 200)), venues=rules, **fields)
    assert sold(result, "tick", "quantity") == [(1, -2), (1, -8)]


@pytest.mark.parametrize(("above", "orders"), [(879, [-2]), (880, [-10])])
def test_small_positions_are_sold_whole(above, orders, tmp_path):
    rules = one(kind="partial", slice=0.2, above=above)
    result = play(tmp_path, longs((10, 200)), venues=rules, shocks=[jump(-0.12)])
    assert sizes(result)[:1] == pytest.approx(orders)


def test_a_slice_that_a_band_cuts_does_not_count(tmp_path):
    # The band lets 3.52 through; the slice of 5 is cut, and the next one is half of the rest.
    result = play(
        tmp_path,
        longs((10, 200)),
        venues=one(kind="partial", slice=0.5, price_band=0.02, target_ratio=100),
        markets=[perp(impact=linear(1.0, resilience_half_life=0.01))],
        shocks=[jump(-0.12)],
    )
    assert sizes(result)[:2] == pytest.approx([-3.52, -3.24])


# -- to a target


def test_a_buffer_is_equity_over_notional(tmp_path):
    # 88, equity 80: kept x with 80 = 0.1 N + 0.02 N gives N = 666.67.
    result = play(
        tmp_path,
        longs((10, 200)),
        venues=one(kind="to_target", target_ratio=1, buffer=0.02),
        shocks=[jump(-0.12)],
    )
    assert sizes(result)[0] == pytest.approx(80 / 0.12 / 88 - 10)
    left = 10 + sum(sizes(result))
    assert 0.12 * left * 88 * (1 - 1e-6) <= 80


def test_a_liquidation_with_a_buffer_ends_only_there(tmp_path):
    # Impact eats into the buffer: it sells on although the account is above maintenance.
    fields = {"markets": [perp(impact=linear(0.2))], "shocks": [jump(-0.12)]}
    ratios = []
    for buffer in (0, 0.02):
        rules = one(kind="to_target", target_ratio=1.15, buffer=buffer)
        result = play(tmp_path, longs((10, 205)), venues=rules, **fields)
        table = result.cohorts.iloc[-1]
        ratios.append((table["equity"] / table["gross_notional"], len(sizes(result))))
    assert 0.1 <= ratios[0][0] < 0.115
    assert ratios[0][1] == 1
    assert ratios[1][0] >= 0.135 * (1 - 1e-6)
    assert ratios[1][1] > 1


def test_rounds_go_on_until_the_account_complies(tmp_path):
    # 88, equity 80: to stand at 2 x 0.1 the account may keep 400; rounds sell 88 each.
    rules = one(kind="to_target", target_ratio=2, most_share=0.1, latency=1)
    result = play(tmp_path, longs((10, 200)), venues=rules, shocks=[jump(-0.12)], horizon=12)
    assert sold(result, "tick", "quantity") == [(2, pytest.approx(-1))]
    rules = one(kind="to_target", target_ratio=2, most_share=0.3)
    result = play(tmp_path, longs((10, 100.1)), venues=rules, shocks=[jump(-0.1)])
    assert sizes(result) == pytest.approx([-3, -3, -3, 0.5 / 90 - 1])


def test_small_rounds_do_not_use_up_the_limit_of_later_ones(tmp_path):
    # Each sale moves the price by more than it frees: rounds grow until they are at the limit.
    rules = one(kind="to_target", target_ratio=1, most_share=0.1)
    markets = [perp(impact=linear(0.8))]
    fall = [jump(400 / 900 * 0.9995 - 1)]
    result = play(tmp_path, longs((10, 600)), venues=rules, markets=markets, shocks=fall)
    rounds = sizes(result)
    assert min(rounds) == pytest.approx(-1)
    assert rounds.index(min(rounds[:8])) == 7
    assert rounds[8:13] == pytest.approx([-1] * 5)
    assert sum(rounds) > -9.5


# -- tier steps

LADDER = [
    {"floor": 0, "rate": 0.05},
    {"floor": 300, "rate": 0.1},
    {"floor": 600, "rate": 0.2},
    {"floor": 900, "rate": 0.4},
]


def steps(tmp_path, equity, impact=None, **fields):
    """Return the orders of 10 contracts at 95 with that much equity; notional 950, margin 140."""
    return sold(
        play(
            tmp_path,
            longs((10, equity), entry=95),
            assets={"USDT": {"price": 1}, "BTC": {"price": 95}},
            venues=one(kind="tier_steps", tiers=LADDER, **fields),
            markets=[perp(impact=impact or {"kind": "none"})],
            horizon=1,
        ),
        "generation",
        "quantity",
    )


def test_the_ladder_of_this_file_asks_what_it_says(tmp_path):
    # 950: 0.4 x 950 - 255; below 900: 105, below 600: 45, below 300: 15.
    assert steps(tmp_path, 125.1) == []
    assert steps(tmp_path, 124.9) == [(0, pytest.approx(-50 / 95))]


def test_a_position_goes_down_as_many_tiers_as_it_takes(tmp_path):
    assert steps(tmp_path, 60) == [(0, pytest.approx(-50 / 95)), (0, pytest.approx(-300 / 95))]
    assert steps(tmp_path, 60, drop=2) == [(0, pytest.approx(-350 / 95))]


def test_after_its_rounds_the_rest_is_closed(tmp_path):
    orders = [q for _, q in steps(tmp_path, 60, rounds=1)]
    assert orders == pytest.approx([-50 / 95, -900 / 95])


def test_an_account_that_cannot_pay_the_lowest_tier_is_closed_whole(tmp_path):
    # 5 % of 950 is 47.5.
    assert [q for _, q in steps(tmp_path, 47.4)] == [-10]
    assert len(steps(tmp_path, 47.6)) > 1


def test_below_the_tier_to_start_from_it_is_closed_whole(tmp_path):
    # 950 is in tier 4, then 900 in tier 3 and 600 in tier 2.
    orders = [q for _, q in steps(tmp_path, 60, from_tier=3)]
    assert orders == pytest.approx([-50 / 95, -300 / 95])
    orders = [q for _, q in steps(tmp_path, 60, from_tier=4)]
    assert orders == pytest.approx([-50 / 95, -900 / 95])


def test_a_short_whose_own_purchases_lift_the_price_comes_to_an_end(tmp_path):
    book = [("a", "a", "one", {"USDT": 60}, [("one/BTC-PERP", -10, 95)])]
    result = play(
        tmp_path,
        book,
        assets={"USDT": {"price": 1}, "BTC": {"price": 95}},
        venues=one(kind="tier_steps", tiers=LADDER),
        markets=[perp(impact=linear(0.5))],
        horizon=1,
        engine={"max_generations": 8},
    )
    assert sum(sizes(result)) == pytest.approx(10)
    assert equity_at(result, "book", 0) < 60
