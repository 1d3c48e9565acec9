"""Figures of many runs: exact where they are exact, and honest where they cannot be told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim.core.lexer import ExpressionError
from sim.experiments.statistics import (
    TooFewRunsError,
    expected_shortfall,
    mean_interval,
    quantile_interval,
    runs_needed,
    share_interval,
    statistic,
)


def test_students_interval() -> None:
    """Textbook: 1 to 5 have mean 3, s = sqrt(2.5), t(0.975, 4) = 2.776445."""
    found = mean_interval([1, 2, 3, 4, 5])
    assert found.value == 3
    assert found.high - 3 == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-6)
    assert found.low + found.high == pytest.approx(6)
    assert found.runs == 5


def test_one_run_has_no_interval() -> None:
    found = mean_interval([2.5])
    assert (found.value, found.runs) == (2.5, 1)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize(
    ("successes", "runs", "low", "high"),
    [
        (0, 10, 0.0, 0.308497),  # 1 - 0.025**(1/10)
        (10, 10, 0.691503, 1.0),
        (1, 10, 0.002529, 0.445016),  # Clopper and Pearson's own table rounds to 0.00 and 0.45
        (5, 10, 0.187086, 0.812914),
        (4, 20, 0.057334, 0.436614),
    ],
)
def test_share_has_the_interval_of_clopper_and_pearson(
    successes: int, runs: int, low: float, high: float
) -> None:
    found = share_interval(successes, runs)
    assert found.value == successes / runs
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


@given(st.integers(1, 200), st.data())
def test_ends_of_a_share_are_just_not_rejected(runs: int, data: st.DataObject) -> None:
    """At the ends of the interval what was seen, or more extreme, has probability 2.5 %."""
    successes = data.draw(st.integers(1, runs))
    found = share_interval(successes, runs)
    assert stats.binom.sf(successes - 1, runs, found.low) == pytest.approx(0.025, rel=1e-6)
    mirrored = share_interval(runs - successes, runs)
    assert mirrored.high == pytest.approx(1 - found.low, abs=1e-9)


@pytest.mark.parametrize(
    ("probability", "runs"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)]
)
def test_runs_that_a_tail_needs(probability: float, runs: int) -> None:
    """The fewest N with p**N <= 2.5 %: then the largest value is above the quantile."""
    assert runs_needed(probability) == runs
    assert probability**runs <= 0.025 < probability ** (runs - 1)
    assert runs_needed(1 - probability) == runs


@pytest.mark.parametrize("probability", [0.0, 1.0, -1.0, math.nan])
def test_what_is_no_probability_is_refused(probability: float) -> None:
    with pytest.raises(ValueError, match="probability in"):
        runs_needed(probability)


def test_quantile_is_an_order_statistic_with_exact_ranks() -> None:
    """For the median of 20 values: ranks 6 and 15, coverage 95.86 % (David and Nagaraja)."""
    found = quantile_interval(np.arange(20, 0, -1), 0.5)
    assert (found.value, found.low, found.high) == (10, 6, 15)


@given(st.integers(40, 400), st.sampled_from([0.1, 0.25, 0.5, 0.9]))
def test_coverage_of_the_ranks_is_as_claimed(runs: int, probability: float) -> None:
    """The number of values below the quantile is binomial: the chance that the ranks enclose it."""
    found = quantile_interval(np.arange(1, runs + 1), probability)
    low, high = round(found.low), round(found.high)
    coverage = stats.binom.cdf(high - 1, runs, probability) - stats.binom.cdf(
        low - 1, runs, probability
    )
    assert coverage >= 0.95
    tighter = stats.binom.cdf(high - 1, runs, probability) - stats.binom.cdf(low, runs, probability)
    assert tighter < coverage


def test_intervals_cover_as_often_as_they_say() -> None:
    """500 samples with a fixed seed; 95 % of 500 within four standard errors."""
    generator = np.random.Generator(np.random.PCG64(20251010))
    samples = generator.exponential(size=(500, 100))
    wanted = {0.5: math.log(2), 0.9: math.log(10)}
    for probability, truth in wanted.items():
        found = [quantile_interval(sample, probability) for sample in samples]
        covered = sum(one.low <= truth <= one.high for one in found)
        assert covered >= 500 * 0.95 - 4 * math.sqrt(500 * 0.95 * 0.05)
    normal = generator.normal(size=(500, 8))
    covered = sum(one.low <= 0 <= one.high for one in map(mean_interval, normal))
    assert abs(covered - 475) <= 4 * math.sqrt(500 * 0.95 * 0.05)


@pytest.mark.parametrize(("probability", "runs"), [(0.9, 37), (0.95, 200)])
def test_an_expected_shortfall_is_covered_from_the_fewest_runs_on(
    probability: float, runs: int
) -> None:
    """Exponential: ES = 1 - ln(1 - p). The largest of few runs often lies below it."""
    generator = np.random.Generator(np.random.PCG64(5))
    truth = 1 - math.log(1 - probability)
    found = [
        expected_shortfall(sample, probability)
        for sample in generator.exponential(size=(400, runs))
    ]
    covered = sum(one.low <= truth <= one.high for one in found)
    assert abs(covered - 380) <= 4 * math.sqrt(400 * 0.95 * 0.05)


def test_a_share_is_taken_of_conditions_alone() -> None:
    found = statistic("share")
    assert found is not None
    assert found([0.0, 1.0, 1.0, 1.0]) == 0.75
    with pytest.raises(ExpressionError, match=r"such as share\(shortfall > 0\)"):
        found([0.0, 2.5e6])


def test_too_few_runs_for_a_tail_are_refused() -> None:
    with pytest.raises(TooFewRunsError, match=r"the 0.99 quantile needs 368 runs, found 367"):
        quantile_interval(np.arange(367), 0.99)
    assert quantile_interval(np.arange(368), 0.99).value == 364
    with pytest.raises(TooFewRunsError, match="needs 72 runs"):
        expected_shortfall(np.arange(71), 0.95)
    with pytest.raises(TooFewRunsError):
        mean_interval([])
    with pytest.raises(TooFewRunsError):
        share_interval(0, 0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="1 of 3 values not finite"):
        mean_interval([1.0, bad, 2.0])


def test_expected_shortfall_is_the_mean_of_the_tail() -> None:
    """Of 1 to 100 the worst 10 are 91 to 100; of 75 the worst 5 % are 3 3/4 values."""
    assert expected_shortfall(np.arange(1, 101), 0.9).value == pytest.approx(95.5)
    found = expected_shortfall(np.arange(1, 76), 0.95)
    assert found.value == pytest.approx((75 + 74 + 73 + 0.75 * 72) / 3.75)
    assert found.low < found.value <= found.high


@pytest.mark.parametrize(("probability", "runs"), [(0.9, 40), (0.99, 368)])
def test_the_interval_of_an_expected_shortfall_covers_it(probability: float, runs: int) -> None:
    """From as few runs as are let through; percentiles of a bootstrap cover 75 % there."""
    generator = np.random.Generator(np.random.PCG64(5))
    edge = stats.norm.ppf(probability)
    normal = [expected_shortfall(x, probability) for x in generator.normal(size=(400, runs))]
    skewed = [expected_shortfall(x, probability) for x in generator.exponential(size=(400, runs))]
    for found, truth in (
        (normal, stats.norm.pdf(edge) / (1 - probability)),
        (skewed, 1.0 - math.log(1 - probability)),
    ):
        assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.9


def test_the_tail_of_one_run_has_no_interval() -> None:
    found = expected_shortfall(np.arange(10), 0.9, level=0.2)
    assert found.value == pytest.approx(9.0)
    assert math.isnan(found.low)


def test_expected_shortfall_keeps_the_mass_of_an_atom() -> None:
    """Acerbi and Tasche: ties at the quantile count with what is left of the tail alone."""
    values = np.array([0.0] * 95 + [10.0] * 5)
    assert expected_shortfall(values, 0.9).value == pytest.approx(5.0)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=36, max_size=60),
    st.floats(-1e3, 1e3),
    st.floats(0.1, 10),
)
def test_expected_shortfall_is_a_coherent_measure(
    values: list[float], shift: float, scale: float
) -> None:
    """At least the quantile and the mean, at most the largest; moves and scales with its values."""
    found = expected_shortfall(values, 0.9).value
    slack = 1e-6 * (1 + max(map(abs, values)))
    assert quantile_interval(values, 0.9).value - slack <= found <= max(values) + slack
    assert found >= np.mean(values) - slack
    moved = expected_shortfall(np.array(values) * scale + shift, 0.9).value
    assert moved == pytest.approx(found * scale + shift, abs=20 * slack)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("mean", 50.5), ("median", 50), ("lowest", 1), ("highest", 100), ("sd", 29.011492),
     ("p90", 90), ("p95", 95), ("p2_5", None), ("es95", 98)],
)  # fmt: skip
def test_statistics_by_name(name: str, wanted: float | None) -> None:
    found = statistic(name)
    assert found is not None
    values = list(map(float, range(1, 101)))
    if wanted is None:
        with pytest.raises(TooFewRunsError, match="needs 146 runs"):
            found(values)
    else:
        assert found(values) == pytest.approx(wanted)


@pytest.mark.parametrize("name", ["p", "p0", "p100", "p99.5", "es", "max", "var", "p123", ""])
def test_other_names_are_no_statistics(name: str) -> None:
    assert statistic(name) is None
