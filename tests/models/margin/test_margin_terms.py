"""Margin by tier, size, open interest and ratio: published figures, and what always holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim.models.margin import MarginTables
from sim.schema import Venue, list_presets

PRICES = {"BTC": 100_000.0, "ETH": 4_000.0, "SOL": 150.0}


def world(rules, bases=("BTC",), listed="perpetual", **venue):
    """Return a scenario of one venue with a perpetual, or collateral, on each base."""
    given_ = {} if rules is None else {"margin": {"kind": "cross", **rules}}
    return sim.Scenario.model_validate(
        {
            "schema_version": 1,
            "name": "margin",
            "clock": {"tick": 1, "horizon": 1},
            "assets": {"USDT": {"price": 1}}
            | {b: {"price": PRICES.get(b, 1.0), "volatility": 0.5} for b in bases},
            "venues": {"one": {**given_, **venue}},
            "markets": [
                {
                    "venue": "one", "symbol": f"{base}-PERP", "kind": listed, "base": base,
                    "quote": "USDT", "impact": {"kind": "none"},
                }
                for base in bases
            ],
            "traders": [],
        }
    )  # fmt: skip


def tables(margin, bases=("BTC",), **venue):
    return MarginTables.from_scenario(world(margin, bases, **venue))


def margins(table, size, price, market=0, **kwargs):
    """Return initial and maintenance margin of one position."""
    at = np.zeros(1, dtype=np.int64), np.full(1, market)
    size = np.array([float(size)])
    initial = table.initial_margin(*at, size * price, size, **kwargs)
    return initial.item(), table.maintenance_margin(*at, size * price, size).item()


DERIBIT = {"maintenance_rate": 0.01, "initial_rate": 0.02, "size_rate": {"BTC": 0.00005}}


@pytest.mark.parametrize(
    ("size", "initial", "maintenance"), [(25, 53_125.0, 28_125.0), (350, 1_312_500.0, 962_500.0)]
)
def test_deribit_adds_to_the_rate_per_coin(size, initial, maintenance):
    assert margins(tables(DERIBIT), size, 100_000.0) == pytest.approx((initial, maintenance))
    # 350 BTC need 13.125 BTC at any price.
    assert margins(tables(DERIBIT), 350, 60_000.0)[0] / 60_000.0 == pytest.approx(13.125)


@pytest.mark.parametrize(("size", "rate"), [(10_000, 0.085), (100, 0.05)])
def test_drift_lays_the_root_of_the_size_on_four_fifths_of_the_rate(size, rate):
    rules = {"maintenance_rate": 0.05, "initial_rate": 0.05, "size_root": 0.00045}
    both = margins(tables(rules, ["SOL"]), size, 150.0)
    assert both == pytest.approx((rate * size * 150.0,) * 2)


@pytest.mark.parametrize(
    ("open_interest", "rate"), [(0, 0.1), (20e6, 0.1), (35e6, 0.55), (50e6, 1.0), (90e6, 1.0)]
)
def test_dydx_scales_the_initial_rate_with_open_interest(open_interest, rate):
    rules = {
        "maintenance_rate": 0.05,
        "initial_rate": 0.1,
        "open_interest_scaling": {"SOL": {"lower": 20e6, "upper": 50e6}},
    }
    table = tables(rules, ["SOL"])
    interest = np.array([float(open_interest)])
    initial, maintenance = margins(table, 10, 150.0, open_interest=interest)
    assert (initial, maintenance) == pytest.approx((rate * 1500.0, 75.0))
    assert margins(table, 10, 150.0)[0] == pytest.approx(150.0)  # nothing scales at the start


def test_scaling_by_open_interest_never_lowers_a_rate_and_concerns_its_market_alone():
    rules = {
        "maintenance_rate": 0.8,
        "open_interest_scaling": {"SOL-PERP": {"lower": 1, "upper": 2}},
    }
    table = tables(rules, ["SOL", "BTC"])
    interest = np.array([5.0, 5.0])
    assert margins(table, 1, 100.0, 0, open_interest=interest)[0] == pytest.approx(160.0)
    assert margins(table, 1, 100.0, 1, open_interest=interest)[0] == pytest.approx(160.0)
    low = tables({**rules, "maintenance_rate": 0.1}, ["SOL", "BTC"])
    assert margins(low, 1, 100.0, 0, open_interest=interest)[0] == pytest.approx(100.0)
    assert margins(low, 1, 100.0, 1, open_interest=interest)[0] == pytest.approx(20.0)


def test_a_symbol_takes_precedence_over_a_base():
    table = tables({"maintenance_rate": 0.01, "size_rate": {"BTC": 0.5, "BTC-PERP": 0.001}})
    assert margins(table, 2, 10.0)[1] == pytest.approx(20.0 * (0.01 + 0.002))


def test_an_account_is_not_opened_below_the_ratio_at_which_it_is_liquidated():
    rules = {"maintenance_rate": 0.1, "initial_rate": 0.102, "liquidation_ratio": 1.05}
    assert margins(tables(rules), 1, 100.0) == pytest.approx((10.5, 10.0))
    assert margins(tables({**rules, "initial_rate": 0.2}), 1, 100.0)[0] == pytest.approx(20.0)


@st.composite
def ladders(draw):
    count = draw(st.integers(1, 6))
    rates = sorted(draw(st.lists(st.floats(0, 0.99), min_size=count, max_size=count)))
    steps = draw(st.lists(st.floats(1, 1e7), min_size=count - 1, max_size=count - 1))
    floors = np.concatenate([[0.0], np.cumsum(steps)])
    return {
        "tiers": [{"floor": f, "rate": r} for f, r in zip(floors.tolist(), rates, strict=True)],
        "size_rate": draw(st.sampled_from([0.0, 1e-5, 0.01])),
        "size_root": draw(st.sampled_from([0.0, 1e-4, 0.05])),
    }


def assert_continuous_and_rising(table, price, market=0):
    """At every floor, between floors, and beyond them; as price rises and as size rises."""
    floors = table.floor[0, market]
    floors = floors[np.isfinite(floors) & (floors > 0.0)]
    top = floors.max(initial=1e3)
    grid = np.unique(np.concatenate([floors, np.linspace(0.0, 3.0 * top, 301)]))
    for by_price in (True, False):
        base = top / price
        notional = grid
        size = np.full_like(grid, base) if by_price else grid / price
        at = np.zeros(len(grid), dtype=np.int64), np.full(len(grid), market)
        needed = table.maintenance_margin(*at, notional, size)
        scale = 1e-9 * (1.0 + needed.max())
        assert (needed >= -scale).all()
        assert (np.diff(needed) >= -scale).all()
        for nudge in (1.0 - 1e-12, 1.0 + 1e-12):
            moved = table.maintenance_margin(
                *at, notional * nudge, size if by_price else size * nudge
            )
            np.testing.assert_allclose(moved, needed, rtol=1e-9, atol=scale)
        # No kink bends down: each step of the same notional needs at least as much as the one
        # before it.
        even = np.linspace(0.0, 3.0 * top, 301)
        size = np.full_like(even, base) if by_price else even / price
        at = np.zeros(len(even), dtype=np.int64), np.full(len(even), market)
        steps = np.diff(table.maintenance_margin(*at, even, size))
        assert (np.diff(steps) >= -scale).all()


@given(rules=ladders(), price=st.sampled_from([0.01, 1.0, 1e5]))
def test_maintenance_margin_is_continuous_and_rises_ever_faster(rules, price):
    assert_continuous_and_rising(tables(rules), price)


@pytest.mark.parametrize("preset", list_presets())
def test_every_ladder_of_a_preset_is_continuous_and_rises(preset):
    margin = Venue(preset=preset).margin
    kind, keys = "perpetual", list(margin.tiers) if isinstance(margin.tiers, dict) else []
    bases = sorted({key.split("-")[0] for key in keys} | {"BTC"})
    if margin.loans is not None:
        kind, bases = "collateral", sorted(margin.loans)
    for more in ({}, {"size_rate": 1e-4}, {"size_root": 1e-3}):
        place = {"preset": preset, "margin": more} if more else {"preset": preset}
        table = MarginTables.from_scenario(world(None, bases, kind, **place))
        for market, base in enumerate(bases):
            assert_continuous_and_rising(table, PRICES.get(base, 1.0), market)
