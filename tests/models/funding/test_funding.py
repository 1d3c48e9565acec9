"""Funding: published examples, bounds, and the closed forms of perpetuals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.models.funding import (
    fair_price_inverse,
    fair_price_linear,
    funding_payments,
    funding_rate,
    liquidation_price_inverse,
    liquidation_price_linear,
    premium,
)
from sim.models.funding.perpetual import LONG, SHORT

BINANCE = {"interest": 0.0001, "clamp": 0.0005}


def rate(mean: float, intervals: float = 1.0, **terms: float) -> float:
    return funding_rate(np.array([mean]), intervals_per_period=intervals, **BINANCE, **terms).item()


@pytest.mark.parametrize(
    ("mean", "hours", "expected"),
    [(0.0012, 8, 0.0007), (0.0012, 4, 0.00035), (0.0003, 8, 0.0001), (-0.0012, 8, -0.0007)],
)
def test_binance_rates(mean: float, hours: float, expected: float) -> None:
    assert rate(mean, 8 / hours) == pytest.approx(expected, rel=1e-12)


def test_hyperliquid_hour() -> None:
    sample = premium(np.array([10_100.0]), np.array([10_000.0]))
    assert sample == pytest.approx([0.01], rel=1e-12)
    assert rate(sample.item()) == pytest.approx(0.0095, rel=1e-12)
    hourly = rate(sample.item(), 8.0, cap=0.04)
    assert funding_payments(np.array([10.0]), 1.0, 10_000.0, hourly) == pytest.approx([118.75])


def test_a_cap_holds_on_both_sides() -> None:
    assert rate(0.05, cap=0.003) == 0.003
    assert rate(-0.05, cap=0.003) == -0.003


@given(st.floats(-0.5, 0.5), st.floats(0.5, 8.0))
def test_a_rate_is_near_its_premium_and_rises_with_it(mean: float, intervals: float) -> None:
    found = rate(mean, intervals) * intervals
    assert abs(found - mean) <= 0.0005 + 1e-12
    assert rate(mean + 0.01, intervals) >= rate(mean, intervals)
    if abs(mean - 0.0001) <= 0.0005:
        assert found == pytest.approx(0.0001, abs=1e-15)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(-0.01, 0.01))
def test_payments_sum_to_zero_where_positions_do(sizes: list[float], hourly: float) -> None:
    quantity = np.array([*sizes, -math.fsum(sizes)])
    paid = funding_payments(quantity, 0.01, 100.0, hourly)
    assert math.fsum(paid) == pytest.approx(0.0, abs=1e-12 * (1.0 + np.abs(paid).sum()))
    assert (np.sign(paid) * np.sign(quantity) * np.sign(hourly) >= 0.0).all()


@pytest.mark.parametrize(
    ("carry", "linear", "inverse"),
    [(0.1, 1.000091333, 1.000091324), (0.3, 1.000274048, 1.000273973)],
)
def test_fair_prices(carry: float, linear: float, inverse: float) -> None:
    assert fair_price_linear(1095.0, carry) == pytest.approx(linear, abs=5e-10)
    assert fair_price_inverse(1095.0, carry) == pytest.approx(inverse, abs=5e-10)
    assert fair_price_linear(1095.0, 0.0) == fair_price_inverse(1095.0, 0.0) == 1.0


@pytest.mark.parametrize(
    ("leverage", "margin", "expected"),
    [
        (10.0, 0.005, (0.904523, 1.094527, 0.913636, 1.105556)),
        (100.0, 0.004, (0.993976, 1.005976, 0.994059, 1.006061)),
    ],
)
def test_liquidation_prices(leverage: float, margin: float, expected: tuple[float, ...]) -> None:
    found = [
        formula(leverage, margin, side)
        for formula in (liquidation_price_linear, liquidation_price_inverse)
        for side in (LONG, SHORT)
    ]
    assert found == pytest.approx(expected, abs=5e-7)


@given(st.floats(1.5, 100.0), st.floats(0.0, 0.005), st.sampled_from([LONG, SHORT]))
def test_at_the_liquidation_price_equity_is_the_margin(
    leverage: float, margin: float, side: int
) -> None:
    price = liquidation_price_linear(leverage, margin, side)
    assert 1.0 / leverage + side * (price - 1.0) == pytest.approx(margin * price, abs=1e-12)
    price = liquidation_price_inverse(leverage, margin, side)
    equity = 1.0 / leverage + side * (1.0 - 1.0 / price)  # in the base asset
    assert equity == pytest.approx(margin / price, abs=1e-12)


def test_a_short_inverse_without_leverage_is_never_liquidated() -> None:
    assert liquidation_price_inverse(1.0, 0.005, SHORT) == math.inf


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: fair_price_linear(0.1, 0.1), "anchoring"),
        (lambda: fair_price_inverse(0.1, -0.2), "anchoring"),
        (lambda: liquidation_price_linear(0.0, 0.01, LONG), "leverage"),
        (lambda: liquidation_price_inverse(10.0, 1.0, LONG), "maintenance_rate"),
        (lambda: liquidation_price_linear(10.0, 0.01, 0), "side"),
    ],
)
def test_values_out_of_range_are_refused(call, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        call()
