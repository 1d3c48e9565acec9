"""The plain programs simulate the day of the benchmarks exactly as the engine does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sim
from benchmarks.baselines import BASELINES, Opening, PlainNumpy
from benchmarks.contest import (
    DifferentResultError,
    Window,
    compete,
    crash_windows,
    quiet_windows,
    simulate,
)
from benchmarks.places import DAY
from benchmarks.sizes import CRASH_SECONDS, DAY_SECONDS, crash_of, day, positions
from benchmarks.stepped import SteppedDay
from benchmarks.worst import worst_case
from sim.engine.build import build_world

SHORT = 1_200


@pytest.mark.parametrize(
    ("name", "accounts", "ticks"),
    [("mesa", 800, 600), ("numpy", 1_500, SHORT), ("full_scan", 1_500, SHORT)],
)
def test_a_whole_day_is_the_same(name: str, accounts: int, ticks: int) -> None:
    engine = SteppedDay(day(accounts, ticks))
    (done,) = compete(engine, [Window(name, "whole", 0, ticks)])
    assert len(done.forced) > 0.03 * accounts
    assert len({row for _, row in done.forced}) == len(done.forced)
    assert done.expected.min() > 0.0
    assert np.abs(done.expected / engine.world.board.initial - 1.0).max() > 0.05


@pytest.mark.parametrize("name", ["numpy", "full_scan"])
def test_windows_in_the_middle_of_a_day_are_the_same(name: str) -> None:
    crash = crash_of(SHORT)
    windows = quiet_windows(name, (2, 100), crash, SHORT) + crash_windows(name, (2, 50), crash)
    done = compete(SteppedDay(day(1_500, SHORT)), windows)
    sold = {m.window.kind: sum(len(n.forced) for n in done if n.window.kind == m.window.kind)
            for m in done}  # fmt: skip
    assert len(done) == 4
    assert sold["crash"] > 20


def test_what_the_plain_programs_leave_in_the_accounts_is_what_the_engine_leaves() -> None:
    engine = SteppedDay(day(1_500, SHORT))
    opening = Opening.take(engine.world, 0, SHORT)
    engine.advance(SHORT)
    plain = PlainNumpy(opening)
    simulate(plain, Window("numpy", "whole", 0, SHORT))
    left = engine.world.ledger.balance[: engine.world.accounts, 0]
    assert (plain.balance != opening.balance).sum() > 50
    np.testing.assert_allclose(plain.balance, left, rtol=1e-9, atol=1e-6)


def test_another_result_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def richer(opening: Opening) -> PlainNumpy:
        return PlainNumpy(replace(opening, balance=opening.balance * 1.01))

    def cheaper(opening: Opening) -> PlainNumpy:
        wrong = opening.last * (1.0 + 1e-8)
        return PlainNumpy(replace(opening, last=wrong, anchor=wrong))

    crash = crash_of(SHORT)
    monkeypatch.setitem(BASELINES, "numpy", richer)
    with pytest.raises(DifferentResultError, match="liquidations"):
        compete(SteppedDay(day(1_500, SHORT)), [Window("numpy", "whole", 0, SHORT)])
    monkeypatch.setitem(BASELINES, "numpy", cheaper)
    with pytest.raises(DifferentResultError, match="apart in price"):
        compete(SteppedDay(day(1_500, SHORT)), quiet_windows("numpy", (1, 10), crash, SHORT))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("venues.alpha.waterfall.0", {"kind": "adl"}),
        ("venues.beta.mark", {"kind": "ema", "half_life": "30s"}),
        ("venues.alpha.liquidation.latency", "1s"),
        ("traders.0.behaviour", {"kind": "stop_loss", "trigger": 0.05}),
        ("coupling.0", {"kind": "arbitrage", "asset": "BTC", "kappa": 0.5}),
    ],
)
def test_rules_that_the_plain_programs_do_not_know_are_refused(key: str, value: object) -> None:
    counts = {"traders.0.count": 50, "traders.1.count": 50, "clock.horizon": "60s"}
    scenario = sim.load(DAY, {**counts, "shocks": [{"kind": "gbm"}], key: value})
    with pytest.raises(ValueError, match="simulate only"):
        Opening.take(build_world(scenario, 1), 0, 10)


def test_the_worst_case_moves_far_beyond_the_excess_and_is_the_same(tmp_path: Path) -> None:
    ticks = 100
    scenario = worst_case(1_000, ticks, tmp_path)
    engine = SteppedDay(scenario)
    world = engine.world
    excess = (world.out.equity - world.out.maintenance) / world.out.notional
    returns = np.abs([world.exogenous.log_returns(tick) for tick in range(2, ticks)])
    assert world.accounts == 1_000
    assert excess.min() > 0.0
    assert np.median(excess) * 4.0 < returns.min()
    (done,) = compete(engine, [Window("full_scan", "worst", 0, ticks)])
    assert len(done.forced) < 0.02 * world.accounts


def test_sizes_keep_the_proportions_of_the_day() -> None:
    full, small = sim.load(DAY), day(10_000, DAY_SECONDS)
    assert positions(full) == 3_500_000
    assert positions(small) == 35_000
    assert crash_of(DAY_SECONDS).stop - crash_of(DAY_SECONDS).first == CRASH_SECONDS
    for before, after in zip(full.markets, small.markets, strict=True):
        ratio = after.impact.model_dump()["adv"] / before.impact.model_dump()["adv"]
        assert ratio == pytest.approx(0.01)
    ramps = [shock for shock in full.shocks if shock.kind == "ramp"]
    assert [(s.at, s.duration) for s in ramps] == [
        (s.at, s.duration) for s in small.shocks if s.kind == "ramp"
    ]
    calm = day(10_000, 600, crash=False)
    assert {shock.return_ for shock in calm.shocks if shock.kind == "ramp"} == {0.0}


def test_windows_lie_where_they_should() -> None:
    crash = crash_of(DAY_SECONDS)
    quiet = quiet_windows("numpy", (6, 50), crash, DAY_SECONDS)
    crashing = crash_windows("numpy", (3, 30), crash)
    assert len(quiet) == 6
    for window in quiet:
        assert window.stop <= crash.first or window.start >= crash.stop
        assert 0 < window.start < window.stop <= DAY_SECONDS
    assert all(crash.first <= window.start < window.stop <= crash.stop for window in crashing)
    assert crash_windows("full_scan", (1, 300), crash) == [
        Window("full_scan", "crash", crash.first, crash.stop)
    ]
    with pytest.raises(ValueError, match="no room"):
        crash_windows("numpy", (4, 100), crash)
    with pytest.raises(ValueError, match="no room"):
        quiet_windows("numpy", (1, DAY_SECONDS), crash, DAY_SECONDS)
