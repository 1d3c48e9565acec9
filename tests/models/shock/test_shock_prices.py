"""Jump, ramp and path: exact sums, the right ticks, the right markets."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from sim.core.errors import ScenarioError
from tests.models.shock.world import (
    ALPHA_BTC,
    ALPHA_ETH,
    BETA_BTC,
    BETA_ETHBTC,
    BTC,
    USDT,
    asset_returns,
    exogenous_of,
    market_returns,
)


def jump(at: float = 5.0, asset: str = "BTC", size: float = -0.12, **more: object) -> dict:
    return {"kind": "jump", "at": at, "asset": asset, "return": size, **more}


def ramp(at: float, duration: float, size: float = -0.12, asset: str = "BTC") -> dict:
    return {"kind": "ramp", "at": at, "duration": duration, "asset": asset, "return": size}


def path(points: list[list[float]], asset: str = "BTC", **more: object) -> dict:
    return {"kind": "path", "asset": asset, "points": points, **more}


def test_jump_moves_base_up_quote_down_and_nothing_else() -> None:
    returns = market_returns(exogenous_of(jump()))
    expected = np.zeros((100, 4))
    expected[5, [ALPHA_BTC, BETA_BTC]] = math.log(0.88)
    expected[5, BETA_ETHBTC] = -math.log(0.88)
    np.testing.assert_allclose(returns, expected, rtol=0, atol=1e-15)


def test_fall_of_the_quote_raises_every_market_quoted_in_it() -> None:
    returns = market_returns(exogenous_of(jump(asset="USDT", size=-0.05)))
    np.testing.assert_allclose(returns[5], -math.log(0.95) * np.array([1, 1, 1, 0]), atol=1e-15)


def test_base_and_quote_moving_alike_leave_their_market() -> None:
    returns = market_returns(exogenous_of(jump(asset="ETH"), jump(asset="BTC")))
    assert returns[5, BETA_ETHBTC] == 0.0
    assert returns[5, ALPHA_ETH] == returns[5, ALPHA_BTC] == math.log1p(-0.12)


def test_jump_on_one_venue_stays_there_and_spares_the_asset() -> None:
    exogenous = exogenous_of(jump(venue="beta"))
    expected = math.log(0.88) * np.array([0, 0, 1, -1])
    np.testing.assert_allclose(exogenous.log_returns(5), expected, atol=1e-15)
    assert not exogenous.asset_log_returns(5).any()
    np.testing.assert_array_equal(exogenous.log_return_rows(4, 6)[1], exogenous.log_returns(5))


def test_shocks_everywhere_and_on_a_venue_add() -> None:
    exogenous = exogenous_of(jump(size=0.5), jump(size=-0.5, venue="alpha"), jump(size=0.25))
    everywhere = math.log(1.5) + math.log(1.25)
    expected = [everywhere + math.log(0.5), 0.0, everywhere, -everywhere]
    np.testing.assert_allclose(exogenous.log_returns(5), expected, atol=1e-15)
    assert exogenous.asset_log_returns(5)[BTC] == pytest.approx(everywhere, abs=1e-15)


@pytest.mark.parametrize(
    ("at", "tick", "struck"),
    [(0.0, 1.0, 0), (4.0, 1.0, 4), (4.1, 1.0, 5), (0.3, 0.1, 3), (0.7, 0.1, 7), (98.5, 1.0, 99)],
)
def test_jump_strikes_at_the_first_tick_at_or_after(at: float, tick: float, struck: int) -> None:
    returns = market_returns(exogenous_of(jump(at=at), tick=tick))
    assert np.flatnonzero(returns.any(axis=1)).tolist() == [struck]


def test_jump_after_the_last_tick_never_happens() -> None:
    exogenous = exogenous_of(jump(at=99.5))
    assert not market_returns(exogenous).any()
    assert exogenous.steady_until(0) == 100
    assert exogenous.marks() == []


@pytest.mark.parametrize("size", [-0.999_999_999, -1 + 2**-53, 1e6, 1e-15])
def test_extreme_returns_are_exact(size: float) -> None:
    total = asset_returns(exogenous_of(jump(size=size)))[:, BTC].sum()
    assert math.isfinite(total)
    assert math.expm1(total) == pytest.approx(size, rel=1e-12)
    spread = asset_returns(exogenous_of(ramp(3, 17, size)))[:, BTC].sum()
    assert spread == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize(
    ("at", "duration", "first", "last"),
    [
        (10.0, 5.0, 11, 15),
        (0.0, 1.0, 1, 1),
        (10.0, 0.5, 11, 11),
        (10.5, 2.0, 12, 13),
        (10.2, 0.5, 11, 11),  # begins and ends between two ticks
        (0.0, 99.0, 1, 99),
    ],
)
def test_ramp_is_even_and_complete(at: float, duration: float, first: int, last: int) -> None:
    returns = asset_returns(exogenous_of(ramp(at, duration)))[:, BTC]
    moved = np.flatnonzero(returns)
    assert (moved[0], moved[-1], len(moved)) == (first, last, last - first + 1)
    assert np.ptp(returns[moved]) == 0.0
    assert math.fsum(returns) == pytest.approx(math.log(0.88), abs=1e-12)


def test_long_ramp_telescopes() -> None:
    ticks = 50_000
    exogenous = exogenous_of(ramp(7, 43_210), ticks=ticks)
    total = 0.0
    for tick in range(ticks):
        total += exogenous.log_returns(tick)[ALPHA_BTC]
    assert total == pytest.approx(math.log(0.88), abs=1e-12)


def test_ramp_beyond_the_horizon_is_cut_off_not_squeezed() -> None:
    returns = asset_returns(exogenous_of(ramp(49, 100)))[:, BTC]
    assert math.fsum(returns) == pytest.approx(math.log(0.88) * 50 / 100, abs=1e-12)


def test_path_follows_its_prices() -> None:
    points = [[10, 50.0], [20, 40.0], [20.5, 80.0], [60, 25.0]]
    returns = asset_returns(exogenous_of(path(points)))[:, BTC]
    times, prices = np.array(points).T
    level = np.exp(np.cumsum(returns)) * 50.0
    np.testing.assert_allclose(level, np.interp(np.arange(100.0), times, prices), rtol=1e-12)
    assert not returns[:11].any()
    assert not returns[61:].any()
    assert math.fsum(returns) == pytest.approx(math.log(0.5), abs=1e-12)


def test_path_is_linear_in_price_not_in_its_logarithm() -> None:
    returns = asset_returns(exogenous_of(path([[0, 100.0], [2, 50.0]])))[:, BTC]
    np.testing.assert_allclose(returns[:3], [0.0, math.log(0.75), math.log(50 / 75)], atol=1e-15)


def test_path_off_the_grid_is_read_at_the_ticks() -> None:
    returns = asset_returns(exogenous_of(path([[0.5, 100.0], [2.5, 300.0]], at=3)))[:, BTC]
    level = 100.0 * np.exp(np.cumsum(returns))
    np.testing.assert_allclose(level[2:8], [100, 100, 150, 250, 300, 300], rtol=1e-14)


def test_path_scale_does_not_matter() -> None:
    one = asset_returns(exogenous_of(path([[0, 1.0], [30, 2.0]])))
    many = asset_returns(exogenous_of(path([[0, 1024.0], [30, 2048.0]])))
    np.testing.assert_array_equal(one, many)


def test_path_longer_than_the_run_is_cut_off() -> None:
    returns = asset_returns(exogenous_of(path([[0, 1.0], [198, 3.0]])))[:, BTC]
    assert math.fsum(returns) == pytest.approx(math.log(2.0), abs=1e-12)


def test_path_that_begins_after_the_run_does_nothing() -> None:
    assert not asset_returns(exogenous_of(path([[500, 1.0], [501, 2.0]]))).any()


def test_path_on_one_venue_and_of_a_quote() -> None:
    points = [[0, 1.0], [10, 0.9]]
    assert not market_returns(exogenous_of(path(points, venue="alpha")))[:, 2:].any()
    depeg = exogenous_of(path(points, asset="USDT"))
    assert asset_returns(depeg)[:, USDT].sum() == pytest.approx(math.log(0.9), abs=1e-12)
    np.testing.assert_allclose(
        market_returns(depeg).sum(axis=0), -math.log(0.9) * np.array([1, 1, 1, 0]), atol=1e-12
    )


def test_path_from_a_file_is_the_path_from_its_points(tmp_path: Path) -> None:
    (tmp_path / "btc.csv").write_text("time,price\n0,100\n10.5,80\n40,90\n")
    shock = {"kind": "path", "asset": "BTC", "file": "btc.csv", "at": 5}
    read = asset_returns(exogenous_of(shock, base_dir=str(tmp_path)))
    written = asset_returns(exogenous_of(path([[0, 100], [10.5, 80], [40, 90]], at=5)))
    np.testing.assert_array_equal(read, written)
    assert read[:, BTC].sum() == pytest.approx(math.log(0.9), abs=1e-12)


def test_dates_of_a_file_count_from_the_start_of_the_clock(tmp_path: Path) -> None:
    (tmp_path / "btc.csv").write_text(
        "time,price\n2026-01-01T00:00:10Z,100\n2026-01-01T00:00:12Z,50\n"
    )
    shock = {"kind": "path", "asset": "BTC", "file": "btc.csv"}
    returns = asset_returns(exogenous_of(shock, base_dir=str(tmp_path)))[:, BTC]
    np.testing.assert_allclose(returns[10:13], [0.0, math.log(0.75), math.log(50 / 75)], atol=1e-15)


def test_missing_file_of_a_path_is_refused(tmp_path: Path) -> None:
    shock = {"kind": "path", "asset": "BTC", "file": "nothing.csv"}
    with pytest.raises(ScenarioError, match=r"nothing\.csv"):
        exogenous_of(shock, base_dir=str(tmp_path))
