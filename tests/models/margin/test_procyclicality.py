"""Margin from volatility, the measures against procyclicality, and spirals, by their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.models.margin.procyclicality import (
    ewma_variance,
    ewma_volatility,
    garch_tail_index,
    largest_rise,
    margin_rate,
    normal_quantile,
    peak_to_trough,
    spiral_multiplier,
    with_buffer,
    with_floor,
    with_stress,
)

EXACT = {"rel": 0, "abs": 1e-6}
CALM, STORM = 0.01, 0.03
RETURNS = np.repeat([CALM, STORM, CALM], [500, 60, 440])
"""1 % a day for 500 days, 3 % for 60, and 1 % again."""

sigma = st.floats(1e-4, 0.5)


def margins(decay: float) -> np.ndarray:
    """Return the daily margin over those days."""
    day = 86_400.0
    return margin_rate(ewma_volatility(RETURNS, decay, CALM), 0.99, day, day)


def test_the_normal_quantile_of_99_percent() -> None:
    assert normal_quantile(0.99) == pytest.approx(2.326348, **EXACT)


@pytest.mark.parametrize(
    ("decay", "peak", "five_days", "twenty_days"),
    [
        (0.94, 2.967267, 1.768832, 2.584405),
        (0.97, 2.777327, 1.459496, 2.156304),
        (0.99, 2.150057, 1.179864, 1.567401),
    ],
)
def test_a_quicker_memory_is_more_procyclical(
    decay: float, peak: float, five_days: float, twenty_days: float
) -> None:
    margin = margins(decay)
    assert peak_to_trough(margin) == pytest.approx(peak, **EXACT)
    assert largest_rise(margin, 5) == pytest.approx(five_days, **EXACT)
    assert largest_rise(margin, 20) == pytest.approx(twenty_days, **EXACT)


def test_the_step_response_of_the_average() -> None:
    for days in (1, 5, 20, 60):
        found = margins(0.97)[500 + days - 1] / margins(0.97)[499]
        assert found == pytest.approx(math.sqrt(9 - 8 * 0.97**days), rel=1e-12)


def test_each_measure_damps_by_the_known_amount() -> None:
    margin, calm = margins(0.97), margins(0.97)[0]
    stressed = margin_rate(np.array([STORM]), 0.99, 1, 1)[0]
    floored = margin_rate(with_floor(ewma_volatility(RETURNS, 0.97, CALM), 0.014), 0.99, 1, 1)
    for damped, peak, five_days in (
        (with_buffer(margin, calm, 0.25), 2.221862, 1.274020),
        (with_stress(margin, stressed, 0.25), 1.888664, 1.229748),
        (floored, 1.983805, 1.220186),
    ):
        assert peak_to_trough(damped) == pytest.approx(peak, **EXACT)
        assert largest_rise(damped, 5) == pytest.approx(five_days, **EXACT)


def test_margin_grows_with_the_root_of_the_period_of_risk() -> None:
    day = 86_400.0
    one, two = (margin_rate(np.array([0.02]), 0.99, days * day, day)[0] for days in (1, 2))
    assert one == pytest.approx(0.02 * 2.3263478740408408, rel=1e-14)
    assert two == pytest.approx(one * math.sqrt(2), rel=1e-14)


@given(sigma, sigma, st.floats(0, 1))
def test_a_buffer_never_lowers_margin_and_is_used_up_first(
    margin: float, calm: float, buffer: float
) -> None:
    raised = float(with_buffer(np.array([margin]), calm, buffer)[0])
    assert margin <= raised <= (1 + buffer) * margin * (1 + 1e-15)
    if margin >= (1 + buffer) * calm:
        assert raised == margin
    elif margin <= calm:
        assert raised == (1 + buffer) * margin


@given(sigma, sigma, st.floats(0.01, 0.99), st.integers(1, 20))
def test_a_return_over_several_samples_counts_as_so_many_equal_ones(
    start: float, move: float, decay: float, samples: int
) -> None:
    at_once = ewma_variance(np.array([start**2]), np.array([move]), decay, samples)
    variance = np.array([start**2])
    for _ in range(samples):
        variance = ewma_variance(variance, np.array([move / math.sqrt(samples)]), decay)
    assert at_once[0] == pytest.approx(variance[0], rel=1e-12)


@given(sigma, st.floats(0.01, 0.99))
def test_volatility_stays_where_returns_are_as_large_as_it_is(level: float, decay: float) -> None:
    found = ewma_volatility(np.full(50, -level), decay, level)
    assert found == pytest.approx(np.full(50, level), rel=1e-12)


def test_loss_and_margin_spirals_reinforce_each_other() -> None:
    # Brunnermeier and Pedersen 2009 with k = 1, v = 100, Z = 30, price 77.5, margin 8.
    none, loss, margin, both = (
        spiral_multiplier(1.0, 8.0, 7.5, slope, held)
        for slope, held in ((0.0, 0.0), (0.0, 3.0), (-0.3, 0.0), (-0.3, 3.0))
    )
    assert none == pytest.approx(0.125, **EXACT)
    assert loss == pytest.approx(0.2, **EXACT)
    assert margin == pytest.approx(0.173913, **EXACT)
    assert both == pytest.approx(0.363636, **EXACT)
    assert both / none > (loss / none) * (margin / none)


def test_the_spiral_multiplier_is_the_slope_of_the_equilibrium_price() -> None:
    # m(p) = 8 - 0.3 (p - 77.5), x = 30 - (100 - p); m x = b + p x_0 + e, solved for the price.
    def price(shock: float) -> float:
        low, high = 70.5, 80.0
        wealth = 8.0 * 7.5 - 77.5 * 3.0
        for _ in range(200):
            middle = 0.5 * (low + high)
            needed = (8.0 - 0.3 * (middle - 77.5)) * (30.0 - (100.0 - middle))
            low, high = (middle, high) if needed < wealth + middle * 3.0 + shock else (low, middle)
        return low

    slope = (price(1e-5) - price(-1e-5)) / 2e-5
    assert slope == pytest.approx(spiral_multiplier(1.0, 8.0, 7.5, -0.3, 3.0), rel=1e-4)


@pytest.mark.parametrize(
    ("alpha", "beta", "index"),
    [
        (0.1, 0.85, 9.071774),
        (0.1, 0.88, 5.609689),
        (0.05, 0.94, 8.804944),
        (0.15, 0.8, 5.758291),
    ],
)
def test_tail_index_of_garch(alpha: float, beta: float, index: float) -> None:
    assert garch_tail_index(alpha, beta) == pytest.approx(index, **EXACT)


def test_the_tail_index_of_arch_is_the_one_with_a_closed_form() -> None:
    # With beta near 0 and k = 4: E[(a Z^2)^2] = 3 a^2 = 1.
    assert garch_tail_index(1 / math.sqrt(3), 1e-12) == pytest.approx(4.0, abs=1e-4)
