"""Forced orders of small books, checked against ledgers computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.small_worlds import (
    equity_at,
    jump,
    linear,
    longs,
    perp,
    play,
    price_at,
    sold,
    venue,
    venue_at,
)


def rule(**fields):
    return {"one": venue(liquidation=fields)}


def test_a_full_close_out_sells_everything_at_the_price_it_achieves(tmp_path):
    # 85 after the shock: equity 20 - 15 = 5 < 8.5. Selling 1 along slope 1 achieves 84.5.
    result = play(
        tmp_path, longs((1, 20)), markets=[perp(impact=linear(1.0))], shocks=[jump(-0.15)]
    )
    columns = ("tick", "generation", "quantity", "mark_price", "close_out_price", "notional")
    assert sold(result, *columns) == [(1, 0, -1.0, pytest.approx(85), pytest.approx(84.5), 85)]
    assert sold(result, "bankruptcy_price", "fee", "shortfall") == [(pytest.approx(80), 0, 0)]
    assert price_at(result, "one/BTC-PERP", 1) == pytest.approx(84)
    assert equity_at(result, "book", 1) == pytest.approx(4.5)
    assert result.summary["liquidated_notional"] == pytest.approx(85)
    assert result.summary["accounts_liquidated"] == 1


def test_at_exactly_the_maintenance_margin_nobody_is_liquidated(tmp_path):
    # Half the price is exact in binary: equity 55 - 50 = 5 = 0.1 x 50.
    result = play(tmp_path, longs((1, 55)), shocks=[jump(-0.5)])
    assert result.liquidations.empty
    result = play(tmp_path, longs((1, 54.999)), shocks=[jump(-0.5)])
    assert len(result.liquidations) == 1


def test_slices_are_of_the_size_at_the_start(tmp_path):
    # 88: equity 80 < 88. After 2 of 10: 80 / 70.4 = 1.136, after 4: 80 / 52.8 = 1.515.
    for target, slices in ((1, 1), (1.5, 2), (3, 4)):
        venues = rule(kind="partial", slice=0.2, target_ratio=target)
        result = play(tmp_path, longs((10, 200)), venues=venues, shocks=[jump(-0.12)])
        assert [q for (q,) in sold(result, "quantity")] == pytest.approx([-2.0] * slices)


def test_the_last_slice_sells_what_is_left(tmp_path):
    # The target of 100 is out of reach until the position is gone: 3, 3, 3 and 1.
    venues = rule(kind="partial", slice=0.3, target_ratio=100)
    result = play(tmp_path, longs((10, 200)), venues=venues, shocks=[jump(-0.12)])
    assert [q for (q,) in sold(result, "quantity")] == pytest.approx([-3, -3, -3, -1])
    assert result.cohorts["gross_notional"].iloc[-1] == 0.0


def test_a_bankrupt_account_is_not_sliced(tmp_path):
    venues = rule(kind="partial", slice=0.2)
    result = play(tmp_path, longs((10, 200)), venues=venues, shocks=[jump(-0.3)])
    assert sold(result, "quantity", "shortfall") == [(-10.0, pytest.approx(100))]


@pytest.mark.parametrize("target", [1.0, 1.05, 2.0, 10.0])
def test_to_target_sells_just_enough(target, tmp_path):
    # 88: equity 80; what may stay is 80 / target / 0.1 of notional.
    venues = rule(kind="to_target", target_ratio=target)
    result = play(tmp_path, longs((10, 200)), venues=venues, shocks=[jump(-0.12)])
    kept = 80 / target / 0.1 / 88
    assert [q for (q,) in sold(result, "quantity")] == pytest.approx([kept - 10])


@pytest.mark.parametrize(("target", "kept"), [(1.5, 650), (2.4, 500), (4.0, 300)])
def test_to_target_crosses_tiers(target, kept, tmp_path):
    # Above 500 the margin is 0.2 N - 50. 880: 126 > equity 120. Allowed: 120 / target.
    tiers = [{"floor": 0, "rate": 0.1}, {"floor": 500, "rate": 0.2}]
    rules = {"kind": "to_target", "target_ratio": target}
    venues = {"one": venue(tiers=tiers, liquidation=rules)}
    result = play(tmp_path, longs((10, 240)), venues=venues, shocks=[jump(-0.12)])
    assert [q for (q,) in sold(result, "quantity")] == pytest.approx([kept / 88 - 10])


def test_to_target_sells_all_markets_in_proportion(tmp_path):
    # BTC 20 x 80 = 1600, ETH -100 x 10 = 1000: margin 260, equity 600 - 400 = 200.
    book = [
        ("a", "t", "one", {"USDT": 600}, [("one/BTC-PERP", 20, 100), ("one/ETH-PERP", -100, 10)])
    ]
    result = play(
        tmp_path,
        book,
        venues=rule(kind="to_target", target_ratio=1.25),
        assets={"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}},
        markets=[perp(), perp(base="ETH")],
        shocks=[jump(-0.2)],
    )
    share = 1 - 160 / 260
    expected = [("BTC-PERP", pytest.approx(-20 * share)), ("ETH-PERP", pytest.approx(100 * share))]
    assert sold(result, "symbol", "quantity") == expected


def test_an_account_that_its_own_impact_pushes_down_sells_again(tmp_path):
    # Sells until it stands at 1.05 or has nothing left, each batch a generation of its own.
    result = play(
        tmp_path,
        longs((10, 200)),
        venues=rule(kind="to_target", target_ratio=1.05),
        markets=[perp(impact=linear(0.4))],
        shocks=[jump(-0.12)],
    )
    generations = [g for (g,) in sold(result, "generation")]
    assert generations == list(range(len(generations)))
    assert len(generations) > 1
    left = 10 + sum(q for (q,) in sold(result, "quantity"))
    price = price_at(result, "one/BTC-PERP", 1)
    assert price == pytest.approx(88 - 0.4 * (10 - left))
    if left > 1e-9:
        assert equity_at(result, "book", 1) >= 0.1 * left * price * (1 - 1e-9)


@pytest.mark.parametrize("receiver", ["insurance_fund", "venue"])
@pytest.mark.parametrize(("fall", "fee"), [(-0.15, 4.25), (-0.18, 2.0), (-0.25, 0.0)])
def test_the_fee_is_capped_by_what_is_left(fall, fee, receiver, tmp_path):
    # 5 % of 85 is 4.25 of 5 left; of 82 it is 4.1 of 2 left; at 75 nothing is left.
    venues = {
        "one": venue(
            liquidation={"kind": "full", "fee_bps": 500, "fee_to": receiver},
            waterfall=[{"kind": "insurance_fund", "size": 100}, {"kind": "clearer"}],
        )
    }
    result = play(tmp_path, longs((1, 20)), venues=venues, shocks=[jump(fall)])
    loss = max(-(20 + 100 * fall), 0.0)
    assert sold(result, "fee", "shortfall") == [(pytest.approx(fee), pytest.approx(loss))]
    assert result.summary["fees"] == pytest.approx(fee)
    fund = 100 - loss + (fee if receiver == "insurance_fund" else 0)
    assert venue_at(result, "one", 4, "insurance_fund") == pytest.approx(fund)
    assert equity_at(result, "book", 4) == pytest.approx(max(20 + 100 * fall, 0) - fee)


def test_orders_of_one_batch_share_one_average_price(tmp_path):
    # Two longs and one short break together: net -2 along slope 1 from 80, average 79.
    book = [
        *longs((2, 30), (1, 15)),
        ("s", "ts", "one", {"USDT": -15}, [("one/BTC-PERP", -1, 100)]),
    ]
    shocks = [jump(-0.2, at=0)]
    result = play(tmp_path, book, markets=[perp(impact=linear(1.0))], shocks=shocks)
    prices = {p for (p,) in sold(result, "close_out_price")}
    assert len(prices) == 1
    assert prices.pop() == pytest.approx(79)
    assert price_at(result, "one/BTC-PERP", 1) == pytest.approx(78)


def test_only_shorts_and_a_rising_price(tmp_path):
    # 112: equity 8 < 11.2. Buying 1 along slope 1 costs 112.5; bankrupt at 112 (1 + 8 / 112).
    book = [("s", "ts", "one", {"USDT": 20}, [("one/BTC-PERP", -1, 100)])]
    result = play(tmp_path, book, markets=[perp(impact=linear(1.0))], shocks=[jump(0.12)])
    assert sold(result, "quantity", "close_out_price", "bankruptcy_price") == [
        (1.0, pytest.approx(112.5), pytest.approx(120))
    ]
    assert price_at(result, "one/BTC-PERP", 1) == pytest.approx(113)
    assert equity_at(result, "book", 1) == pytest.approx(7.5)


def test_with_a_zero_rate_only_negative_equity_breaks(tmp_path):
    venues = {"one": venue(0.0)}
    assert play(tmp_path, longs((1, 50)), venues=venues, shocks=[jump(-0.5)]).liquidations.empty
    result = play(tmp_path, longs((1, 49)), venues=venues, shocks=[jump(-0.5)])
    assert sold(result, "shortfall") == [(pytest.approx(1),)]


def test_a_contract_multiplier(tmp_path):
    # 100 contracts of 0.01 are 1 BTC.
    markets = [perp(multiplier=0.01, impact=linear(0.01))]
    result = play(tmp_path, longs((100, 20)), markets=markets, shocks=[jump(-0.15)])
    assert sold(result, "quantity", "notional", "close_out_price") == [
        (-100.0, pytest.approx(85), pytest.approx(84.5))
    ]
    assert equity_at(result, "book", 4) == pytest.approx(4.5)


def test_isolated_accounts_break_alone_and_cross_ones_together(tmp_path):
    positions = [("one/BTC-PERP", 1, 100), ("one/ETH-PERP", -10, 10)]
    assets = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}}
    world = {
        "assets": assets,
        "markets": [perp(), perp(base="ETH")],
        "shocks": [jump(-0.15), jump(-0.15, asset="ETH")],
    }
    apart = [(f"a{k}!", "t", "one", {"USDT": 20}, [p]) for k, p in enumerate(positions)]
    result = play(tmp_path, apart, **world)
    assert sold(result, "account_id", "symbol") == [("a0", "BTC-PERP")]
    pooled = [("a", "t", "one", {"USDT": 40}, positions)]
    assert play(tmp_path, pooled, **world).liquidations.empty


def test_nothing_is_liquidated_at_all(tmp_path):
    result = play(tmp_path, longs((1, 90)), shocks=[jump(-0.15)])
    assert result.liquidations.empty
    summary = result.summary
    assert summary["generations"] == summary["accounts_liquidated"] == 0
    assert summary["liquidated_notional"] == summary["shortfall"] == summary["fees"] == 0.0
    assert summary["markets"]["one/BTC-PERP"]["amplification"] == pytest.approx(1.0)


def test_latency_sends_a_batch_every_so_often(tmp_path):
    # A breaks at 1 and is sold at 3; B breaks at 2 and joins; C breaks at 4, sold at 6.
    book = longs((1, 20), (1, 30), (1, 40))
    result = play(
        tmp_path,
        book,
        venues=rule(kind="full", latency=2),
        shocks=[jump(-0.15), jump(-12 / 85, at=2), jump(-10 / 73, at=4)],
        horizon=10,
    )
    rows = sold(result, "account_id", "tick", "close_out_price", "generation")
    assert rows == [
        ("a0", 3, pytest.approx(73), 0),
        ("a1", 3, pytest.approx(73), 0),
        ("a2", 6, pytest.approx(63), 0),
    ]


def test_latency_unrolls_the_cascade_in_time(tmp_path):
    # a0 pushes 85 to 81 at tick 3; a1 (equity 27 - 19 = 8 < 8.1) breaks by that: sold at 5.
    result = play(
        tmp_path,
        longs((4, 80), (1, 27)),
        venues=rule(kind="full", latency=2),
        markets=[perp(impact=linear(1.0))],
        shocks=[jump(-0.15)],
        horizon=8,
    )
    rows = sold(result, "account_id", "tick", "generation")
    assert rows == [("a0", 3, 0), ("a1", 5, 1)]


def test_slices_with_latency_come_one_by_one(tmp_path):
    venues = rule(kind="partial", slice=0.2, target_ratio=3, latency=2)
    result = play(tmp_path, longs((10, 200)), venues=venues, shocks=[jump(-0.12)], horizon=12)
    rows = sold(result, "tick", "quantity")
    assert [t for t, _ in rows] == [3, 5, 7, 9]
    assert [q for _, q in rows] == pytest.approx([-2.0] * 4)


def test_an_account_that_recovers_before_its_batch_is_spared(tmp_path):
    result = play(
        tmp_path,
        longs((1, 20)),
        venues=rule(kind="full", latency=3),
        shocks=[jump(-0.15), jump(0.1, at=2)],
        horizon=8,
    )
    assert result.liquidations.empty


def test_no_depth_no_fill_until_it_returns(tmp_path):
    result = play(
        tmp_path,
        longs((1, 20)),
        shocks=[jump(-0.15), {"kind": "depth", "at": 1, "until": 3, "factor": 0}],
        venues={"one": venue(waterfall=[{"kind": "adl"}])},
    )
    assert sold(result, "tick", "generation") == [(3, 0)]
    assert price_at(result, "one/BTC-PERP", 1) == pytest.approx(85)
    assert price_at(result, "one/BTC-PERP", 1, "depth") == 0.0


def test_without_depth_for_ever_the_account_stays_open(tmp_path):
    result = play(
        tmp_path,
        longs((1, 20)),
        shocks=[jump(-0.3), {"kind": "depth", "at": 0, "factor": 0}],
    )
    assert result.liquidations.empty
    assert result.summary["accounts_still_liquidatable"] == 1
    assert equity_at(result, "book", 4) == pytest.approx(-10)


def test_a_cross_account_sells_where_it_can(tmp_path):
    book = [("a", "t", "one", {"USDT": 40}, [("one/BTC-PERP", 1, 100), ("one/ETH-PERP", 10, 10)])]
    result = play(
        tmp_path,
        book,
        assets={"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}},
        markets=[perp(), perp(base="ETH", impact={"kind": "illiquid"})],
        shocks=[jump(-0.25)],
    )
    assert sold(result, "symbol", "tick") == [("BTC-PERP", 1)]
    assert result.cohorts["gross_notional"].iloc[-1] == pytest.approx(100)


def test_a_fall_stops_at_the_price_floor(tmp_path):
    # From 88 down to the floor of 1e-4 only 0.88 of 10 contracts fit; the rest fills there.
    markets = [perp(impact=linear(100.0))]
    result = play(tmp_path, longs((10, 200)), markets=markets, shocks=[jump(-0.12)])
    walked = (88 - 1e-4) / 100
    average = 1e-4 + walked / 10 * ((88 - 1e-4) / 2)
    assert sold(result, "close_out_price") == [(pytest.approx(average),)]
    assert price_at(result, "one/BTC-PERP", 4) == pytest.approx(1e-4)
    assert result.summary["price_floor_hits"] == 1
    assert result.summary["shortfall"] == pytest.approx(10 * (100 - average) - 200)


def test_orders_of_one_clearer_that_cancel_move_nothing(tmp_path):
    sides = {"a": 1, "b": -1}
    book = [
        (k, f"t{k}", "one", {"USDT": -50}, [("one/BTC-PERP", q, 100)]) for k, q in sides.items()
    ]
    result = play(tmp_path, book, markets=[perp(impact=linear(1.0))])
    assert sold(result, "close_out_price") == [(100.0,), (100.0,)]
    assert result.price_causes.empty


def test_orders_that_cancel_but_for_rounding_move_nothing(tmp_path):
    # 0.1 + 0.2 - 0.3 is 5.6e-17, whose square root is not negligible.
    book = [
        *((f"a{q}", f"t{q}", "one", {"USDT": -50}, [("one/BTC-PERP", q, 100)]) for q in (0.1, 0.2)),
        ("b", "tb", "two", {"USDT": -50}, [("one/BTC-PERP", -0.3, 100)]),
    ]
    impact = {"kind": "square_root", "adv": 1e4, "sigma": 0.05}
    result = play(
        tmp_path,
        book,
        venues={"one": venue(), "two": venue()},
        markets=[perp(impact=impact)],
    )
    assert len(result.liquidations) == 3
    assert result.price_causes.empty
    assert np.all(result.prices["last_price"] == 100.0)
