"""Margin calls: who is asked, who pays, and what happens when nobody does."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.small_worlds import equity_at, jump, longs, play, sold, venue

LEVEL = 2
"""At 90 an account long 1 needs 18; with 25 it has 15 and lacks 3."""


def called(grace, **fields):
    return {"one": venue(call={"level": LEVEL, "grace": grace, **fields})}


def wallet(money, owner="t0"):
    return ("wallet-0", owner, "wallet", {"USDT": money}, [])


def from_(*sources, latency=0.0):
    return {"top_up": {"sources": list(sources), "latency": latency}}


FALL = [jump(-0.1)]


def test_without_grace_an_unmet_call_is_a_liquidation(tmp_path):
    result = play(tmp_path, longs((1, 25)), venues=called(0), shocks=FALL)
    assert sold(result, "tick", "generation") == [(1, 0)]


def test_a_call_gives_time(tmp_path):
    result = play(tmp_path, longs((1, 25)), venues=called(2), shocks=FALL)
    assert sold(result, "tick") == [(3,)]


def test_below_maintenance_no_grace_is_given(tmp_path):
    result = play(tmp_path, longs((1, 25)), venues=called(3), shocks=[jump(-0.18)])
    assert sold(result, "tick") == [(1,)]


def test_a_price_that_recovers_lifts_the_call(tmp_path):
    shocks = [jump(-0.1), jump(0.1, at=2), jump(-0.1, at=3)]
    result = play(tmp_path, longs((1, 25)), venues=called(2), shocks=shocks, horizon=8)
    assert sold(result, "tick") == [(5,)]


@pytest.mark.parametrize(
    ("latency", "sold_at", "equity"),
    [(0, None, 18), (1, None, 18), (2, None, 18), (3, 3, 18)],
)
def test_money_must_arrive_in_time(latency, sold_at, equity, tmp_path):
    # The deadline is tick 3; what arrives later finds the account closed but still belongs to it.
    result = play(
        tmp_path,
        [*longs((1, 25)), wallet(10)],
        venues=called(2),
        source=from_("wallet", latency=latency),
        shocks=FALL,
        horizon=8,
    )
    assert sold(result, "tick") == ([] if sold_at is None else [(sold_at,)])
    assert equity_at(result, "book", latency) == pytest.approx(25 if latency == 0 else 15)
    assert equity_at(result, "book", 1 + latency) == pytest.approx(equity)


def test_a_top_up_restores_the_target(tmp_path):
    # A target of 2.5 asks for 22.5, so 7.5 of the wallet's 10.
    result = play(
        tmp_path,
        [*longs((1, 25)), wallet(10)],
        venues=called(0, target=2.5),
        source=from_("wallet"),
        shocks=FALL,
    )
    assert equity_at(result, "book", 1) == pytest.approx(22.5)
    assert result.liquidations.empty


def test_a_wallet_that_is_too_small_saves_nobody(tmp_path):
    result = play(
        tmp_path,
        [*longs((1, 25)), wallet(2.9)],
        venues=called(0),
        source=from_("wallet"),
        shocks=FALL,
    )
    assert sold(result, "tick") == [(1,)]
    assert equity_at(result, "book", 1) == pytest.approx(17.9)


def test_nobody_pays_for_strangers(tmp_path):
    result = play(
        tmp_path,
        [*longs((1, 25), (1, 100)), wallet(10, owner="t1")],
        venues=called(0),
        source=from_("wallet", "accounts"),
        shocks=FALL,
    )
    assert sold(result, "account_id") == [("a0",)]


def test_an_own_account_gives_no_more_than_it_can_spare(tmp_path):
    # b has 20 and needs 18 itself: 2 of the 3 that are lacking.
    b = ("b", "t0", "one", {"USDT": 30}, [("one/BTC-PERP", 1, 100)])
    result = play(
        tmp_path,
        [*longs((1, 25)), b],
        venues=called(0),
        source=from_("accounts"),
        shocks=FALL,
    )
    assert sold(result, "account_id") == [("a0",)]
    assert equity_at(result, "book", 1) == pytest.approx(35)


def test_sources_are_asked_in_order(tmp_path):
    b = ("b", "t0", "one", {"USDT": 30}, [("one/BTC-PERP", 1, 100)])
    for sources, left in ((("wallet", "accounts"), 37), (("accounts", "wallet"), 36)):
        result = play(
            tmp_path,
            [*longs((1, 25)), b, wallet(2)],
            venues=called(0),
            source=from_(*sources),
            shocks=FALL,
        )
        assert result.liquidations.empty
        # The wallet gives 2 when it is asked first, and 1 when b has given its 2.
        assert equity_at(result, "book", 1) == pytest.approx(left)


def test_a_called_account_is_reduced_to_the_level(tmp_path):
    # To target: what may stay is equity / 2 / 0.1 of notional = 750 of 900.
    venues = called(0)
    venues["one"]["liquidation"] = {"kind": "to_target", "target_ratio": 1}
    result = play(tmp_path, longs((10, 250)), venues=venues, shocks=FALL)
    assert sold(result, "quantity") == [(pytest.approx(750 / 90 - 10),)]


def test_collateral_counts_at_the_receivers_haircut(tmp_path):
    # 3 is lacking; BTC at 90 with half off counts 45, so that 1/15 BTC is sent.
    result = play(
        tmp_path,
        [*longs((1, 25)), ("w", "t0", "wallet", {"BTC": 1}, [])],
        venues=called(0),
        assets={"USDT": {"price": 1}, "BTC": {"price": 100, "haircut": 0.5}},
        source=from_("wallet"),
        shocks=FALL,
    )
    assert result.liquidations.empty
    assert equity_at(result, "book", 1) == pytest.approx(18)


def test_venues_without_calls_call_nobody(tmp_path):
    # b is bankrupt where no calls are made, while the other venue makes them.
    b = ("b", "tb", "two", {"USDT": 5}, [("one/BTC-PERP", 0.1, 100)])
    venues = {**called(0), "two": venue()}
    result = play(tmp_path, [*longs((1, 60)), b], venues=venues, shocks=[jump(-0.6)])
    assert sorted(name for (name,) in sold(result, "account_id")) == ["a0", "b"]


def pairs(random, giver, spare):
    """Return pairs of accounts of one trader: one to be called, one to give."""
    for k in range(150):
        need, size = random.uniform(0.25, 0.5), random.uniform(1, 2)
        yield (f"a{k}", f"t{k}", "one", {"USDT": need * 100}, [("one/BTC-PERP", 1, 100)])
        yield (f"b{k}", f"t{k}", giver, {"USDT": spare * size}, [("one/BTC-PERP", size, 100)])


@pytest.mark.parametrize(
    ("giver", "spare", "enough"),
    [("one", 31, False), ("one", 60, True), ("two", 22, False), ("two", 31, True)],
)
def test_rounding_breaks_nobody_who_was_restored_or_gave_all_it_can(giver, spare, enough, tmp_path):
    # At 87.65 a giver needs 29.9 per contract where it can be called, else 21.1.
    result = play(
        tmp_path,
        list(pairs(np.random.default_rng(0), giver, spare)),
        venues={**called(0), "two": venue()},
        source=from_("accounts"),
        shocks=[jump(-0.1234567)],
    )
    broken = [name for (name,) in sold(result, "account_id")]
    assert not any(name.startswith("b") for name in broken)
    assert bool(broken) != enough
