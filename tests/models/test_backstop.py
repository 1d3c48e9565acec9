"""The rules of a backstop as plain functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.models.waterfall.backstop import (
    Limits,
    admitted,
    below_the_line,
    takeover_queue,
    unwinding,
    within,
)


def test_the_line_is_a_share_of_the_maintenance_margin() -> None:
    equity = np.array([67.0, 66.0, 0.0, -1.0])
    margin = np.full(4, 100.0)
    assert below_the_line(equity, margin, 2 / 3, False).tolist() == [False, True, True, False]
    assert below_the_line(equity, margin, 2 / 3, True).tolist() == [False, True, True, True]
    assert below_the_line(equity, margin, 0.0, True).tolist() == [False, False, False, True]


def test_the_largest_deficit_comes_first_then_the_largest_notional() -> None:
    queue = takeover_queue(np.array([5.0, 9.0, 5.0, 5.0]), np.array([1.0, 1.0, 3.0, 1.0]))
    assert queue.tolist() == [1, 2, 0, 3]


def test_positions_that_cancel_make_room() -> None:
    # 100 long and 90 short in one market, and 50 in another that does not fit.
    taken = admitted(
        np.arange(3),
        np.array([1.0, 1.0, 1.0]),
        np.array([0, 1, 2]),
        np.array([0, 0, 1]),
        np.array([100.0, -90.0, 50.0]),
        np.zeros(2),
        100.0,
        Limits(0.9901, np.inf),
    )
    assert taken.tolist() == [True, True, True]
    assert not admitted(
        np.arange(1),
        np.array([1.0]),
        np.array([0]),
        np.array([0]),
        np.array([100.0]),
        np.zeros(1),
        100.0,
        Limits(0.99, np.inf),
    ).any()


@pytest.mark.parametrize("capital", [0.0, -1.0])
def test_nothing_is_taken_without_capital(capital: float) -> None:
    one = np.array([0])
    taken = admitted(
        one, np.array([50.0]), one, one, np.array([1.0]), np.zeros(1), capital, Limits(5, np.inf)
    )
    assert not taken.any()


MONEY = st.floats(-1e6, 1e6)


@given(
    accounts=st.lists(st.tuples(MONEY, st.lists(st.tuples(st.integers(0, 2), MONEY))), max_size=8),
    held=st.lists(MONEY, min_size=3, max_size=3),
    capital=MONEY,
    leverage=st.floats(0.1, 20),
    most=st.one_of(st.just(np.inf), st.floats(1, 1e6)),
)
def test_what_is_taken_keeps_within_the_limits(accounts, held, capital, leverage, most) -> None:
    equity = np.array([brought for brought, _ in accounts])
    positions = [(a, m, v) for a, (_, book) in enumerate(accounts) for m, v in book]
    owner, market = (np.array([p[k] for p in positions], dtype=np.int64) for k in (0, 1))
    value = np.array([p[2] for p in positions], dtype=float)
    limits, inventory = Limits(leverage, most), np.array(held)
    queue = takeover_queue(-equity, np.abs(equity))
    taken = admitted(queue, equity, owner, market, value, inventory, capital, limits)
    if not taken.any():
        return
    after = capital + equity[taken].sum()
    mine = taken[owner]
    inventory += np.bincount(market[mine], value[mine], 3)
    assert capital > 0.0
    assert after > -1e-6
    assert np.abs(inventory).sum() <= within(after, limits) + 1e-6 * (1 + leverage)


@given(st.floats(-1e9, 1e9), st.integers(1, 500))
def test_a_position_is_sold_in_equal_parts_and_ends_at_exactly_nothing(quantity, ticks) -> None:
    left, sales = np.array([quantity]), []
    for k in range(ticks, 0, -1):
        change = unwinding(left, np.array([k]))
        sales.append(float(change[0]))
        left = left + change
    assert left[0] == 0.0
    assert sales == pytest.approx(ticks * [-quantity / ticks], rel=1e-9, abs=1e-12)
