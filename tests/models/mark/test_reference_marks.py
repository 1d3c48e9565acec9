"""Marks of other prices: basis, geometric means, oracles, funded and filtered indices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.core.arrays import FloatArray
from sim.models.mark import (
    EmaMark,
    FundedIndexMark,
    LastMark,
    MarkRule,
    MedianOfMark,
    OracleMark,
    TwapMark,
    index_price,
)

price = st.floats(0.01, 1e6)


def array(*values: float) -> FloatArray:
    return np.array(values, dtype=np.float64)


def marks(rule: MarkRule, pairs: list[tuple[float, float]], dt: float = 1.0) -> list[float]:
    """Return the marks from tick 0 on at pairs of last and index price."""
    found = []
    rule.start(array(pairs[0][0]), array(pairs[0][1]))
    for tick, (last, index) in enumerate(pairs):
        rule.begin_tick(0.0 if tick == 0 else dt, tick)
        found.append(float(rule.mark(array(last), array(index))[0]))
    return found


def seen(rule: MarkRule, prices: list[float], dt: float = 1.0) -> list[float]:
    """Return the marks from tick 0 on where last and index are the same."""
    return marks(rule, [(p, p) for p in prices], dt)


def test_binance_mark_of_three() -> None:
    funded = FundedIndexMark()
    rule = MedianOfMark([funded, TwapMark(30.0, "basis"), LastMark()])
    index = 100_000.0
    rule.start(array(index - 35.0), array(index))
    for tick in range(30):  # the basis is -35 for the whole window, then the last price falls
        rule.begin_tick(1.0, tick)
        rule.mark(array(index - 35.0), array(index))
    funded.set_carry(array(0.0001 * 4 / 8))
    assert funded.mark(array(0.0), array(index)) == pytest.approx([100_005.0])
    rule.begin_tick(1e-9, 31)
    assert rule.mark(array(99_800.0), array(index)) == pytest.approx([99_965.0], abs=1e-6)


@pytest.mark.parametrize("make", [lambda: EmaMark(5.0, "basis"), lambda: TwapMark(5.0, "basis")])
def test_a_mark_of_the_basis_follows_the_index_at_once(make) -> None:
    # The basis of 2 stays, whatever the index does; a new one of -8 comes in slowly.
    assert marks(make(), [(102.0, 100.0), (92.0, 90.0), (202.0, 200.0)]) == [102.0, 92.0, 202.0]
    found = marks(make(), [(102.0, 100.0), *[(92.0, 100.0)] * 200])
    assert 92.0 < found[1] < 102.0
    assert found[-1] == pytest.approx(92.0, abs=1e-6)


def test_a_mark_of_the_basis_is_never_without_a_value() -> None:
    # The basis of -50 is still there when the index is only 40: not -10, but 1 % of the index.
    found = marks(EmaMark(1e6, "basis"), [(50.0, 100.0), (30.0, 40.0)])
    assert found == [50.0, pytest.approx(0.4)]


def test_geometric_mean_of_half_an_hour_hardly_sees_twelve_seconds() -> None:
    rule = TwapMark(1800.0, mean="geometric")
    found = seen(rule, [100.0, 200.0, 100.0], dt=12.0)
    assert found[1] / 100.0 - 1.0 == pytest.approx(2.0 ** (12 / 1800) - 1.0, rel=1e-12)
    assert round(100 * (found[1] / 100.0 - 1.0), 2) == 0.46
    assert found[2] == found[1]
    assert seen(TwapMark(1800.0), [100.0, 200.0], dt=12.0)[1] == pytest.approx(100.0 + 100 / 150)


@given(st.lists(price, min_size=2, max_size=30), st.integers(1, 12))
def test_geometric_mean_is_that_of_the_samples_and_below_the_plain_one(
    prices: list[float], ticks: int
) -> None:
    found = seen(TwapMark(float(ticks), mean="geometric"), prices)
    plain = seen(TwapMark(float(ticks)), prices)
    samples = np.log([prices[0]] * ticks + prices[1:])
    for tick, mark in enumerate(found):
        assert mark == pytest.approx(np.exp(samples[tick : tick + ticks].mean()), rel=1e-9)
        assert mark <= plain[tick] * (1.0 + 1e-9)


def test_an_oracle_posts_on_a_deviation() -> None:
    found = seen(OracleMark(3600.0, 0.005), [100.0, 100.4, 100.5, 100.1, 99.99, 101.0])
    assert found == [100.0, 100.0, 100.5, 100.5, 99.99, 101.0]


def test_an_oracle_posts_at_its_heartbeat_counted_from_its_last_post() -> None:
    found = seen(OracleMark(3.0, 0.5), [100.0, 101.0, 102.0, 103.0, 104.0, 10.0, 11.0, 12.0, 13.0])
    assert found == [100.0, 100.0, 100.0, 103.0, 103.0, 10.0, 10.0, 10.0, 13.0]


@pytest.mark.parametrize(("lag", "ticks"), [(1.0, 1), (2.0, 2), (2.5, 3)])
def test_an_oracle_with_a_lag_posts_old_prices(lag: float, ticks: int) -> None:
    prices = [100.0, 110.0, 120.0, 130.0, 140.0, 150.0]
    found = seen(OracleMark(0.5, 1e-6, lag), prices)
    assert found == [100.0] * ticks + prices[: len(prices) - ticks]


def test_an_oracle_does_not_decide_at_tick_zero() -> None:
    rule = OracleMark(0.1, 1e-6)
    rule.start(array(100.0), array(100.0))
    rule.begin_tick(0.0, 0)
    assert rule.mark(array(80.0), array(80.0)) == [100.0]
    rule.begin_tick(1.0, 1)
    assert rule.mark(array(80.0), array(80.0)) == [80.0]


def test_what_an_oracle_posted_stands_for_the_tick() -> None:
    rule = OracleMark(0.1, 1e-6, of="last")
    rule.start(array(100.0), array(100.0))
    for tick, (first, then) in enumerate([(100.0, 100.0), (90.0, 50.0), (60.0, 60.0)]):
        rule.begin_tick(1.0, tick)
        assert rule.mark(array(first), array(1.0)) == [first]
        assert rule.mark(array(then), array(1.0)) == [first]


def test_each_market_has_its_own_oracle() -> None:
    rule = OracleMark(100.0, 0.1)
    rule.start(array(100.0, 10.0), array(100.0, 10.0))
    rule.begin_tick(1.0, 1)
    assert rule.mark(array(0.0, 0.0), array(95.0, 8.0)).tolist() == [100.0, 8.0]


@given(st.lists(price, min_size=1, max_size=30), st.integers(1, 6), st.floats(1e-4, 0.5))
def test_an_oracle_is_within_its_deviation_or_its_heartbeat(
    prices: list[float], heartbeat: int, deviation: float
) -> None:
    found = seen(OracleMark(float(heartbeat), deviation), prices)
    for tick, mark in enumerate(found[1:], start=1):
        assert mark in prices[max(0, tick - heartbeat + 1) : tick + 1] or tick < heartbeat
        assert abs(prices[tick] - mark) <= deviation * mark * (1.0 + 1e-9)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: OracleMark(0.0, 0.01), "heartbeat"),
        (lambda: OracleMark(1.0, 0.0), "deviation"),
        (lambda: OracleMark(1.0, 0.1, -1.0), "lag"),
        (lambda: OracleMark(1.0, 0.1, of="basis"), "posts"),
        (lambda: TwapMark(1.0, "basis", "geometric"), "geometric mean"),
        (lambda: TwapMark(1.0, mean="harmonic"), "mean must be"),  # type: ignore[arg-type]
    ],
)
def test_values_out_of_range_are_refused(make, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        make()


def index(prices: list[float], outlier: float, weights: list[float] | None = None) -> float:
    size = len(prices)
    up, weight = np.ones(size, dtype=bool), np.array(weights or [1.0] * size)
    return index_price(np.array(prices), weight, "mean", up, outlier)


def test_an_outlier_loses_its_weight_and_the_rest_keep_theirs() -> None:
    assert index([100.0, 101.0, 102.0, 150.0], 0.05) == 101.0
    assert index([100.0, 104.0, 60.0], 0.05, [3.0, 1.0, 9.0]) == 101.0
    assert index([100.0, 105.0, 100.0], 0.05) == pytest.approx(305 / 3)  # at the limit is within


def test_where_all_are_outliers_none_is() -> None:
    assert index([100.0, 200.0], 0.05) == 150.0
    assert index([77.0], 0.05) == 77.0


def test_what_is_down_or_without_weight_does_not_decide_who_is_an_outlier() -> None:
    prices, weights = np.array([100.0, 102.0, 500.0, 510.0]), np.array([1.0, 1.0, 1.0, 0.0])
    up = np.array([True, True, False, True])
    assert index_price(prices, weights, "mean", up, 0.05) == 101.0


@given(st.lists(price, min_size=1, max_size=9), st.floats(0.01, 1.0), st.randoms())
def test_outliers_do_not_depend_on_the_order(
    prices: list[float], outlier: float, random: object
) -> None:
    shuffled = list(prices)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert index(shuffled, outlier) == pytest.approx(index(prices, outlier), rel=1e-12)
    assert min(prices) <= index(prices, outlier) * (1 + 1e-12)
    assert index(prices, outlier) <= max(prices) * (1 + 1e-12)


def test_weighted_median_by_either_name() -> None:
    prices, weights = np.array([10.0, 20.0, 30.0]), np.array([5.0, 1.0, 1.0])
    for method in ("median", "weighted_median"):
        assert index_price(prices, weights, method, np.ones(3, dtype=bool)) == 10.0
