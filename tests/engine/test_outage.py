"""A venue that is down trades nothing and marks nothing, and catches up when it returns."""

from __future__ import annotations

from math import log

import pytest

from tests.engine.small_worlds import (
    causes_at,
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

DOWN = {"kind": "outage", "venue": "one", "at": 1, "duration": 2}
"""Ticks 1 and 2."""


def test_prices_stand_still_and_catch_up(tmp_path):
    result = play(tmp_path, longs((1, 20)), shocks=[jump(-0.15), jump(-0.1, at=2), DOWN])
    assert [price_at(result, "one/BTC-PERP", t) for t in range(5)] == pytest.approx(
        [100, 100, 100, 76.5, 76.5]
    )
    assert price_at(result, "one/BTC-PERP", 2, "mark_price") == 100.0
    assert causes_at(result, "one/BTC-PERP", 1) == {}
    assert causes_at(result, "one/BTC-PERP", 3) == pytest.approx({"exogenous": log(0.765)})
    assert [venue_at(result, "one", t, "halted") for t in range(5)] == [
        False, True, True, False, False,
    ]  # fmt: skip
    assert sold(result, "tick", "shortfall") == [(3, pytest.approx(3.5))]


def test_a_fall_that_is_over_before_the_venue_returns_breaks_nobody(tmp_path):
    shocks = [jump(-0.5), jump(1.0, at=2), DOWN]
    assert play(tmp_path, longs((1, 20)), shocks=shocks).liquidations.empty


def test_a_batch_that_fell_due_during_an_outage_is_sent_at_once_afterwards(tmp_path):
    # Broken at 1, due at 2, down from 2 to 4, sent at 5.
    down = {**DOWN, "at": 2, "duration": 3}
    venues = {"one": venue(liquidation={"kind": "full", "latency": 1})}
    result = play(tmp_path, longs((1, 20)), venues=venues, shocks=[jump(-0.15), down], horizon=8)
    assert sold(result, "tick") == [(5,)]


def test_other_venues_go_on(tmp_path):
    book = [
        ("a", "ta", "one", {"USDT": 20}, [("one/BTC-PERP", 1, 100)]),
        ("b", "tb", "two", {"USDT": 20}, [("two/BTC-PERP", 1, 100)]),
    ]
    result = play(
        tmp_path,
        book,
        venues={"one": venue(), "two": venue()},
        markets=[perp(), perp("two")],
        shocks=[jump(-0.15), DOWN],
    )
    assert sold(result, "account_id", "tick") == [("b", 1), ("a", 3)]


def test_an_index_does_without_the_venue_that_is_down(tmp_path):
    # The account on the second venue is marked at the index: 85, not the mean with 100.
    result = play(
        tmp_path,
        [("b", "tb", "two", {"USDT": 20}, [("two/BTC-PERP", 1, 100)])],
        venues={"one": venue(), "two": venue(mark={"kind": "index"})},
        markets=[perp(), perp("two")],
        shocks=[jump(-0.15), DOWN],
    )
    assert price_at(result, "two/BTC-PERP", 1, "mark_price") == pytest.approx(85)
    assert sold(result, "account_id", "tick") == [("b", 1)]


def test_a_clearer_elsewhere_cannot_sell_on_a_venue_that_is_down(tmp_path):
    # The second venue's leg is sold at once, the first venue's when it is back.
    positions = [("one/BTC-PERP", 1, 100), ("two/BTC-PERP", 1, 100)]
    result = play(
        tmp_path,
        [("a", "t", "prime", {"USDT": 30}, positions)],
        venues={"prime": venue(), "one": venue(), "two": venue()},
        markets=[perp(), perp("two")],
        shocks=[jump(-0.15), DOWN],
    )
    assert sold(result, "venue", "tick") == [("two", 1), ("one", 3)]


def test_arbitrage_and_cross_impact_wait(tmp_path):
    world = {
        "venues": {"one": venue(), "two": venue()},
        "markets": [perp(impact=linear(1.0)), perp("two", impact=linear(1.0))],
        "shocks": [jump(-0.2), DOWN],
    }
    book = [("b", "tb", "two", {"USDT": 30}, [("two/BTC-PERP", 2, 100)])]
    for coupling in (
        {"kind": "cross_impact", "phi": 1},
        {"kind": "arbitrage", "kappa": 1, "time_constant": 1},
    ):
        result = play(tmp_path, book, coupling=[{**coupling, "asset": "BTC"}], **world)
        assert [price_at(result, "one/BTC-PERP", t) for t in (1, 2)] == [100, 100]
        assert price_at(result, "two/BTC-PERP", 2) == pytest.approx(78)


def test_nobody_trades_on_a_venue_that_is_down(tmp_path):
    stop = {"behaviour": {"kind": "stop_loss", "trigger": 0.1}}
    shocks = [jump(-0.15, at=0), DOWN]
    result = play(tmp_path, longs((1, 90)), source=stop, shocks=shocks)
    gross = result.cohorts.set_index("tick")["gross_notional"]
    assert gross[2] == pytest.approx(85)
    assert gross[3] == 0.0
