"""Quantile functions against the distributions they claim to be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sim.core.errors import RunError
from sim.engine.distributions import quantile
from sim.schema.distributions import Constant, Empirical, Lognormal, Pareto, Uniform

UNIFORMS = np.random.default_rng(11).random(50_000)


def conditional(law, low, high):
    """Return the distribution function of a law given that it falls in [low, high]."""
    return lambda x: (law.cdf(x) - law.cdf(low)) / (law.cdf(high) - law.cdf(low))


def lognormal(median, sigma):
    return stats.lognorm(s=sigma, scale=median)


@pytest.mark.parametrize(
    ("config", "cdf"),
    [
        (Uniform(min=2, max=5), stats.uniform(2, 3).cdf),
        (Lognormal(median=8, sigma=0.7), lognormal(8, 0.7).cdf),
        (Lognormal(median=8, sigma=0.7, max=9), conditional(lognormal(8, 0.7), 0, 9)),
        (Lognormal(median=8, sigma=0.7, min=7, max=20), conditional(lognormal(8, 0.7), 7, 20)),
        (Lognormal(median=8, sigma=0.7, min=10), conditional(lognormal(8, 0.7), 10, np.inf)),
        (Pareto(alpha=1.2, min=100), stats.pareto(1.2, scale=100).cdf),
        (
            Pareto(alpha=1.2, min=100, max=300),
            conditional(stats.pareto(1.2, scale=100), 100, 300),
        ),
        (
            Empirical(quantiles={0.0: 1, 0.5: 3, 1.0: 10}),
            lambda x: np.interp(x, [1, 3, 10], [0, 0.5, 1]),
        ),
    ],
)
def test_draws_follow_the_distribution(config, cdf):
    assert stats.kstest(quantile(config, UNIFORMS), cdf).pvalue > 0.01


@pytest.mark.parametrize(
    "config",
    [
        Uniform(min=2, max=5),
        Lognormal(median=8, sigma=0.7, min=10, max=30),
        Lognormal(median=8, sigma=0.7, min=1, max=6),
        Pareto(alpha=0.5, min=1, max=9),
        Empirical(quantiles={0.2: 1, 0.9: 2}),
    ],
)
def test_quantiles_increase_with_probability_and_stay_in_bounds(config):
    draws = quantile(config, np.array([0.0, 1e-12, 0.3, 0.7, 1 - 2.0**-53]))
    assert np.all(np.diff(draws) >= 0)
    low, high = (1, 2) if config.dist == "empirical" else (config.min, config.max)
    assert draws[0] >= low
    assert draws[-1] <= high


def test_truncation_puts_no_mass_on_the_bounds():
    draws = quantile(Lognormal(median=8, sigma=0.7, min=6, max=9), UNIFORMS)
    assert np.mean((draws == 6) | (draws == 9)) == 0


def test_far_tail_is_resolved():
    # 9 sigma above the median: the upper-tail mass is far below float64's spacing at 1.
    law, low = lognormal(1, 0.5), np.exp(4.5)
    draws = quantile(Lognormal(median=1, sigma=0.5, min=low), np.array([0.25, 0.5, 0.75]))
    np.testing.assert_allclose(law.sf(draws) / law.sf(low), [0.75, 0.5, 0.25], rtol=1e-9)


def test_empirical_is_flat_outside_its_points():
    config = Empirical(quantiles={0.9: 5, 0.1: 2})
    np.testing.assert_allclose(quantile(config, np.array([0.0, 0.05, 0.5, 0.99])), [2, 2, 3.5, 5])


def test_degenerate_distributions_are_constants():
    half = np.array([0.1, 0.9])
    for config in (
        Constant(value=3),
        Uniform(min=3, max=3),
        Lognormal(median=3, sigma=0),
        Lognormal(median=8, sigma=0.7, min=3, max=3),
        Pareto(alpha=1, min=3, max=3),
    ):
        np.testing.assert_array_equal(quantile(config, half), [3.0, 3.0])


@pytest.mark.parametrize(
    "config", [Lognormal(median=1, sigma=0, min=2), Lognormal(median=1, sigma=0.01, min=9)]
)
def test_bounds_without_mass_are_refused(config):
    with pytest.raises(RunError, match="bounds"):
        quantile(config, UNIFORMS[:1])
