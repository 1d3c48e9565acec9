"""Formulas of loans against published and worked numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.models.lending import absorb, auction, health, pooled, spread, stablecoin

LT, BONUS = 0.83, 0.05  # WETH on Aave v3 Ethereum, November 2023


def test_health_factor_of_a_worked_loan():
    price = np.array([3000.0, 24000 / 8.3, 2800.0])
    found = health.health_factor(10 * price, np.full(3, 24000.0), LT)
    assert found == pytest.approx([1.0375, 1.0, 0.968333], abs=1e-6)
    assert health.health_factor(np.ones(1), np.zeros(1), LT) == math.inf


def test_half_a_loan_is_repaid_and_its_health_rises():
    after = health.health_after(28_000.0, 24_000.0, LT, BONUS, 12_000.0)
    assert after == pytest.approx(1.0652, abs=5e-5)


@given(st.floats(0.3, 2.0))
def test_a_liquidation_lowers_health_just_below_the_toxic_level(before):
    debt = 1000.0
    value = before * debt / LT
    after = health.health_after(value, debt, LT, BONUS, 1e-3)
    level = health.toxic_below(LT, BONUS)
    assert level == pytest.approx(0.8715)
    if abs(before - level) > 1e-6:
        assert (after < before) == (before < level)


def test_fall_that_exhausts_the_bonus_of_a_looped_position():
    at = 0.95 * 12 / 11
    assert at == pytest.approx(1.036364, abs=1e-6)
    assert 1 - 1 / at == pytest.approx(0.035088, abs=1e-6)
    assert health.exhausting_fall(at, 0.95, 0.01) == pytest.approx(0.074167, abs=1e-6)


def test_two_steps_earn_more_than_one():
    first, second = health.two_step_repayments(130.0, 100.0, 0.75, 0.1, 0.5)
    assert first == pytest.approx(14.285714, abs=1e-6)
    assert health.health_after(130.0, 100.0, 0.75, 0.1, first) == pytest.approx(1.0)
    assert 0.1 * (first + second) == pytest.approx(5.714286, abs=1e-6)
    with pytest.raises(ValueError, match="liquidatable"):
        health.two_step_repayments(200.0, 100.0, 0.75, 0.1, 0.5)


@pytest.mark.parametrize(
    ("lltv", "factor"),
    [(0.945, 1.01678), (0.915, 1.02617), (0.86, 1.04384), (0.77, 1.07411), (0.625, 1.12676)],
)
def test_incentive_of_morpho(lltv, factor):
    assert spread.incentive_factor(lltv) == pytest.approx(factor, abs=5e-6)


def test_incentive_of_morpho_is_bounded_and_leaves_bad_debt_above_its_inverse():
    assert spread.incentive_factor(0.385) == 1.15
    assert 1 / spread.incentive_factor(0.86) == pytest.approx(0.958, abs=5e-5)


RULE = {"close_factor": 0.5, "full_below_health": 0.95, "full_if_below": 2000.0}


def share(price, size=10.0, debt=24_000.0):
    value = np.array([price * size])
    owed, claim = np.array([debt]), value / (1 + BONUS)
    ratio = health.health_factor(value, owed, LT)
    return float(spread.largest_share(value, owed, claim, ratio, **RULE)[0])


def test_share_taken_of_a_worked_loan():
    assert 10 * share(2800) == pytest.approx(4.5)
    assert 10 * share(2700) == pytest.approx(9.3333, abs=5e-5)
    assert share(2520) == pytest.approx(1.0)
    assert share(2400) == 1.0
    assert share(2800, size=0.5, debt=1200) == pytest.approx(0.9)  # small: all at once


@given(st.floats(0, 1), st.floats(500, 1e5), st.floats(0.3, 0.99), st.floats(0, 3000))
def test_no_partial_liquidation_leaves_dust(wanted, value, ltv, least):
    debt = value * ltv
    claim = value / 1.05
    taken = float(
        spread.without_dust(*(np.array([x]) for x in (wanted, value, debt, claim)), least)[0]
    )
    assert 0.0 <= taken <= wanted
    if 0.0 < taken < 1.0 and taken * claim < debt * (1 - 1e-9):
        assert debt - taken * claim >= least - 1e-6
        assert value * (1 - taken) >= least - 1e-6


def test_auction_of_a_worked_vault():
    raised = auction.tab(np.array([140_000.0]), 0.13)
    assert raised == pytest.approx([158_200.0])
    assert auction.start_reward(raised, 250.0, 0.001) == pytest.approx([408.2])
    top = auction.starting_price(np.array([2000.0]), 1.1)
    assert top == pytest.approx([2200.0])
    assert top * auction.price_left(np.array([900.0]), 0.99, 90.0) == pytest.approx(
        [1989.64], abs=5e-3
    )
    age = np.array([7110.0, 7199.0, 7200.0])
    terms = {"cut": 0.99, "step": 90.0, "tail": 7200.0, "cusp": 0.45}
    assert auction.must_restart(age, **terms).tolist() == [False, False, True]
    assert auction.must_restart(np.array([7201.0]), **(terms | {"cusp": 0.0})).all()


def test_the_price_of_an_auction_stands_between_two_steps():
    age = np.array([0.0, 89.999, 90.0, 179.9])
    assert auction.price_left(age, 0.99, 90.0) == pytest.approx([1, 1, 0.99, 0.99])


def test_absorption_of_a_worked_account():
    credit = 10 * absorb.credit_price(2600.0, 0.95)
    assert credit == pytest.approx(24_700.0)
    ask = absorb.ask_price(2600.0, 0.95, 0.5)
    assert ask == pytest.approx(2535.0)
    assert 10 * ask - credit == pytest.approx(650.0)


def test_deleveraging_of_a_stablecoin():
    left = stablecoin.coins_left(148.0, 100.0, 100.0, 1.5)
    assert left == pytest.approx(95.593813, abs=1e-6)
    assert 100 / left == pytest.approx(1.046093, abs=1e-6)
    assert stablecoin.coins_left(145.0, 100.0, 100.0, 1.5) == pytest.approx(83.333333, abs=1e-6)


@given(st.floats(10, 1000), st.floats(10, 1000), st.floats(1.05, 3))
def test_below_the_least_collateral_there_is_no_way_out(demand, coins, beta):
    least = stablecoin.least_collateral(demand, coins, beta)
    assert stablecoin.coins_left(least - 1e-6 * demand, demand, coins, beta) is None
    left = stablecoin.coins_left(least + 1e-6 * demand, demand, coins, beta)
    assert left is not None
    assert left == pytest.approx(min((least + demand) / (2 * beta), coins), rel=2e-3)


def test_liquidation_of_a_position_against_a_pool():
    terms = {"factor": 0.005, "close_fee": 0.0006}
    assert pooled.liquidation_price(1e6, 1e5, 2e4, **terms) == pytest.approx(98_560.0)
    assert pooled.liquidation_fee(1e6) == pytest.approx(2000.0)
    assert pooled.liquidation_price(1e6, 1e5, 2e4, side=-1.0, **terms) == pytest.approx(101_440.0)
