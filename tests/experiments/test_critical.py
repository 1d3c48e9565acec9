"""Estimates of critical shocks against brute force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sim
from sim.cascade import Criterion
from sim.engine.state import state
from sim.experiments import check_critical_shock, measured_critical_shock
from sim.experiments.critical import closed_shares
from tests.analytic.bench import ANALYTIC, pareto_book, venues_book
from tests.engine.small_worlds import FLAT, build, jump, linear, longs, perp, play, venue


def test_saddle_node_by_runs(tmp_path: Path) -> None:
    """L5 with k = 2 tips at 1/8; estimate and runs agree with it and with each other."""
    files = pareto_book(2000, 2.0, 0.0).write(tmp_path)
    scenario = sim.load(ANALYTIC / "pareto-leverage.yaml", files)
    rule = Criterion(tolerance=0.01, grid=4, most=0.2)
    table = check_critical_shock(scenario, [{"X": -1.0}], criterion=rule)
    row = table.iloc[0]
    assert row["criterion"] == row["estimate_criterion"] == "jump"
    assert row["measured"] == pytest.approx(0.125, rel=0.02)
    assert row["estimate"] == pytest.approx(0.125, rel=0.02)
    assert abs(row["error"]) < 0.01
    assert row["lower"] < row["measured"] < row["upper"]
    assert row["runs"] < 20


def test_two_venues_by_runs(tmp_path: Path) -> None:
    """L6: a fall on A alone, by the share closed on both; the scenario's own shock is left out."""
    files = venues_book(1000, {"a": 0.45, "b": 0.5}).write(tmp_path)
    scenario = sim.load(ANALYTIC / "cross-impact.yaml", {**files, "coupling.0.phi": 0.6})
    rule = Criterion(jump=0.3, share=0.2, tolerance=0.02, grid=1, most=0.1)
    table = check_critical_shock(scenario, [{"a/X": -1.0}], criterion=rule)
    assert table["criterion"].item() == "share"
    assert abs(table["error"].item()) < 0.02


def test_a_world_that_cannot_tip(tmp_path: Path) -> None:
    """Books without impact: sales cause nothing, and too few are broken by the shock itself."""
    scenario = build(tmp_path, longs((1, 500), (1, 600), (1, 5)), markets=[perp(impact=FLAT)])
    found = measured_critical_shock(
        scenario, {"BTC": -1.0}, criterion=Criterion(share=0.9, grid=2), horizon=2
    )
    assert found.shock.criterion == "none"
    assert found.runs["size"].tolist() == [0.0, 0.475, 0.95]
    assert found.runs["accounts"].tolist() == [1, 1, 1]
    assert (found.runs["induced"] == 0.0).all()
    assert found.runs["share"].iloc[-1] == pytest.approx(1 / 3)
    table = check_critical_shock(
        scenario, [{"BTC": -1.0}], criterion=Criterion(share=0.9, grid=2), horizon=2
    )
    assert table["error"].item() == 0.0


def test_a_whale_that_breaks_is_no_jump(tmp_path: Path) -> None:
    """Half of everything goes at once where it breaks, but no sale brings another about."""
    scenario = build(tmp_path, longs((10, 300), (10, 900)), markets=[perp(impact=linear(1e-9))])
    found = measured_critical_shock(
        scenario, {"BTC": -1.0}, criterion=Criterion(share=0.5, tolerance=0.01, grid=2), horizon=1
    )
    assert found.shock.criterion == "share"
    # 300 - 1000 s < 0.1 * 1000 (1 - s)
    assert found.shock.size == pytest.approx(200 / 900, rel=0.01)


def test_a_squeeze_that_finds_no_price_has_tipped(tmp_path: Path) -> None:
    """Shorts buy thousands of depths of an exponential book: no finite price, in map and run."""
    thin = {"kind": "exponential", "depth": 0.01, "floor": 0}
    book = longs((-10, 300), (-20, 700))
    scenario = build(tmp_path, book, markets=[perp(impact=thin)])
    rule = Criterion(tolerance=0.02, grid=4, most=0.5)
    row = check_critical_shock(scenario, [{"BTC": 1.0}], criterion=rule, horizon=1).iloc[0]
    assert row["criterion"] == row["estimate_criterion"] == "jump"
    # 300 - 1000 s < 100 (1 + s)
    assert row["measured"] == pytest.approx(200 / 1100, rel=0.02)
    assert abs(row["error"]) < 0.02


def test_deleveraging_closes_the_broken_account_and_another(tmp_path: Path) -> None:
    """Half of all notional is the bankrupt long's; the short that takes it is not broken."""
    book = [*longs((10, 300)), ("s", "ts", "one", {"USDT": 9000}, [("one/BTC-PERP", -10, 100)])]
    rules = {"one": venue(waterfall=[{"kind": "adl"}])}
    fields: dict[str, Any] = {"venues": rules, "markets": [perp(impact=FLAT)], "horizon": 2}
    result = play(tmp_path, book, **fields, shocks=[jump(-0.5, at=0)])
    assert set(result.liquidations["kind"]) == {"adl"}
    assert closed_shares(result, state(build(tmp_path, book, **fields))) == (0.5, 0.0)


@pytest.mark.parametrize(
    ("direction", "fields", "message"),
    [
        ({"one/BTC-PERP": -1.0}, {}, "moves one/BTC-PERP, one/BTC-SPOT together"),
        ({"one/DOGE": -1.0}, {}, "'one/DOGE' is unknown"),
        ({"BTC": -1.0}, {"horizon": 0.3}, "clock"),
        ({"BTC": -1.0}, {"criterion": Criterion(most=2.0)}, "most is 2.0"),
    ],
)
def test_bad_arguments(
    tmp_path: Path, direction: dict[str, float], fields: dict[str, Any], message: str
) -> None:
    spot = {"venue": "one", "symbol": "BTC-SPOT", "kind": "spot", "base": "BTC", "quote": "USDT",
            "impact": FLAT}  # fmt: skip
    scenario = build(
        tmp_path, longs((1, 500)), markets=[perp(impact=FLAT), spot], venues={"one": venue()}
    )
    with pytest.raises(ValueError, match=message):
        measured_critical_shock(scenario, direction, **fields)
