"""Paired differences against closed forms, simulation and published numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim.experiments.differences import (
    LEAST_PAIRS,
    holm,
    paired_difference,
    pairs_to_tell,
    replications_needed,
)

NUMBERS = st.floats(-1e9, 1e9, allow_subnormal=False)


@given(st.lists(NUMBERS, min_size=1, max_size=12))
def test_equal_values_differ_by_nothing_to_the_last_bit(values: list[float]) -> None:
    found = paired_difference(values, values, flips=99)
    assert (found.mean.value, found.effect if len(values) > 1 else 0.0) == (0.0, 0.0)
    assert found.higher.value == found.lower.value == 0.0
    assert found.p == 1.0 or len(values) == 1


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=9))
def test_exchanging_the_sides_changes_signs_alone(pairs: list[tuple[float, float]]) -> None:
    one, two = zip(*pairs, strict=True)
    there, back = paired_difference(one, two), paired_difference(two, one)
    assert there.mean.value == -back.mean.value
    assert there.effect == -back.effect
    assert there.higher == back.lower
    assert there.p == pytest.approx(back.p)


def test_the_exact_p_counts_changes_of_sign() -> None:
    """Differences 1, 2, 4: only all signs alike give so large a mean, 2 of 8."""
    assert paired_difference([0, 0, 0], [1, 2, 4]).p == pytest.approx(2 / 8)
    assert paired_difference([0] * 6, [1, 2, 3, 4, 5, 6]).p == pytest.approx(2 / 64)


def test_effect_is_cohens_d_of_pairs() -> None:
    found = paired_difference([0, 0, 0, 0], [1, 2, 3, 4])
    assert found.mean.value == 2.5
    assert found.effect == pytest.approx(2.5 / math.sqrt(5 / 3))
    assert paired_difference([1, 2], [3, 4]).effect == math.inf


def test_no_interval_from_few_pairs() -> None:
    few = paired_difference(np.zeros(LEAST_PAIRS - 1), np.arange(LEAST_PAIRS - 1.0))
    assert math.isnan(few.mean.low)
    assert math.isnan(few.mean.high)


@pytest.mark.parametrize(
    ("name", "draw", "mean"),
    [
        ("normal", lambda g, n: g.normal(1.0, 2.0, n), 1.0),
        ("exponential", lambda g, n: g.exponential(1.0, n), 1.0),
    ],
)
def test_intervals_cover_the_mean_as_often_as_they_say(name: str, draw, mean: float) -> None:
    """200 samples of 12 pairs; skewed differences are covered a little less often than 95 %."""
    generator = np.random.Generator(np.random.PCG64(5))
    inside = 0
    for _ in range(200):
        first = generator.normal(0.0, 10.0, 12)
        found = paired_difference(first, first + draw(generator, 12), flips=9).mean
        inside += found.low <= mean <= found.high
    low, high = stats.binom.ppf([0.001, 0.999], 200, 0.95 if name == "normal" else 0.92)
    assert low <= inside <= high


def test_pairing_takes_out_what_the_sides_share() -> None:
    """Sides with a common part of variance 100 and parts of their own of variance 1: gain 101."""
    generator = np.random.Generator(np.random.PCG64(9))
    common = generator.normal(0.0, 10.0, 4000)
    one, two = (common + generator.normal(0.0, 1.0, 4000) for _ in range(2))
    paired = paired_difference(one, two, flips=9)
    assert paired.gain == pytest.approx(101, rel=0.1)
    shuffled = paired_difference(one, generator.permutation(two), flips=9)
    assert shuffled.gain == pytest.approx(1, rel=0.1)
    width = [found.mean.high - found.mean.low for found in (paired, shuffled)]
    assert width[1] / width[0] == pytest.approx(math.sqrt(101), rel=0.1)


def test_no_difference_is_told_as_rarely_as_asked() -> None:
    generator = np.random.Generator(np.random.PCG64(2))
    wrong = sum(
        paired_difference(*generator.normal(0.0, 1.0, (2, 10))).p < 0.05 for _ in range(400)
    )
    assert wrong <= stats.binom.ppf(0.999, 400, 0.05)


def test_holm_as_in_its_textbook_example() -> None:
    """0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, never falling."""
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    adjusted = holm([math.nan, 0.02])
    assert math.isnan(adjusted[0])
    assert adjusted[1] == 0.02


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.randoms())
def test_holm_does_not_depend_on_the_order(p: list[float], random) -> None:
    order = list(range(len(p)))
    random.shuffle(order)
    shuffled = holm([p[k] for k in order])
    assert [shuffled[order.index(k)] for k in range(len(p))] == holm(p)


@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_replications_needed_as_in_tables_of_power(effect: float, pairs: int) -> None:
    """Paired t test, two sides, 5 %, power 80 %: G*Power and Cohen (1988) agree on these."""
    assert replications_needed(effect) == pairs
    assert replications_needed(-effect) == pairs


def test_no_number_of_replications_tells_nothing_from_nothing() -> None:
    assert replications_needed(0.0) is None
    assert replications_needed(1e-6) is None


@pytest.mark.parametrize("comparisons", [1, 2, 10, 72, 1000])
def test_fewer_pairs_could_not_tell_anything(comparisons: int) -> None:
    pairs = pairs_to_tell(comparisons)
    assert comparisons * 2 / 2**pairs < 0.05 <= comparisons * 2 / 2 ** (pairs - 1)


@pytest.mark.parametrize(
    ("one", "two"), [([1, 2], [1]), ([], []), ([1, math.nan], [1, 2]), ([[1]], [[2]])]
)
def test_bad_values_are_refused(one, two) -> None:
    with pytest.raises(ValueError, match="found"):
        paired_difference(one, two)
