"""Depth, outage, calm stretches, marks and cost."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from sim.core.clock import TickClock
from sim.core.streams import Streams
from sim.models.shock import SHOCKS, build_exogenous
from tests.models.shock.world import exogenous_of, scenario_of

JUMP = {"kind": "jump", "at": 40, "asset": "BTC", "return": -0.1}
OUTAGE = {"kind": "outage", "venue": "beta", "at": 10, "duration": 5}


def depth(**more: object) -> dict:
    return {"kind": "depth", "at": 20, "factor": 0.25, **more}


def levels(*shocks: dict, tick: float = 1.0) -> np.ndarray:
    exogenous = exogenous_of(*shocks, tick=tick)
    return np.array([exogenous.liquidity(t) for t in range(100)])


def test_depth_lasts_from_at_to_until() -> None:
    found = levels(depth(until=30))
    expected = np.ones((100, 4))
    expected[20:30] = 0.25
    np.testing.assert_array_equal(found, expected)


def test_depth_for_ever_and_off_the_grid() -> None:
    np.testing.assert_array_equal(levels(depth(at=19.3))[:, 0], [1.0] * 20 + [0.25] * 80)
    found = levels(depth(at=0.55, until=1.15), tick=0.1)[:, 0]
    np.testing.assert_array_equal(found, [1.0] * 6 + [0.25] * 6 + [1.0] * 88)


@pytest.mark.parametrize("factor", [0.0, 0.25, 5.0])
def test_depth_recovers_by_half_lives(factor: float) -> None:
    found = levels(depth(until=30, recovery_half_life=5, factor=factor))[:, 0]
    assert (found[20:31] == factor).all()
    for halves in range(1, 10):
        left = (1.0 - factor) * 0.5**halves
        assert found[30 + 5 * halves] == pytest.approx(1.0 - left, rel=1e-12)
    assert (np.diff(found[30:]) * (1.0 - factor) > 0).all()


def test_recovery_counts_from_until_not_from_the_tick() -> None:
    found = levels(depth(until=29.5, recovery_half_life=0.5))[:, 0]
    assert found[29] == 0.25
    assert found[30] == pytest.approx(1 - 0.75 / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("where", "struck"),
    [
        ({}, [1, 1, 1, 1]),
        ({"asset": "BTC"}, [1, 0, 1, 0]),
        ({"venue": "alpha"}, [1, 1, 0, 0]),
        ({"symbol": "BTC-PERP"}, [1, 0, 1, 0]),
        ({"asset": "ETH", "venue": "beta"}, [0, 0, 0, 1]),
    ],
)
def test_depth_acts_where_it_fits(where: dict[str, str], struck: list[int]) -> None:
    found = levels(depth(**where))[50]
    np.testing.assert_array_equal(found, np.where(struck, 0.25, 1.0))


def test_depth_shocks_multiply() -> None:
    found = levels(depth(until=60), depth(at=30, until=50, factor=2.0, venue="alpha"))
    np.testing.assert_array_equal(found[40], [0.5, 0.5, 0.25, 0.25])
    np.testing.assert_array_equal(found[55], [0.25] * 4)
    np.testing.assert_array_equal(found[60], [1.0] * 4)


def test_liquidity_may_be_asked_in_any_order() -> None:
    exogenous = exogenous_of(depth(until=30, recovery_half_life=5))
    forward = [exogenous.liquidity(t).copy() for t in range(100)]
    order = np.random.default_rng(0).permutation(100)
    assert all((exogenous.liquidity(int(t)) == forward[t]).all() for t in order)


def test_outage_includes_its_beginning_and_not_its_end() -> None:
    exogenous = exogenous_of(OUTAGE)
    down = np.array([exogenous.outage(t) for t in range(100)])
    assert down.dtype == np.bool_
    assert not down[:, 0].any()
    assert np.flatnonzero(down[:, 1]).tolist() == [10, 11, 12, 13, 14]


@pytest.mark.parametrize(
    ("at", "duration", "ticks"),
    [(0, 1, [0]), (9.5, 2, [10, 11]), (9.2, 0.5, []), (98, 50, [98, 99])],
)
def test_outage_off_the_grid(at: float, duration: float, ticks: list[int]) -> None:
    exogenous = exogenous_of({**OUTAGE, "at": at, "duration": duration})
    assert [t for t in range(100) if exogenous.outage(t)[1]] == ticks


def test_overlapping_outages_last_until_the_later_end() -> None:
    exogenous = exogenous_of(OUTAGE, {**OUTAGE, "at": 12, "duration": 8})
    assert [t for t in range(100) if exogenous.outage(t)[1]] == list(range(10, 20))
    changes, tick = [], 0
    while (tick := exogenous.steady_until(tick)) < 100:
        changes.append(tick)
        tick += 1
        if tick == 100:
            break
    assert changes == [10, 20]


def test_steady_until_names_outages_and_books_that_empty_or_fill() -> None:
    exogenous = exogenous_of(
        JUMP,
        depth(until=30),
        depth(at=50, until=53, factor=0.0),
        OUTAGE,
        {**OUTAGE, "venue": "alpha", "at": 0, "duration": 1},
    )
    changed = []
    empty, outage = np.zeros(4, dtype=bool), np.zeros(2, dtype=bool)
    for tick in range(100):
        now = exogenous.liquidity(tick) == 0.0, exogenous.outage(tick)
        if (now[0] != empty).any() or (now[1] != outage).any():
            changed.append(tick)
        empty, outage = now
    assert changed == [0, 1, 10, 15, 50, 53]
    for tick in range(100):
        assert exogenous.steady_until(tick) == min((c for c in changed if c >= tick), default=100)


def test_rows_are_the_ticks_one_after_the_other() -> None:
    ramp = {"kind": "ramp", "at": 60, "duration": 3, "asset": "SOL", "return": 0.1}
    exogenous = exogenous_of(JUMP, ramp, {**JUMP, "venue": "beta", "at": 61})
    rows, assets = exogenous.log_return_rows(38, 70), exogenous.asset_log_return_rows(38, 70)
    for tick in range(38, 70):
        np.testing.assert_array_equal(rows[tick - 38], exogenous.log_returns(tick))
        np.testing.assert_array_equal(assets[tick - 38], exogenous.asset_log_returns(tick))
    assert (rows.any(axis=1).sum(), assets.any(axis=1).sum()) == (2, 4)


def test_world_without_shocks_is_still() -> None:
    exogenous = exogenous_of()
    assert exogenous.steady_until(0) == 100
    assert not exogenous.log_returns(99).any()
    assert (exogenous.liquidity(99) == 1.0).all()
    assert not exogenous.outage(99).any()
    assert exogenous.asset_log_returns(0).shape == (4,)
    assert exogenous.marks() == []


def test_shared_arrays_cannot_be_written() -> None:
    exogenous = exogenous_of(JUMP, depth(), OUTAGE)
    for tick in (0, 10, 20, 40):
        for ask in (
            exogenous.log_returns,
            exogenous.asset_log_returns,
            exogenous.liquidity,
            exogenous.outage,
        ):
            with pytest.raises(ValueError, match="read-only"):
                ask(tick)[0] = 1


@pytest.mark.parametrize("tick", [-1, 100])
def test_ticks_outside_the_run_are_refused(tick: int) -> None:
    exogenous = exogenous_of(JUMP)
    for ask in (
        exogenous.log_returns,
        exogenous.asset_log_returns,
        exogenous.liquidity,
        exogenous.outage,
        exogenous.steady_until,
    ):
        with pytest.raises(IndexError):
            ask(tick)


def test_marks_tell_what_happens_in_order() -> None:
    marks = exogenous_of(JUMP, depth(until=30, asset="BTC"), {**OUTAGE, "at": 10}).marks()
    assert [(m["time"], m["end"], m["kind"], m["label"]) for m in marks] == [
        (10.0, 15.0, "outage", "outage of beta"),
        (20.0, 30.0, "depth", "depth of BTC x 0.25"),
        (40.0, None, "jump", "BTC -10 %"),
    ]
    assert not any(mark["label_given"] for mark in marks)


def test_a_given_label_is_the_marks_label() -> None:
    marks = exogenous_of({**JUMP, "label": "tariff news"}, OUTAGE).marks()
    assert [(mark["label"], mark["label_given"]) for mark in marks] == [
        ("outage of beta", False),
        ("tariff news", True),
    ]


def test_every_kind_of_the_scenario_is_registered() -> None:
    assert sorted(SHOCKS) == sorted(
        ["depth", "gbm", "jump", "jump_diffusion", "outage", "path", "ramp"]
    )


def test_a_day_of_twenty_assets_is_cheap() -> None:
    scenario = scenario_of({"kind": "gbm"}, ticks=86_400)
    assets = {"USDT": scenario.assets["USDT"]}
    assets |= {f"A{k}": scenario.assets["BTC"] for k in range(20)}
    markets = [
        scenario.markets[0].model_copy(update={"base": f"A{k % 20}", "symbol": f"A{k}"})
        for k in range(60)
    ]
    wide = scenario.model_copy(update={"assets": assets, "markets": markets})
    tracemalloc.start()
    exogenous = build_exogenous(wide, TickClock(1.0, 86_400), Streams(0))
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 25e6
    assert peak < 80e6
    assert exogenous.log_returns(86_399).shape == (60,)


def test_calm_ticks_cost_next_to_nothing() -> None:
    exogenous = exogenous_of(JUMP, ticks=10_000)
    begin = time.perf_counter()
    for tick in range(10_000):
        exogenous.log_returns(tick)
    assert (time.perf_counter() - begin) / 10_000 < 3e-6
