"""The margin kernel: by hand, and its twins against each other to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels import compiling
from sim.kernels.margin import MarginInputs, MarginOutputs, account_margin, account_margin_numpy

INF = np.inf


def inputs(**changes):
    """Return two accounts of two clearers in two markets; the second settles in a coin worth 2."""
    given = {
        "position_start": [0, 2, 3, 3],
        "market": np.array([0, 1, 0], dtype=np.int16),
        "quantity": [2.0, -3.0, 1.0],
        "entry_price": [100.0, 10.0, 90.0],
        "clearer": np.array([0, 1, 0], dtype=np.int16),
        "balance": [[50.0, 1.0], [-20.0, -1.0], [5.0, 0.0]],
        "weight_positive": [[1.0, 40.0], [0.5, 60.0]],
        "asset_price": [1.0, 80.0],
        "mark_price": [80.0, 12.0],
        "multiplier": [1.0, 10.0],
        "quote_price": [1.0, 2.0],
        "tier_floor": [[[0.0, 100.0], [0.0, INF]], [[0.0, INF], [0.0, INF]]],
        "tier_rate": [[[0.1, 0.2], [0.05, 0.05]], [[0.3, 0.3], [0.4, 0.4]]],
        "tier_deduction": [[[0.0, 10.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]],
    }
    given |= changes
    return MarginInputs(**{name: np.asarray(value) for name, value in given.items()})


TWINS = [account_margin, account_margin_numpy]


@pytest.mark.parametrize("kernel", TWINS)
def test_by_hand(kernel):
    out = MarginOutputs.empty(3)
    kernel(inputs(), np.arange(3), np.ones(3), out)
    # 0: 50 + 40; long 2 from 100 to 80 is -40; short 30 units from 10 to 12 is -60 x 2.
    #    160 in the second tier: 0.2 x 160 - 10 = 22; 360 at 5 %: 18 x 2.
    # 1: debts count in full: -20 - 80; long 1 from 90 to 80 is -10; 0.3 x 80.
    # 2: nothing open.
    assert out.equity.tolist() == pytest.approx([90 - 40 - 120, -110, 5])
    assert out.maintenance.tolist() == pytest.approx([22 + 36, 24, 0])
    assert out.notional.tolist() == pytest.approx([160 + 720, 80, 0])


@pytest.mark.parametrize("kernel", TWINS)
def test_a_floor_belongs_to_the_tier_above(kernel):
    # 100 of notional: 0.2 x 100 - 10 is 0.1 x 100 anyway, so tell them apart by the deduction.
    deduction = [[[0.0, 7.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]
    out = MarginOutputs.empty(3)
    given = inputs(quantity=[1.25, 0.0, 0.0], tier_deduction=deduction)
    kernel(given, np.arange(3), np.ones(3), out)
    assert out.maintenance.tolist() == [13.0, 0.0, 0.0]


@pytest.mark.parametrize("kernel", TWINS)
def test_rows_not_asked_for_stay_as_they_are(kernel):
    out = MarginOutputs(*(np.full(3, 7.0) for _ in range(3)))
    kernel(inputs(), np.array([1]), np.ones(3), out)
    assert out.equity.tolist() == [7.0, -110.0, 7.0]
    kernel(inputs(), np.empty(0, dtype=np.int64), np.ones(3), out)
    assert out.notional.tolist() == [7.0, 80.0, 7.0]


@pytest.mark.parametrize("kernel", TWINS)
def test_a_market_without_rule_matters_only_to_who_is_in_it(kernel):
    rate = [[[np.nan, np.nan], [0.05, 0.05]], [[0.3, 0.3], [0.4, 0.4]]]
    floor = [[[INF, INF], [0.0, INF]], [[0.0, INF], [0.0, INF]]]
    out = MarginOutputs.empty(3)
    given = inputs(tier_rate=rate, tier_floor=floor, quantity=[0.0, -3.0, 1.0])
    kernel(given, np.arange(3), np.ones(3), out)
    assert np.isfinite(np.array(out)).all()


@pytest.mark.parametrize("kernel", TWINS)
def test_breached_is_below_the_required_ratio_and_only_with_positions(kernel):
    # Long 1 at 100, marked at 80, 10 % of margin: equity 28, 8, 7.9 and -5 without a position.
    given = inputs(
        position_start=[0, 1, 2, 3, 3],
        market=np.zeros(3, dtype=np.int16),
        quantity=[1.0, 1.0, 1.0],
        entry_price=[100.0] * 3,
        clearer=np.zeros(4, dtype=np.int16),
        balance=[[48.0, 0], [28.0, 0], [27.875, 0], [-5.0, 0]],
        tier_rate=[[[0.125, 0.125]] * 2] * 2,
        tier_deduction=[[[2.0, 2.0]] * 2] * 2,
    )
    rows = np.array([3, 2, 1, 0])
    out = MarginOutputs.empty(4)
    assert kernel(given, rows, np.ones(4), out).tolist() == [2]
    assert kernel(given, rows, np.array([3.5, 1.0, 1.0, 9.0]), out).tolist() == [2]
    assert kernel(given, rows, np.array([3.6, 1.1, 0.9, 9.0]), out).tolist() == [1, 0]


@st.composite
def random_inputs(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    accounts, venues, assets = (draw(st.integers(low, 5)) for low in (0, 1, 0))
    markets, tiers = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    counts = random.integers(0, markets + 1, accounts)
    size = int(counts.sum())
    floor = np.sort(random.uniform(0, 1e5, (venues, markets, tiers)), axis=2)
    floor[..., 0] = 0.0
    floor[random.random(floor.shape) < 0.2] = INF
    floor = np.sort(floor, axis=2)
    floor[..., 0] = 0.0
    wide = draw(st.sampled_from([1.0, 1e9]))
    quantity = random.normal(size=size) * wide * (random.random(size) < 0.8)
    return MarginInputs(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        random.integers(0, markets, size).astype(np.int16),
        quantity,
        random.lognormal(3, 3, size),
        random.integers(0, venues, accounts).astype(np.int16),
        random.normal(size=(accounts, assets)) * wide * (random.random((accounts, assets)) < 0.8),
        random.random((venues, assets)),
        random.lognormal(0, 2, assets),
        random.lognormal(3, 3, markets),
        random.choice([1.0, 0.01, 10.0, 1 / 3], markets),
        random.choice([1.0, 0.99973, 3.1], markets),
        floor,
        np.sort(random.random((venues, markets, tiers)), axis=2),
        random.uniform(0, 1e3, (venues, markets, tiers)),
    )


@settings(max_examples=150)
@given(random_inputs(), st.randoms(use_true_random=False))
def test_the_compiled_kernel_equals_the_reference_to_the_last_bit(given_, random):
    accounts = len(given_.clearer)
    rows = np.array(random.sample(range(accounts), random.randint(0, accounts)), dtype=np.int64)
    first, second = MarginOutputs.empty(accounts), MarginOutputs.empty(accounts)
    required = np.array([random.choice([0.5, 1.0, 1.5]) for _ in range(accounts)])
    broken = account_margin(given_, rows, required, first)
    assert broken.tolist() == account_margin_numpy(given_, rows, required, second).tolist()
    for one, two in zip(first, second, strict=True):
        assert one.tobytes() == two.tobytes()


def test_the_compiled_kernel_is_in_use():
    assert compiling.backend() == "numba"
