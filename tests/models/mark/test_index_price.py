"""Index price of one asset over several venues."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.models.mark import index_price, index_shares

price = st.floats(1.0, 1e6)
weight = st.floats(0.01, 10.0)
rows = st.lists(st.tuples(price, weight, st.booleans()), min_size=1, max_size=9)


def index(
    prices: list[float],
    weights: list[float],
    method: str,
    available: list[bool] | None = None,
) -> float:
    up = [True] * len(prices) if available is None else available
    return index_price(np.array(prices), np.array(weights), method, np.array(up))  # type: ignore[arg-type]


def test_weighted_mean() -> None:
    assert index([100.0, 110.0, 130.0], [2.0, 1.0, 1.0], "mean") == 110.0


@pytest.mark.parametrize(
    ("prices", "weights", "expected"),
    [
        ([30.0, 10.0, 20.0], [1.0, 1.0, 1.0], 20.0),
        ([30.0, 10.0, 20.0, 40.0], [1.0, 1.0, 1.0, 1.0], 25.0),
        ([10.0, 20.0, 30.0], [5.0, 1.0, 1.0], 10.0),
        ([10.0, 20.0, 30.0], [1.0, 1.0, 2.0], 25.0),
        ([10.0, 20.0, 30.0], [0.1, 0.2, 0.3], 25.0),
        ([10.0, 20.0, 30.0], [1.0, 0.0, 1.0], 20.0),
        ([10.0], [3.0], 10.0),
    ],
)
def test_weighted_median(prices: list[float], weights: list[float], expected: float) -> None:
    assert index(prices, weights, "median") == expected


@given(st.lists(price, min_size=1, max_size=9), weight)
def test_equal_weights_give_the_ordinary_median_and_mean(prices: list[float], w: float) -> None:
    weights = [w] * len(prices)
    assert index(prices, weights, "median") == pytest.approx(np.median(prices), rel=1e-12)
    assert index(prices, weights, "mean") == pytest.approx(np.mean(prices), rel=1e-12)


@given(rows, st.sampled_from(["mean", "median"]))
def test_an_unavailable_venue_counts_for_nothing(
    data: list[tuple[float, float, bool]], method: str
) -> None:
    prices, weights, up = (list(column) for column in zip(*data, strict=True))
    if not any(up):
        with pytest.raises(ValueError, match="no available venue"):
            index(prices, weights, method, up)
        return
    broken = [p if u else float("nan") for p, u in zip(prices, up, strict=True)]
    kept = [(p, w) for p, w, u in data if u]
    expected = index([p for p, _ in kept], [w for _, w in kept], method)
    assert index(broken, weights, method, up) == expected


@given(rows, st.sampled_from(["mean", "median"]), st.randoms())
def test_order_and_scale_of_venues_do_not_matter(
    data: list[tuple[float, float, bool]], method: str, random: object
) -> None:
    shuffled = list(data)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = index([p for p, _, _ in data], [w for _, w, _ in data], method)
    two = index([p for p, _, _ in shuffled], [4.0 * w for _, w, _ in shuffled], method)
    assert two == pytest.approx(one, rel=1e-12)


@given(price, st.lists(weight, min_size=1, max_size=9), st.sampled_from(["mean", "median"]))
def test_venues_that_agree_give_their_price_exactly(
    value: float, weights: list[float], method: str
) -> None:
    assert index([value] * len(weights), weights, method) == value


def test_median_resists_one_wrong_venue_where_the_mean_does_not() -> None:
    assert index([100.0, 101.0, 1.0], [1.0, 1.0, 1.0], "median") == 100.0
    assert index([100.0, 101.0, 1.0], [1.0, 1.0, 1.0], "mean") < 70.0


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match=">= 0"):
        index([1.0, 2.0], [1.0, -1.0], "mean")
    with pytest.raises(ValueError, match="no available venue"):
        index([1.0, 2.0], [0.0, 0.0], "mean")
    with pytest.raises(ValueError, match="method"):
        index([1.0], [1.0], "mode")


@given(
    st.lists(st.tuples(st.floats(50.0, 150.0), st.integers(1, 4)), min_size=1, max_size=7),
    st.sampled_from(["mean", "median", "weighted_median"]),
    st.sampled_from([math.inf, 0.1, 0.3]),
)
def test_shares_of_prices_make_the_index(venues, method, outlier) -> None:
    prices, weights = [p for p, _ in venues], [float(w) for _, w in venues]
    share = index_shares(prices, weights, method, outlier)
    assert math.fsum(share) == pytest.approx(1.0, rel=1e-14)
    there = np.ones(len(prices), dtype=bool)
    index = index_price(np.array(prices), np.array(weights), method, there, outlier)
    assert np.dot(share, prices) == pytest.approx(index, rel=1e-14)
