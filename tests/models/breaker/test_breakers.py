"""Rules of breakers: published levels, bands, and what may be withdrawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.models.breaker import (
    at_limit,
    band_limits,
    level_reached,
    mean_fall,
    refused_sides,
    spare_equity,
    trigger_prices,
)

US = np.array([0.07, 0.13, 0.20])
ALL = np.ones(3, dtype=bool)


def test_us_levels_from_5000():
    assert trigger_prices(5000, US) == pytest.approx([4650, 4350, 4000], abs=0)


@given(reference=st.floats(0.01, 1e6), level=st.integers(0, 2))
def test_a_level_halts_at_its_price_and_not_before(reference, level):
    price = trigger_prices(reference, US)[level]
    at, above = (
        mean_fall(np.array([p]), np.array([reference])) for p in (price, price * (1 + 1e-6))
    )
    assert level_reached(at, US, ALL) == level
    assert level_reached(above, US, ALL) == (level - 1 if level else None)


def test_the_deepest_level_that_may_halt_still_does():
    assert level_reached(0.3, US, np.array([True, True, False])) == 1
    assert level_reached(0.14, US, np.array([True, False, True])) == 0
    assert level_reached(0.3, US, ~ALL) is None


def test_a_fall_is_the_mean_over_markets():
    assert mean_fall(np.array([90.0, 5.0]), np.array([100.0, 4.0])) == pytest.approx(-0.075)


@pytest.mark.parametrize(("band", "low", "high"), [(0.05, 38, 42), (0.1, 36, 44), (0.2, 32, 48)])
def test_bands_of_the_tiers_around_40(band, low, high):
    limits = band_limits(np.array([40.0]), band)
    assert [float(limit[0]) for limit in limits] == pytest.approx([low, high])
    prices = np.array([low, low + 0.01, 40, high - 0.01, high])
    assert at_limit(prices, *limits).tolist() == [True, False, False, False, True]


def test_hyperliquid_leaves_the_larger_of_initial_margin_and_a_tenth_behind():
    equity = np.array([100.0, 100.0, 100.0, 5.0])
    initial = np.array([50.0, 5.0, 5.0, 50.0])
    notional = np.array([200.0, 200.0, 2000.0, 200.0])
    spare = spare_equity(equity, 0.5 * initial, initial, notional, 0.1)
    assert spare == pytest.approx([50, 80, 0, 0])


def test_a_side_is_full_when_it_would_grow_beyond_its_cap():
    before, after = np.array([5.0, 5, 12, 12]), np.array([10.0, 11, 11, 13])
    cap = np.array([100.0, 100, 100, np.inf])
    full = refused_sides(before, after, np.full(4, 10.0), cap)
    assert full.tolist() == [False, True, False, False]
