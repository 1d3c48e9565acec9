"""Soft liquidation by bands in the engine, against the closed form and when it fails."""

from __future__ import annotations

import pytest

from tests.engine.lending import borrower, lend, shown
from tests.engine.small_worlds import causes_at, equity_at, jump, linear
from tests.engine.test_handwritten_trader import Gambler

DEBT = 25_972.8
WORTH = 28_541.6


def soften(folder, points, rule=None, debt=DEBT, **fields):
    """Play a loan against 10 ether along a path of (seconds, price)."""
    path = {"kind": "path", "asset": "WETH", "points": [list(p) for p in points]}
    return lend(
        folder, [borrower(debt)], {"kind": "bands", **(rule or {})}, threshold=0.99,
        shocks=[path], horizon=points[-1][0] + 2, **fields,
    )  # fmt: skip


def test_a_slow_fall_raises_what_the_bands_are_worth(tmp_path):
    result = soften(tmp_path, [(0, 3000), (400, 2650)])
    assert shown(result, "bands_health")[0] == pytest.approx(0.03297, abs=5e-6)
    assert shown(result, "bands_collateral")[-1] == 0
    assert shown(result, "bands_cash")[-1] == pytest.approx(WORTH, rel=5e-4)
    assert result.summary["accounts_liquidated"] == 0
    assert equity_at(result, "book", 401) == pytest.approx(WORTH - DEBT, rel=5e-3)


def test_nothing_is_converted_above_the_bands(tmp_path):
    result = soften(tmp_path, [(0, 3000), (10, 2950), (20, 3000)], debt=20_000)
    assert set(shown(result, "bands_collateral")) == {10.0}


def test_the_bands_of_a_smaller_loan_lie_lower(tmp_path):
    half = soften(tmp_path, [(0, 3000), (100, 2000)], debt=20_000)
    first = next(k for k, held in enumerate(shown(half, "bands_collateral")) if held < 10)
    price = half.prices["last_price"].iloc[first]
    assert price == pytest.approx(3000 * 20_000 / DEBT, abs=15)


def test_a_round_trip_costs_little_without_friction_and_the_fees_with_them(tmp_path):
    trip = [(0, 3000), (300, 2700), (600, 3000)]
    free, charged = (soften(tmp_path, trip, {"fee": fee}) for fee in (0, 0.004))
    assert shown(free, "bands_collateral")[-1] == pytest.approx(10, rel=2e-3)
    lost = equity_at(free, "book", 601) - equity_at(charged, "book", 601)
    assert lost == pytest.approx(2 * 0.004 * WORTH, rel=0.05)


def test_conversions_move_the_price_under_their_own_cause(tmp_path):
    result = soften(tmp_path, [(0, 3000), (100, 2900)], impact=linear(5.0))
    assert causes_at(result, "pool/WETH-USDC", 50)["trade:bands"] < 0
    assert not len(result.liquidations)


def test_a_jump_into_the_bands_breaks_the_loan_and_the_rest_is_sold(tmp_path):
    jumped = [(0, 3000), (5, 3000), (6, 2790), (10, 2790)]
    result = soften(tmp_path, jumped, {"fee": 0.01})
    assert result.summary["accounts_liquidated"] == 1
    assert result.liquidations["tick"].tolist() == [6]
    assert shown(result, "bands_collateral")[-1] == 0
    # The same fall, gone through slowly, leaves the loan alive.
    slow = soften(tmp_path, [(0, 3000), (100, 2790)], {"fee": 0.003})
    assert slow.summary["accounts_liquidated"] == 0


def test_a_jump_below_the_bands_leaves_bad_debt_once(tmp_path):
    result = soften(tmp_path, [(0, 3000), (2, 3000), (3, 2400), (20, 2400), (40, 3200)])
    assert result.summary["shortfall"] == pytest.approx(DEBT - 24_000)
    assert equity_at(result, "book", 41) == pytest.approx(0, abs=1e-9)


BAND = {"kind": "limit_band", "band": 0.01, "window": 1e6, "limit_time": 1e6, "pause": 1}


def test_conversions_stop_at_a_limit_and_go_on_beside_it(tmp_path):
    # Conversions at 2973 would go through the limit of 2970; up to it there is room for 0.6.
    held = [(0, 3000), (4, 3000), (5, 2973), (10, 2973)]
    result = soften(tmp_path, held, impact=linear(5.0), breakers=[BAND])
    assert result.prices["last_price"].iloc[5] == pytest.approx(2970)
    assert shown(result, "bands_collateral")[5:] == pytest.approx([9.4] * 7)
    assert shown(result, "bands_cash")[5:] == pytest.approx([0.6 * 2971.5] * 7)
    # Where there is room again they go on from where they were: on a rise they buy back.
    rise = [*held, (11, 3020), (12, 3020)]
    back = soften(tmp_path, rise, impact=linear(5.0), breakers=[BAND])
    assert shown(back, "bands_collateral")[-1] == pytest.approx(10, abs=0.01)
    assert equity_at(back, "book", 12) == pytest.approx(10 * 3020 - DEBT, rel=0.01)


def trade(folder, orders, **fields):
    """Play 10 ether bought with 5,000 of one's own, of which some are traded again."""
    plan = Gambler.plan(
        "me", venue="pool", deposit={"USDC": 5000.0}, positions={"WETH-USDC": 10.0}, orders=orders
    )
    fall = {"kind": "ramp", "at": 3, "duration": 20, "asset": "WETH", "return": -0.2}
    fields = {"shocks": [fall], "threshold": 0.94, "horizon": 50, **fields}
    return lend(folder, [], {"kind": "bands"}, plans=[plan], **fields)


def test_repaid_debt_counts_and_untouched_bands_move_down(tmp_path):
    result = trade(tmp_path, {2.0: [("WETH-USDC", -5.0)]})
    # 10,000 against 5 ether: bands from 3,000 x 20,000 / DEBT, and the fall ends at 2,400.
    assert shown(result, "bands_health")[:20] == pytest.approx([0.03297] * 20, abs=5e-6)
    assert not len(result.liquidations)
    assert shown(result, "bands_collateral")[-1] == 5
    assert equity_at(result, "me", 49) == pytest.approx(5 * 2400 - 10_000)


def test_debt_repaid_inside_the_bands_leaves_them_where_they_are(tmp_path):
    result = trade(tmp_path, {9.0: [("WETH-USDC", -1.0)]})
    held, health = shown(result, "bands_collateral"), shown(result, "bands_health")
    assert 1 < held[9] < held[8] - 1
    assert not len(result.liquidations)
    assert min(health) > 0.02
    assert health[10] > health[8]
    assert held[-1] == 0


def test_who_sells_the_collateral_has_no_bands_any_more(tmp_path):
    back = [(0, 3000), (10, 2800), (20, 3000), (30, 3000)]
    path = {"kind": "path", "asset": "WETH", "points": [list(p) for p in back]}
    plain = trade(tmp_path, {}, shocks=[path])
    left = shown(plain, "bands_collateral")[8]
    assert 0 < left < 10
    result = trade(tmp_path, {9.0: [("WETH-USDC", -left)]}, shocks=[path])
    assert set(shown(result, "bands_collateral")[12:]) == {0}


def test_bands_go_on_where_a_loan_is_healed_before_anybody_can_sell_it(tmp_path):
    dip = [
        {"kind": "depth", "at": 4, "until": 8, "factor": 0},
        jump(-0.12, at=5, asset="WETH"),
        jump(1 / 0.88 - 1, at=7, asset="WETH"),
        {"kind": "ramp", "at": 15, "duration": 15, "asset": "WETH", "return": -0.25},
    ]
    plain, dipped = (trade(tmp_path, {}, shocks=shocks) for shocks in (dip[3:], dip))
    assert not len(dipped.liquidations)
    assert shown(dipped, "bands_collateral") == pytest.approx(shown(plain, "bands_collateral"))
    assert shown(dipped, "bands_collateral")[-1] == 0
