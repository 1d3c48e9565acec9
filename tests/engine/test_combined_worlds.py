"""Worlds in which all mechanisms meet: schedulers, kernels, conservation and losses agree.

Each mechanism has such tests of its own; these look for what two of them do to each other.
"""

from __future__ import annotations

import copy
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import sim
from sim.engine.board import MarketBoard
from tests.engine.combined_worlds import combined_worlds
from tests.engine.random_worlds import load
from tests.engine.test_random_waterfalls import check_losses

TABLES = ("liquidations", "venues", "prices", "price_causes", "cohorts", "mechanisms")

# A world is many choices, and shrinking one that fails takes minutes.
examples = partial(settings, phases=[Phase.generate], suppress_health_check=[*HealthCheck])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder whose book every example overwrites."""
    return tmp_path_factory.mktemp("worlds")


def play(world, folder, mode="due"):
    """Run a world with every invariant checked; a price that runs away is no counterexample."""
    variant = copy.deepcopy(world)
    variant["engine"]["margin_check"] = mode
    try:
        return sim.run(load(variant, folder), check=True)
    except sim.RunError as error:
        assume("ran away" not in str(error))
        raise


def assert_same(one, other):
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)


def check_all(world, folder, on_numpy):
    """Run a world in all ways and look at what must hold in each."""
    due = play(world, folder)
    assert_same(play(world, folder, "full"), due)
    assert_same(play(world, folder), due)
    try:
        on_numpy(True)
        plain = play(world, folder)
    finally:
        on_numpy(False)
    assert_same(plain, due)
    check_losses(due, world)
    check_tables(due)


def check_tables(result):
    """Check that figures are finite, prices positive, and causes what they explain."""
    for table in (result.venues, result.cohorts, result.liquidations, result.price_causes):
        assert np.isfinite(table.select_dtypes("number").to_numpy(dtype=float)).all()
    assert (result.prices[["last_price", "mark_price", "index_price"]] > 0.0).all().all()
    moved = result.price_causes.groupby(["venue", "symbol"])["price_move"].sum()
    for market, figures in result.summary["markets"].items():
        growth = np.log(figures["final_price"] / figures["initial_price"])
        assert moved.get(tuple(market.split("/")), 0.0) == pytest.approx(growth, abs=1e-11)


@examples(max_examples=5)
@given(world=combined_worlds())
def test_all_ways_of_running_agree(folder, sweeps, on_numpy, world):
    check_all(world, folder, on_numpy)


@pytest.mark.slow
@examples(max_examples=400)
@given(world=combined_worlds())
def test_all_ways_of_running_agree_often(folder, sweeps, on_numpy, world):
    check_all(world, folder, on_numpy)


@pytest.fixture
def orders(monkeypatch):
    """Check every batch: shut markets get no order, and no price goes through a limit."""
    seen, execute = [], MarketBoard.execute

    def watched(self, flow, move=True):
        before, tradable = self.last.copy(), self.tradable.copy()
        fills = execute(self, flow, move)
        for market, parts in flow.items() if move else ():
            assert tradable[market] or not any(parts.values()), parts
            kind = type(self.impact[market]).__name__
            if not self.banded or kind == "PowerImpact":  # whose cost goes beyond its price
                continue
            low = min(self.low[market], before[market]) * (1.0 - 1e-9)
            high = max(self.high[market], before[market]) * (1.0 + 1e-9)
            assert low <= fills.average[market] <= high, parts
            seen.append(market)
        return fills

    monkeypatch.setattr(MarketBoard, "execute", watched)
    return seen


@examples(max_examples=16)
@given(world=combined_worlds())
def test_nobody_trades_through_a_limit_or_a_halt(folder, orders, world):
    play(world, folder)


@pytest.mark.slow
@examples(max_examples=400)
@given(world=combined_worlds())
def test_nobody_trades_through_a_limit_or_a_halt_in_many_worlds(folder, orders, world):
    play(world, folder)


def shuffled(world, random):
    """Return a world whose books list accounts, balances and positions in another order."""
    turned = copy.deepcopy(world)
    for group in turned["traders"]:
        rows = group.get("accounts", [])
        random.shuffle(rows)
        for k, (account, trader, clearer, balances, positions) in enumerate(rows):
            random.shuffle(positions)
            rows[k] = (account, trader, clearer, dict(sorted(balances.items())), positions)
    return turned


def check_order_and_recording(world, folder, random):
    """Run a world recorded more or less often, and with its books in another order."""
    seldom, often = (play({**world, "record": {"every": n}}, folder) for n in (5, 1))
    assert seldom.liquidations.equals(often.liquidations)
    for name in ("prices", "mechanisms"):
        all_ticks, few = getattr(often, name), getattr(seldom, name)
        same = all_ticks[all_ticks["tick"].isin(few["tick"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(same, few.reset_index(drop=True), check_exact=True)
    turned = play({**shuffled(world, random), "record": {"every": 5}}, folder)
    assert turned.liquidations.equals(seldom.liquidations)
    assert turned.prices.equals(seldom.prices)


@examples(max_examples=6)
@given(world=combined_worlds(), random=st.randoms(use_true_random=False))
def test_neither_recording_nor_the_order_of_rows_matters(folder, world, random):
    check_order_and_recording(world, folder, random)


@pytest.mark.slow
@examples(max_examples=300)
@given(world=combined_worlds(), random=st.randoms(use_true_random=False))
def test_neither_recording_nor_the_order_of_rows_matters_often(folder, world, random):
    check_order_and_recording(world, folder, random)
