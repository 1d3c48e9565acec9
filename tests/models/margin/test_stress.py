"""Tiers multiplied in stress: what they ask, and what they never do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.models.margin.stress import multiplied_tiers


def ladder(rates, widths):
    """Return floors, rates and deductions (1, T) of a continuous ladder; one tier is unused."""
    floor = np.concatenate([[0.0], np.cumsum(widths[: len(rates) - 1]), [np.inf]])
    rate = np.array([*rates, rates[-1]])
    steps = floor[1:-1] * np.diff(rate[:-1])
    deduction = np.concatenate([[0.0], np.cumsum(steps)])
    return floor[None], rate[None], np.append(deduction, deduction[-1])[None]


def margin(floor, rate, deduction, notional):
    tier = np.searchsorted(floor[0], notional, side="right") - 1
    return rate[0, tier] * notional - deduction[0, tier]


RATES = st.lists(st.floats(0.001, 1.0), min_size=1, max_size=5).map(sorted)
WIDTHS = st.lists(st.floats(1.0, 1e6), min_size=5, max_size=5)


@given(RATES, WIDTHS, st.floats(1.0, 20.0))
def test_stressed_margin_is_continuous_and_never_above_the_notional(rates, widths, multiplier):
    floor, rate, deduction = ladder(rates, widths)
    stressed = multiplied_tiers(floor, rate, deduction, np.array([multiplier]))
    notional = np.sort(np.concatenate([floor[0, :-1], np.linspace(1.0, 6e6, 50)]))
    calm, now = margin(floor, rate, deduction, notional), margin(floor, *stressed, notional)
    slack = 1e-9 * notional
    assert (now <= notional + slack).all()
    assert (now <= multiplier * calm + slack).all()
    assert (now >= calm - slack).all()
    below = np.nextafter(floor[0, 1:-1], 0.0)
    assert margin(floor, *stressed, below) == pytest.approx(
        margin(floor, *stressed, floor[0, 1:-1]), rel=1e-9
    )
    if multiplier * max(rates) <= 1.0:
        assert stressed[0].tolist() == (rate * multiplier).tolist()
        assert stressed[1].tolist() == (deduction * multiplier).tolist()


def test_a_ladder_in_stress_by_hand():
    # 10 % up to 1,000, then 50 %; times 3, 30 % and then all.
    floor, rate, deduction = ladder([0.1, 0.5], [1000.0] * 5)
    stressed = multiplied_tiers(floor, rate, deduction, np.array([3.0]))
    notional = np.array([500.0, 1000.0, 2000.0, 1e6])
    assert margin(floor, *stressed, notional) == pytest.approx([150, 300, 1300, 999_300])


def test_one_market_that_is_cut_leaves_the_others_as_they_are():
    one, two = ladder([0.1, 0.5], [7.0] * 5), ladder([0.013, 0.029], [3.0] * 5)
    nothing = np.full((1, 3), np.nan)
    floor, rate, deduction = (
        np.concatenate(parts) for parts in zip(one, two, (one[0], nothing, nothing), strict=True)
    )
    rates, deducted = multiplied_tiers(floor, rate, deduction, np.array([3.0, 3.0, 3.0]))
    assert rates[1].tolist() == (3.0 * rate[1]).tolist()
    assert deducted[1].tolist() == (3.0 * deduction[1]).tolist()
    assert np.isnan(rates[2]).all()
