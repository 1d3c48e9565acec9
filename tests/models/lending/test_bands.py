"""Bands against worked numbers and what conversion must conserve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.models.lending.bands import (
    edges,
    effective_value,
    health,
    highest_edge,
    kept_share,
    price_of_share,
    raised,
)

SHAPES = st.tuples(st.floats(5, 500), st.integers(1, 50))


def test_a_worked_loan_of_ten_ether():
    worth = effective_value(10.0, 3000.0, 100.0, 10)
    assert worth == pytest.approx(28_541.6, abs=0.05)
    debt = worth * (1 - 0.09)
    assert debt == pytest.approx(25_972.8, abs=0.05)
    assert health(worth, debt, 0.06) == pytest.approx(0.03297, abs=5e-6)
    assert edges(3000.0, 100.0, 10)[-1] == pytest.approx(2713.15, abs=5e-3)
    assert highest_edge(np.array([debt]), np.array([10.0]), 100.0, 10, 0.09) == pytest.approx(3000)


def test_a_band_is_a_percent_wide_and_raises_its_geometric_mean():
    edge = edges(3000.0, 100.0, 1)
    assert edge == pytest.approx([3000, 2970])
    assert effective_value(2.0, 3000.0, 100.0, 1) == pytest.approx(2 * np.sqrt(3000 * 2970))


@given(SHAPES, st.floats(0, 1))
def test_a_share_is_kept_at_its_price(shape, share):
    price = price_of_share(np.array([share]), *shape)
    low = edges(1.0, *shape)[-1]
    assert low * (1 - 1e-12) <= price[0] <= 1.0
    assert kept_share(price, *shape)[0] == pytest.approx(share, abs=1e-9)


@given(SHAPES)
def test_all_is_kept_above_the_bands_and_nothing_below(shape):
    low = edges(1.0, *shape)[-1]
    relative = np.array([1.0, 1.5, low, 0.5 * low])
    assert kept_share(relative, *shape) == pytest.approx([1, 1, 0, 0], abs=1e-9)
    end = effective_value(1.0, 1.0, *shape)
    assert raised(relative, *shape) == pytest.approx([0, 0, end, end])


@given(SHAPES, st.lists(st.floats(0.01, 1.2), min_size=2, max_size=20))
def test_lower_prices_keep_less_and_have_raised_more(shape, prices):
    relative = np.sort(np.array(prices))
    assert (np.diff(kept_share(relative, *shape)) >= -1e-12).all()
    assert (np.diff(raised(relative, *shape)) <= 1e-12).all()


@given(SHAPES, st.floats(0.0, 1.0))
def test_money_raised_is_the_price_times_what_was_sold(shape, place):
    """The derivative of the money raised is the price, so conversion at market prices is fair."""
    low = edges(1.0, *shape)[-1]
    price = low + (1 - low) * (0.001 + 0.998 * place)
    step = 1e-5 * (1 - low)
    around = np.array([price - step, price + step])
    sold = -np.diff(kept_share(around, *shape))[0]
    got = np.diff(raised(around, *shape))[0]
    assert got == pytest.approx(price * sold, rel=1e-2)
