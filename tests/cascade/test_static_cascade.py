"""The batch-round map of a state is what a run does with one jump and no time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim
from sim.cascade.direction import Direction
from sim.engine.state import state
from tests.cascade.timeless_worlds import COUNTERFACTUALS, TimelessWorld

WORLDS = [*range(16), 46, 72]
"""In the last two accounts that sell slices become whole and break again."""


def compare(number: int, folder: Path, **fields: Any) -> int:
    """Hold the map of one world against a run of it; return the number of batches."""
    world = TimelessWorld(number)
    before = state(world.load(folder, **fields))
    cascade = before.cascade
    outcome = cascade.run(Direction(world.fall, cascade.prices).move(1.0))
    result = sim.run(world.load(folder, shocks=world.shocks(), **fields), check=True)
    ends = result.prices.set_index(result.prices["venue"] + "/" + result.prices["symbol"])
    there = ends.loc[cascade.prices.markets, "last_price"].to_numpy()
    assert outcome.last == pytest.approx(there, rel=1e-9)
    orders = result.liquidations[result.liquidations["kind"] == "market"]
    broken = before.accounts["account_id"][outcome.broken]
    assert set(broken) == set(orders["account_id"])
    sold = orders.assign(market=orders["venue"] + "/" + orders["symbol"])
    sold = sold.groupby(["account_id", "market"])["quantity"].sum().abs()
    places = pd.MultiIndex.from_frame(before.positions[["account_id", "market"]])
    closed = sold.reindex(places, fill_value=0.0).to_numpy()
    assert outcome.sold == pytest.approx(closed, rel=1e-7, abs=1e-9)
    return outcome.rounds


def test_the_map_ends_where_a_run_ends(tmp_path: Path) -> None:
    """Prices, accounts and quantities, for every liquidation rule, mark, impact and coupling."""
    rounds = [compare(number, tmp_path / str(number)) for number in WORLDS]
    assert np.mean(np.array(rounds) >= 3) > 0.5, rounds


@pytest.mark.parametrize("what", COUNTERFACTUALS)
def test_counterfactual_worlds(tmp_path: Path, what: dict[str, Any]) -> None:
    """Silenced, spared and ring-fenced venues are so in the map as well."""
    for number in (1, 3, 23, 26):
        compare(number, tmp_path / str(number), counterfactual=what)


@pytest.mark.slow
def test_the_map_ends_where_a_run_ends_often(tmp_path: Path) -> None:
    for number in range(16, 150):
        compare(number, tmp_path / str(number))


@pytest.mark.parametrize("number", range(5))
def test_the_order_of_accounts_is_nothing(tmp_path: Path, number: int) -> None:
    world = TimelessWorld(number)
    found = []
    for listed in (world.accounts, world.accounts[::-1]):
        before = state(world.load(tmp_path, listed))
        outcome = before.cascade.run(Direction(world.fall, before.cascade.prices).move(0.9))
        ladder = before.liquidation_ladder(asset="BTC", moves=[-0.1, -0.05, 0.05])
        matrix = before.amplification(window=0.05).matrix
        found.append((outcome.last, outcome.sold, ladder["notional"], matrix))
    for one, other in zip(*found, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))
