"""Diffusions: distribution, correlation, independence of streams."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from sim.core.errors import ScenarioError
from tests.models.shock.world import (
    BTC,
    ETH,
    SOL,
    USDT,
    as_scenario_columns,
    asset_returns,
    exogenous_of,
    market_returns,
    scenario_of,
)

DAY = 86_400.0
YEAR = 365 * DAY
N = 20_000


def gbm(**more: object) -> dict:
    return {"kind": "gbm", **more}


def jumps(**more: object) -> dict:
    base = {"kind": "jump_diffusion", "volatility": 0.0, "assets": ["BTC", "ETH"]}
    return {**base, "intensity": 100, "jump_mean": -0.02, "jump_std": 0.01, **more}


def test_gbm_has_the_stated_normal_distribution() -> None:
    tick = 3_600.0
    returns = asset_returns(exogenous_of(gbm(drift=0.7), tick=tick, ticks=N + 1), N + 1)
    dt = tick / YEAR
    for asset, sigma in ((BTC, 0.5), (ETH, 0.8), (SOL, 1.2)):
        scale = sigma * math.sqrt(dt)
        normal = stats.norm((0.7 - sigma**2 / 2) * dt, scale)
        assert stats.kstest(returns[1:, asset], normal.cdf).pvalue > 0.001
        assert returns[1:, asset].std() == pytest.approx(scale, rel=4 / math.sqrt(2 * N))
        assert abs(returns[1:, asset].mean() - normal.mean()) < 4 * scale / math.sqrt(N)
        lagged = np.corrcoef(returns[1:-1, asset], returns[2:, asset])[0, 1]
        assert abs(lagged) < 4 / math.sqrt(N)
    assert not returns[:, USDT].any()
    assert not returns[0].any()


def test_drift_is_that_of_the_price() -> None:
    ticks = 41
    ends = []
    for seed in range(400):
        exogenous = exogenous_of(gbm(drift=2.0, volatility=0.6), tick=DAY, ticks=ticks, seed=seed)
        ends.append(asset_returns(exogenous, ticks)[:, 1:].sum(axis=0))
    growth = np.exp(ends).mean()
    years = (ticks - 1) / 365
    error = math.exp(2.0 * years) * math.sqrt(math.expm1(0.36 * years) / (3 * 400))
    assert abs(growth - math.exp(2.0 * years)) < 4 * error


@pytest.mark.parametrize(
    "correlation",
    [0.0, 0.6, -0.4, 1.0, {"BTC,ETH": 0.9, "SOL, BTC": -0.3}, {"BTC,ETH": 0.6, "ETH,SOL": -0.8}],
)
def test_correlation_is_the_stated_one(correlation: float | dict[str, float]) -> None:
    returns = asset_returns(exogenous_of(gbm(correlation=correlation), ticks=N + 1), N + 1)[1:, 1:]
    expected = np.eye(3)
    names = {"BTC": 0, "ETH": 1, "SOL": 2}
    if isinstance(correlation, dict):
        for pair, value in correlation.items():
            a, b = (names[name.strip()] for name in pair.split(","))
            expected[a, b] = expected[b, a] = value
    else:
        expected[~np.eye(3, dtype=bool)] = correlation
    np.testing.assert_allclose(np.corrcoef(returns.T), expected, atol=4 / math.sqrt(N))


def test_perfect_correlation_scales_one_path_and_is_the_limit_of_high_ones() -> None:
    one = asset_returns(exogenous_of(gbm(correlation=1.0, volatility=1.0)))[1:, 1:]
    np.testing.assert_allclose(one[:, 1], one[:, 0], rtol=1e-12)
    near = asset_returns(exogenous_of(gbm(correlation=1.0 - 1e-10, volatility=1.0)))[1:, 1:]
    np.testing.assert_allclose(near, one, atol=1e-4 * one.std())


def test_impossible_correlations_are_refused() -> None:
    with pytest.raises(ScenarioError, match="correlation"):
        exogenous_of(gbm(correlation=-0.6))
    with pytest.raises(ScenarioError, match="correlation"):
        exogenous_of(gbm(correlation={"BTC,ETH": 0.9, "ETH,SOL": 0.9, "BTC,SOL": -0.9}))


def test_builder_itself_refuses_impossible_correlations() -> None:
    from sim.core.clock import TickClock
    from sim.core.streams import Streams
    from sim.models.shock import build_exogenous

    scenario = scenario_of(gbm(correlation=0.5))
    shock = scenario.shocks[0].model_copy(update={"correlation": -0.6})
    changed = scenario.model_copy(update={"shocks": [shock]})
    with pytest.raises(ScenarioError, match=r"shocks\.0\.correlation"):
        build_exogenous(changed, TickClock(1.0, 10), Streams(0))


def test_markets_move_by_base_over_quote() -> None:
    exogenous = exogenous_of(gbm(correlation=0.5))
    for tick in (1, 50, 99):
        expected = as_scenario_columns(exogenous.asset_log_returns(tick))
        np.testing.assert_array_equal(exogenous.log_returns(tick), expected)


def test_window_of_a_diffusion() -> None:
    moved = asset_returns(exogenous_of(gbm(at=9.5, until=20))).any(axis=1)
    assert np.flatnonzero(moved).tolist() == list(range(11, 21))
    # A window that holds no tick moves nothing.
    assert not asset_returns(exogenous_of(gbm(at=9.2, until=9.8))).any()


def test_draws_of_an_asset_ignore_other_assets_horizon_and_end() -> None:
    whole = asset_returns(exogenous_of(gbm()))
    np.testing.assert_array_equal(
        asset_returns(exogenous_of(gbm(assets=["ETH"])))[:, ETH], whole[:, ETH]
    )
    np.testing.assert_array_equal(
        asset_returns(exogenous_of(gbm(assets=["SOL", "BTC"])))[:, BTC], whole[:, BTC]
    )
    longer = asset_returns(exogenous_of(gbm(), ticks=150_000), 100)
    np.testing.assert_array_equal(longer, whole)
    np.testing.assert_array_equal(asset_returns(exogenous_of(gbm(until=30)))[:31], whole[:31])


def test_second_shock_does_not_move_the_draws_of_the_first() -> None:
    for first in (gbm(), jumps()):
        alone = market_returns(exogenous_of(first))
        for second in (
            gbm(at=50),
            jumps(at=50),
            {"kind": "outage", "venue": "beta", "at": 1, "duration": 5},
        ):
            both = exogenous_of(first, second)
            np.testing.assert_array_equal(market_returns(both)[:51], alone[:51])


def test_equal_shocks_draw_independently() -> None:
    for shock in (gbm(), jumps(volatility=0.5, assets=["BTC"])):
        single = asset_returns(exogenous_of(shock, ticks=2_000), 2_000)[1:, BTC]
        together = asset_returns(exogenous_of(shock, shock, ticks=2_000), 2_000)[1:, BTC]
        assert abs(np.corrcoef(together - single, single)[0, 1]) < 4 / math.sqrt(2_000)


def test_seed_decides() -> None:
    one, again, other = (asset_returns(exogenous_of(gbm(), jumps(), seed=s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one[1:, 1:] != other[1:, 1:]).all()


def test_volatility_override_and_own() -> None:
    own = asset_returns(exogenous_of(gbm()))
    double = asset_returns(exogenous_of(gbm(volatility=1.0)))
    dt = 1.0 / YEAR
    np.testing.assert_allclose(
        double[1:, BTC] + 0.5 * dt, 2 * (own[1:, BTC] + 0.125 * dt), rtol=1e-12
    )


def test_jump_times_are_poisson_and_sizes_normal() -> None:
    ticks, tick, intensity = 20_001, 60.0, 200.0
    exogenous = exogenous_of(
        jumps(intensity=intensity, assets=["BTC"]), tick=tick, ticks=ticks, seed=3
    )
    returns = asset_returns(exogenous, ticks)[:, BTC]
    per_tick = intensity * tick / DAY
    hit = returns != 0.0
    share, expected = hit[1:].mean(), -math.expm1(-per_tick)
    assert abs(share - expected) < 4 * math.sqrt(expected / ticks)
    # Compound Poisson: mean and variance per tick.
    mean, variance = per_tick * -0.02, per_tick * (0.02**2 + 0.01**2)
    assert abs(returns[1:].mean() - mean) < 4 * math.sqrt(variance / ticks)
    assert returns[1:].var() == pytest.approx(variance, rel=0.1)
    gaps = np.diff(np.flatnonzero(hit))
    assert gaps.mean() == pytest.approx(1 / expected, rel=4 / math.sqrt(len(gaps)))
    assert gaps.std() == pytest.approx(math.sqrt(1 - expected) / expected, rel=0.1)


def test_common_jumps_share_times_and_correlation_own_jumps_do_not() -> None:
    ticks = 20_001
    common = asset_returns(exogenous_of(jumps(correlation=0.7), tick=60.0, ticks=ticks), ticks)[
        :, [BTC, ETH]
    ]
    hit = common != 0.0
    assert (hit[:, 0] == hit[:, 1]).all()
    sizes = common[hit[:, 0]]
    assert np.corrcoef(sizes.T)[0, 1] == pytest.approx(0.7, abs=4 / math.sqrt(len(sizes)))
    own = asset_returns(
        exogenous_of(jumps(correlation=0.7, common=False), tick=60.0, ticks=ticks), ticks
    )[:, [BTC, ETH]]
    both = (own != 0.0).all(axis=1).sum()
    assert both < 0.2 * (own[:, 0] != 0.0).sum()


def test_jumps_leave_the_diffusion_alone_and_intensity_only_moves_them() -> None:
    dense = dict(volatility=0.5, intensity=5_000)
    flat = asset_returns(exogenous_of(jumps(**{**dense, "intensity": 1e-9})))
    some = asset_returns(exogenous_of(jumps(**dense)))
    changed = (flat != some).any(axis=1)
    assert 0 < changed.sum() < 50
    many, few = (
        asset_returns(exogenous_of(jumps(intensity=i), ticks=20_000), 20_000)[:, BTC]
        for i in (200, 100)
    )
    few = few[few != 0.0]
    np.testing.assert_array_equal(many[many != 0.0][: len(few)], few)


@pytest.mark.parametrize("common", [True, False])
def test_jump_sizes_are_normal_in_logs(common: bool) -> None:
    ticks = 20_001
    returns = asset_returns(
        exogenous_of(jumps(common=common, intensity=1_440), tick=1.0, ticks=ticks), ticks
    )
    for asset in (BTC, ETH):
        sizes = returns[returns[:, asset] != 0.0, asset]
        assert len(sizes) > 250  # of about 333; one in 120 ticks holds two
        sizes = sizes[sizes > -0.05]
        assert stats.kstest(sizes, stats.norm(-0.02, 0.01).cdf).pvalue > 0.001
        assert sizes.std() == pytest.approx(0.01, rel=4 / math.sqrt(2 * len(sizes)))


@pytest.mark.parametrize("common", [True, False])
def test_jumps_of_an_asset_ignore_which_others_move(common: bool) -> None:
    both = asset_returns(exogenous_of(jumps(common=common, intensity=4_000)))
    alone = asset_returns(exogenous_of(jumps(common=common, intensity=4_000, assets=["ETH"])))
    assert both[:, ETH].any()
    np.testing.assert_array_equal(alone[:, ETH], both[:, ETH])


@pytest.mark.parametrize("common", [True, False])
def test_jumps_of_a_longer_run_begin_the_same(common: bool) -> None:
    short = asset_returns(exogenous_of(jumps(common=common, intensity=4_000), ticks=1_000), 1_000)
    long = asset_returns(exogenous_of(jumps(common=common, intensity=4_000), ticks=9_000), 1_000)
    assert np.count_nonzero(short) > 20
    np.testing.assert_array_equal(short, long)


def test_jump_diffusion_without_a_tick() -> None:
    assert not asset_returns(exogenous_of(jumps(at=9.2, until=9.8, intensity=1e6))).any()
