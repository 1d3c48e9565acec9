"""Layers of a central counterparty, funds of contracts and peaks of funds, as plain functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.models.waterfall import (
    FundPeak,
    assessment_room,
    contributions,
    cover,
    cover_in_order,
    draw_contributions,
    gains_haircut,
    loss_shares,
    pay_in_order,
)

LAYERS = (100.0, 20.0, 10.0, 80.0, 80.0)
"""Margin, defaulter's contribution, skin in the game, survivors' contributions, assessments."""


@pytest.mark.parametrize(
    ("loss", "paid", "left"),
    [
        (90.0, [90, 0, 0, 0, 0], 0.0),
        (180.0, [100, 20, 10, 50, 0], 0.0),
        (240.0, [100, 20, 10, 80, 30], 0.0),
        (340.0, [100, 20, 10, 80, 80], 50.0),
    ],
)
def test_each_layer_pays_before_the_next(loss, paid, left):
    assert pay_in_order(loss, LAYERS) == (paid, left)


def test_cover_one_and_two():
    losses = np.array([20.0, 40.0, 5.0, 35.0, 10.0])
    assert (cover(losses, 1), cover(losses, 2)) == (40.0, 75.0)
    assert pay_in_order(cover(losses, 3), [cover(losses, 2)])[1] == 20.0


@pytest.mark.parametrize(
    ("loss", "assessed", "haircut"), [(1200.0, 100.0, 0.0), (2600.0, 1265.0, 235.0)]
)
def test_assessments_and_then_gains(loss, assessed, haircut):
    contribution = np.array([300.0, 160.0])
    room = assessment_room(contribution, np.zeros(2), np.zeros(2, dtype=bool), 2.75)
    assert room.sum() == 1265.0
    paid, left = pay_in_order(loss, (500.0, 40.0, 100.0, 460.0, float(room.sum())))
    assert (paid[4], left) == (assessed, haircut)
    gains = np.array([1500.0, 500.0])
    given_up = gains_haircut(left, gains, np.full(2, 1e4))
    assert given_up == pytest.approx(gains * (0.1175 if haircut else 0.0))


def test_members_contribute_by_margin_and_are_assessed_on_that():
    paid = contributions(100.0, np.array([1.0, 3.0, 0.0]))
    assert paid.tolist() == [25.0, 75.0, 0.0]
    assert draw_contributions(paid, 40.0) == pytest.approx([15.0, 45.0, 0.0])
    called, defaulted = np.array([10.0, 0.0, 0.0]), np.array([False, True, False])
    assert assessment_room(paid, called, defaulted, 2.0).tolist() == [40.0, 0.0, 0.0]
    assert contributions(100.0, np.zeros(2)).tolist() == [0.0, 0.0]


def test_nobody_gives_up_more_than_its_gains_or_its_equity():
    gains, equity = np.array([10.0, 10.0, 0.0]), np.array([100.0, 4.0, 50.0])
    assert gains_haircut(100.0, gains, equity).tolist() == [10.0, 4.0, 0.0]


amount = st.floats(0, 1e9)


@given(amount, st.lists(amount, max_size=6))
def test_every_unit_of_a_loss_ends_in_one_layer(loss, sizes):
    paid, left = pay_in_order(loss, sizes)
    assert sum(paid) + left == pytest.approx(loss, rel=1e-12)
    assert all(0.0 <= p <= s for p, s in zip(paid, sizes, strict=True))
    assert left == pytest.approx(max(loss - sum(sizes), 0.0), rel=1e-9, abs=1e-6)


def test_a_loss_is_split_over_the_contracts_that_lost_it():
    owner = np.array([0, 0, 0, 1, 1])
    result = np.array([-30.0, -10.0, 25.0, 5.0, 0.0])
    # The second account lost in no contract: equal parts.
    assert loss_shares(owner, result, 2).tolist() == [0.75, 0.25, 0.0, 0.5, 0.5]


changes = st.lists(st.tuples(st.integers(0, 4), st.floats(0, 100)), min_size=1, max_size=30)


@given(changes, st.integers(0, 8), st.integers(0, 10))
def test_a_peak_is_the_highest_value_that_stood_in_the_window(steps, window, later):
    peak, tick = FundPeak(window), 0
    standing: list[float] = []  # value at the end of each tick, and all seen within it
    seen: list[list[float]] = []
    for wait, value in steps:
        while len(standing) < tick + wait:
            standing.append(standing[-1] if standing else 0.0)
            seen.append([standing[-1]])
        tick += wait
        if len(standing) == tick:
            seen.append([standing[-1]] if standing else [])
            standing.append(value)
        standing[tick] = value
        seen[tick].append(value)
        peak.note(tick, value)
    while len(standing) <= tick + later:
        standing.append(standing[-1])
        seen.append([standing[-1]])
    now = tick + later
    first = max(now - window, 0)
    # The value at the start of the window is the one that the tick began with.
    expected = max(max(values) for values in seen[first : now + 1])
    assert peak.at(now) == expected


@given(st.lists(amount, min_size=1, max_size=5), st.floats(-1e3, 0.0))
def test_an_overdrawn_fund_pays_nothing(losses, fund):
    assert not cover_in_order(np.array(losses), fund).any()
