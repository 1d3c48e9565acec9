"""Orders with limits in one call auction: what fills, whatever the curve and the order of rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.models.impact.base import ImpactModel
from sim.models.impact.linear import LinearImpact
from sim.models.impact.none import NoImpact
from sim.models.impact.square_root import SquareRootImpact
from sim.models.liquidation.call_auction import fill_within_limits, limits_with_band

INF = math.inf


def curve(model: ImpactModel, last: float = 100.0, anchor: float = 100.0, floor: float = 0.0):
    return lambda net: model.execute(last, anchor, net, 1.0, floor).average_price


SLOPE_ONE = curve(LinearImpact(coefficient=1.0))
CURVES = [
    SLOPE_ONE,
    curve(LinearImpact(coefficient=0.01), floor=97.0),
    curve(NoImpact()),
    curve(SquareRootImpact(y=1.0, sigma=0.05, volume=100.0)),
    curve(SquareRootImpact(y=1.0, sigma=0.05, volume=100.0), last=97.0),
]


def filled(orders, average=SLOPE_ONE):
    change, limit = (np.array(x, dtype=float) for x in zip(*orders, strict=True))
    return fill_within_limits(change, limit, average)


def test_a_sell_fills_as_far_as_the_average_price_holds_its_limit():
    # Average 100 - q / 2 >= 98 up to q = 4.
    assert filled([(-10, 98)]) == pytest.approx([-4])
    assert filled([(10, 103)]) == pytest.approx([6])
    assert filled([(-3, 98)]).tolist() == [-3]


def test_orders_without_limit_fill_whole_and_leave_less_to_the_others():
    assert filled([(-10, 98), (-1, 0)]) == pytest.approx([-3, -1])
    assert filled([(-10, 98), (2, INF)]) == pytest.approx([-6, 2])
    assert filled([(-10, 98), (-6, 0)]).tolist() == [0, -6]


def test_equal_limits_fill_pro_rata_and_better_ones_first():
    assert filled([(-9, 98), (-3, 98)]) == pytest.approx([-3, -1])
    # 99 allows 2 of all; the order at 98 goes on to 4 alone.
    assert filled([(-3, 98), (-3, 99)]) == pytest.approx([-3, 0])
    assert filled([(-1, 98), (-3, 99)]) == pytest.approx([-1, -1])


def test_a_limit_that_the_market_has_passed_fills_nothing():
    assert filled([(-1, 101)]).tolist() == [0]
    assert filled([(1, 99)]).tolist() == [0]


def test_opposite_orders_cross_where_neither_has_to_move_the_price():
    assert filled([(-5, 101), (5, INF)], curve(NoImpact())).tolist() == [0, 5]
    assert filled([(-5, 100), (5, 100)]).tolist() == [-5, 5]
    assert filled([(-8, 100), (5, 100)]) == pytest.approx([-5, 5])
    # Crossed among themselves: the book would pay 100 for either.
    assert filled([(-8, 99), (5, 101)]) == pytest.approx([-7, 5])


SIZES = st.floats(0.01, 50).map(lambda x: round(x, 2))
LIMITS = st.sampled_from([0.0, 90.0, 95.0, 97.0, 98.5, 99.0, 99.9, 100.0, 101.0, 104.0, INF])


@st.composite
def order_books(draw):
    found = []
    for _ in range(draw(st.integers(1, 9))):
        sells, limit = draw(st.booleans()), draw(LIMITS)
        if sells:
            found.append((-draw(SIZES), 0.0 if limit == INF else limit))
        else:
            found.append((draw(SIZES), INF if limit == 0.0 else limit))
    return found


@given(orders=order_books(), number=st.integers(0, len(CURVES) - 1))
def test_the_price_clears(orders, number):
    average = CURVES[number]
    fills = filled(orders, average)
    price = average(math.fsum(fills.tolist()))
    for (change, limit), fill in zip(orders, fills.tolist(), strict=True):
        assert 0.0 <= fill / change <= 1.0
        side = math.copysign(1.0, change)
        if fill:
            assert side * price <= side * limit + 1e-7 * price
        if fill != change:  # there was no more to be had at this limit
            assert side * price >= side * limit - 1e-7 * price


@given(orders=order_books(), number=st.integers(0, len(CURVES) - 1))
def test_equal_orders_share_alike_and_the_order_of_rows_is_nothing(orders, number):
    fills = filled(orders, CURVES[number])
    turned = filled(orders[::-1], CURVES[number])[::-1]
    assert fills.tolist() == turned.tolist()
    shares: dict[tuple[bool, float], float] = {}
    for (change, limit), fill in zip(orders, fills.tolist(), strict=True):
        share = shares.setdefault((change > 0, limit), fill / change)
        assert fill / change == pytest.approx(share, rel=1e-12)


def test_a_band_bounds_both_sides_and_keeps_tighter_limits():
    sells, mark = np.array([True, False, True, False]), np.full(4, 100.0)
    band = np.array([0.05, 0.05, 0.05, INF])
    assert limits_with_band(None, sells, mark, band).tolist() == [95, 105, 95, INF]
    limit = np.array([97.0, 103.0, 90.0, 110.0])
    assert limits_with_band(limit, sells, mark, band).tolist() == [97, 103, 95, 110]
