"""Calm stretches go on under the rules of every bundled venue, and change nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import sim
from sim.engine.model import LiquidationModel
from sim.kernels.compiling import HAS_NUMBA
from sim.schema import list_presets, load_mapping
from tests.engine.agreement import assert_same

PRICES = {"BTC": 100_000, "ETH": 4_000, "SOL": 200, "WETH": 4_000}
LENDING = ("aave-v3", "compound-v3", "crvusd", "maker-sky", "morpho-blue")
FUTURES = ("cme-futures", "us-equities")


def world(preset: str, shocks: tuple[Any, ...] = (), **fields: Any) -> dict[str, Any]:
    """Return a noisy world under the rules of one preset: accounts with much to spare."""
    bases = ["WETH"] if preset in LENDING else ["BTC", "ETH", "SOL"]
    kind = "collateral" if preset in LENDING else "perpetual"
    if preset in FUTURES:
        bases, kind = ["BTC"], "future"
    book = {"kind": "square_root", "y": 0.7, "adv": 1e9, "resilience_half_life": "2min"}
    listed = [
        {"venue": "v", "symbol": f"{b}-X", "kind": kind, "base": b, "quote": "USD", "impact": book}
        for b in bases
    ]
    return {
        "schema_version": 1,
        "name": "calm",
        "seed": 3,
        "clock": {"tick": "1s", "horizon": "20min"},
        "record": {"every": "20s"},
        "assets": {
            "USD": {"price": 1},
            **{b: {"price": PRICES[b], "volatility": 0.5} for b in bases},
        },
        "venues": {"v": {"preset": preset, **fields}},
        "markets": listed,
        "traders": [
            {
                "cohort": "calm",
                "count": 100,
                "venues": {"v": 1},
                "equity": {"dist": "pareto", "alpha": 1.2, "min": 20_000, "max": 2e6},
                "leverage": {"dist": "uniform", "min": 1.1, "max": 1.4},
            }
        ],
        "shocks": [{"kind": "gbm"}, *shocks],
        "engine": {},
    }


def run(data: dict[str, Any], monkeypatch: Any, mode: str = "due") -> tuple[sim.Result, Counter]:
    """Run a world; return its result and how many ticks ran each phase."""
    count: Counter[str] = Counter()

    def counting(self: LiquidationModel, number: int, phase: str | None = None) -> None:
        count[phase or "whole"] += 1
        tick(self, number, phase)

    tick = LiquidationModel.tick
    data["engine"]["margin_check"] = mode
    with monkeypatch.context() as patch:
        patch.setattr(LiquidationModel, "tick", counting)
        return sim.run(load_mapping(data, ".")), count


@pytest.mark.skipif(not HAS_NUMBA, reason="calm stretches are compiled")
@pytest.mark.parametrize("preset", list_presets())
def test_a_calm_venue_steps_through_nearly_all_ticks(monkeypatch, preset):
    data = world(preset)
    data["clock"]["horizon"] = "16min"
    due, ordinary = run(data, monkeypatch)
    assert due.summary["accounts_liquidated"] == 0
    assert sum(ordinary.values()) <= 5
    full, every = run(data, monkeypatch, "full")
    assert every["whole"] == 960
    assert_same(due, full)


CRASH = ({"kind": "ramp", "at": "10min", "duration": "1min", "asset": "BTC", "return": -0.5},)
OUTAGE = {"kind": "outage", "at": "4min", "duration": "1min", "venue": "v"}
LOANS = (
    {"kind": "ramp", "at": "5min", "duration": "1min", "asset": "WETH", "return": -0.2},
    {"kind": "ramp", "at": "8min", "duration": "2min", "asset": "WETH", "return": 0.2},
    {"kind": "jump", "at": "14min", "asset": "WETH", "return": -0.5},
)


@pytest.mark.parametrize(
    ("preset", "shocks", "leverage"),
    [
        ("hyperliquid", CRASH, (2, 8)),
        ("us-equities", CRASH, (1.1, 1.9)),
        ("us-equities", (*CRASH, OUTAGE), (1.1, 1.4)),
        ("crvusd", LOANS, (2, 6)),
    ],
)
def test_a_crash_after_calm_is_the_same_with_and_without_stretches(
    monkeypatch, preset, shocks, leverage
):
    data = world(preset, shocks)
    low, high = leverage
    data["traders"][0]["leverage"] = {"dist": "uniform", "min": low, "max": high}
    data["record"] = {"every": "7s"}
    due, ordinary = run(data, monkeypatch)
    assert not HAS_NUMBA or sum(ordinary.values()) < 1200 * 0.9
    assert_same(due, run(data, monkeypatch, "full")[0])


def test_the_previous_mark_of_adl_is_known_after_a_calm_stretch(monkeypatch):
    # Nobody's book: who is bankrupt after the jump is closed at the mark of the tick before it.
    data = world(
        "hyperliquid",
        ({"kind": "jump", "at": "601s", "asset": "BTC", "return": -0.6},),
        mark={"kind": "last"},
        waterfall=[
            {"kind": "adl", "order": "hyperliquid", "price": "previous_mark",
             "trigger": "negative_equity"},
        ],
    )  # fmt: skip
    data["traders"][0]["leverage"] = {"dist": "uniform", "min": 3, "max": 8}
    data["record"] = {"every": "1s"}
    rare = {**data, "record": {"every": "100s"}}
    often, seldom = run(data, monkeypatch)[0], run(rare, monkeypatch)[0]
    closed = seldom.liquidations.query("kind == 'adl' and symbol == 'BTC-X'")
    assert len(closed)
    marks = often.prices.query("symbol == 'BTC-X'").set_index("tick")["mark_price"]
    first = closed["tick"].min()
    at_once = closed[closed["tick"] == first]
    assert at_once["close_out_price"].to_numpy() == pytest.approx(marks[first - 1], rel=1e-12)
    assert abs(marks[first - 1] / marks[first - 2] - 1.0) > 1e-9
    assert_same(seldom, run(rare, monkeypatch, "full")[0])
