"""What the traders of a cohort draw, against the laws they draw from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.engine.worlds import (
    VENUES,
    cohort,
    digest,
    draw,
    equity_of_traders,
    leverage_of_traders,
    rich,
    sides,
    world,
)


def test_equity_and_leverage_follow_their_distributions():
    scenario = world(cohort(venues_per_trader=2, positions_per_account=2))
    draft = draw(scenario)
    pareto = stats.pareto(1.2, scale=100)
    equity = equity_of_traders(draft, scenario)
    assert stats.kstest(equity, lambda x: pareto.cdf(x) / pareto.cdf(1e6)).pvalue > 0.01
    law = stats.lognorm(s=0.4, scale=4)
    small = equity < 5_000  # too small for any tier to lower the leverage
    drawn = leverage_of_traders(draft, scenario)[small]
    assert stats.kstest(drawn, lambda x: law.cdf(x) / law.cdf(15)).pvalue > 0.01


def test_one_venue_per_trader_follows_the_shares():
    draft = draw(world(cohort(venues=VENUES)))
    assert draft.accounts == draft.traders
    counts = np.bincount(draft.clearer, minlength=3)
    assert stats.chisquare(counts, 20_000 * np.array([0.6, 0.3, 0.1])).pvalue > 0.01


def test_two_venues_are_drawn_one_after_the_other_without_replacement():
    draft = draw(world(cohort(venues=VENUES, venues_per_trader=2)))
    assert np.all(np.bincount(draft.trader) == 2)
    p = np.array([0.6, 0.3, 0.1])
    included = [p[i] + sum(p[j] * p[i] / (1 - p[j]) for j in range(3) if j != i) for i in range(3)]
    share = np.bincount(draft.clearer, minlength=3) / draft.traders
    np.testing.assert_allclose(share, included, atol=4 * 0.5 / np.sqrt(20_000))


def test_number_of_venues_follows_its_shares_and_splits_equity_by_share():
    scenario = world(cohort(venues=VENUES, venues_per_trader={1: 0.5, 2: 0.3, 3: 0.2}))
    draft = draw(scenario)
    count = np.bincount(draft.trader)
    observed = np.bincount(count, minlength=4)[1:]
    assert stats.chisquare(observed, 20_000 * np.array([0.5, 0.3, 0.2])).pvalue > 0.01
    rows = draft.balance[:, 0][count[draft.trader] == 3].reshape(-1, 3)
    shares = rows / rows.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, [[0.6, 0.3, 0.1]] * len(rows))


def test_positions_are_drawn_by_weight():
    scenario = world(
        cohort(venues={"alpha": 1}, portfolio={"BTC": 5, "ETH": 3, "SOL": 2},
               positions_per_account=1)
    )  # fmt: skip
    draft = draw(scenario)
    counts = np.bincount(draft.position_market, minlength=3)[:3]
    assert stats.chisquare(counts, 20_000 * np.array([0.5, 0.3, 0.2])).pvalue > 0.01


def test_margin_mode_shares():
    draft = draw(world(cohort(venues={"alpha": 1}, positions_per_account=1,
                              margin_mode={"cross": 3, "isolated": 1})))  # fmt: skip
    assert abs(draft.isolated.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 20_000)
    assert draft.account_id(5).startswith("retail-00005@alpha")


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8, 1.0])
def test_sides_have_the_orthant_probability_of_the_copula(rho):
    long_share = 0.65
    scenario = world(cohort(venues_per_trader=2, positions_per_account=None,
                            position_correlation=rho, long_share=long_share))  # fmt: skip
    table = sides(draw(scenario))[:, :6]
    deviation = 4 * 0.5 / np.sqrt(20_000)
    np.testing.assert_allclose((table > 0).mean(axis=0), long_share, atol=deviation)
    z = stats.norm.ppf(long_share)
    both = {0.0: long_share**2, 1.0: long_share}.get(rho)
    if both is None:
        both = stats.multivariate_normal(cov=[[1, rho], [rho, 1]]).cdf([z, z])
    for first, second in ((0, 1), (0, 3), (2, 4)):  # same venue, same asset, neither
        found = ((table[:, first] > 0) & (table[:, second] > 0)).mean()
        assert abs(found - both) < deviation
    if rho == 1.0:
        assert np.all(table == table[:, :1])


@pytest.mark.parametrize(("share", "sign"), [(0.0, -1), (1.0, 1)])
def test_extreme_long_shares(share, sign):
    draft = draw(world(cohort(count=500, long_share=share, position_correlation=0.5)))
    assert np.all(np.sign(draft.quantity) == sign)


def test_changing_one_attribute_leaves_the_other_draws_alone():
    first = draw(world(rich()))
    table = sides(first)
    changed = {
        "equity": {"dist": "constant", "value": 500},
        "leverage": {"dist": "constant", "value": 2},
        "wallet": None,
        "collateral": None,
        "margin_mode": "cross",
    }
    for name, value in changed.items():
        np.testing.assert_array_equal(sides(draw(world({**rich(), name: value}))), table)
    scenario = world({**rich(), "venues_per_trader": 3, "positions_per_account": 3})
    wider = draw(scenario)
    kept = table != 0
    np.testing.assert_array_equal(sides(wider)[kept], table[kept])
    np.testing.assert_allclose(
        equity_of_traders(wider, scenario), equity_of_traders(first, scenario), rtol=1e-12
    )


def test_more_traders_leave_the_first_ones_alone():
    few, many = draw(world(rich())), draw(world({**rich(), "count": 40_000}))
    size = few.quantity.size
    np.testing.assert_array_equal(few.quantity, many.quantity[:size])
    np.testing.assert_array_equal(few.balance, many.balance[: few.accounts])


def test_cohorts_and_seeds_draw_apart():
    scenario = world(rich(), {**rich(), "cohort": "other"})
    draws = [draw(scenario), draw(scenario, 1), draw(scenario, seed=8)]
    assert len({digest(draft) for draft in draws}) == 3


def test_bytes_are_the_same_in_another_process():
    code = (
        "from tests.engine.worlds import digest, draw, rich, world;"
        "print(digest(draw(world(rich()))))"
    )
    root = Path(__file__).parents[2]
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONHASHSEED": "99"},
    ).stdout  # fmt: skip
    assert output.strip() == digest(draw(world(rich())))
