"""The batch-round map of a state is what a run does with one jump and no time."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import sim
from sim.cascade.direction import Direction
from sim.engine.state import state
from tests.engine.random_worlds import PRICES, Dice, impact, tiers
from tests.engine.small_worlds import build

examples = partial(
    settings, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow]
)

VENUES = ("alpha", "beta")


def rule(dice: Dice, steps: bool) -> dict[str, Any]:
    kind = dice.pick("full", "full", "partial", "to_target", *(["tier_steps"] * steps))
    extra = {
        "partial": {"slice": dice.pick(0.3, 1), "target_ratio": dice.pick(1, 1.5)},
        "to_target": {"target_ratio": dice.pick(1.03, 1.5), "buffer": dice.pick(0, 0.02)},
    }
    return {"kind": kind, **extra.get(kind, {})}


def venue(dice: Dice) -> dict[str, Any]:
    ladder = tiers(dice)
    return {
        "margin": {"kind": "cross", "tiers": ladder},
        "mark": {"kind": dice.pick("last", "index")},
        "liquidation": rule(dice, len(ladder) > 1),
        "collateral_price": dice.pick({}, {}, {"BTC": "par"}),
    }


def account(dice: Dice, number: int, markets: list[dict[str, Any]]) -> Any:
    chosen = [market for market in markets if dice.often()] or markets[:1]
    positions, gross = [], 0.0
    for market in chosen:
        money = dice.whole(10, 3000) * dice.pick(1, 1, -1)
        positions.append((f"{market['venue']}/{market['symbol']}", money / PRICES[market["base"]],
                          PRICES[market["base"]] * dice.pick(1, 0.9)))  # fmt: skip
        gross += abs(money)
    equity = gross * dice.pick(0.15, 0.2, 0.3, 0.5) + dice.whole(0, 50)
    balances = {"USDT": equity}
    if dice.seldom():
        balances = {"USDT": -equity, "BTC": 2.2 * equity / PRICES["BTC"]}
    return (f"a{number:02d}", f"t{number}", dice.pick(*VENUES), balances, positions)


@st.composite
def timeless_worlds(draw: Any) -> dict[str, Any]:
    """Return worlds without latency, fees, funds, memory of marks or isolated accounts."""
    dice = Dice(draw)
    markets = [
        {"venue": name, "symbol": f"{base}-PERP", "kind": "perpetual", "base": base, "quote": "USDT",
         "impact": impact(dice, PRICES[base])}
        for name in VENUES for base in ("BTC", "ETH")
    ]  # fmt: skip
    coupling = dice.pick(
        [], [{"kind": "cross_impact", "asset": "BTC", "phi": 0.4}],
        [{"kind": "arbitrage", "asset": "BTC", "kappa": 0.7},
         {"kind": "cross_impact", "asset": "ETH", "phi": 0.2}],
    )  # fmt: skip
    return {
        "accounts": [account(dice, n, markets) for n in range(dice.whole(2, 14))],
        "assets": {"USDT": {"price": 1}, "BTC": {"price": 100, "haircut": dice.pick(0, 0.1)},
                   "ETH": {"price": 10}},
        "venues": {name: venue(dice) for name in VENUES},
        "markets": markets,
        "coupling": coupling,
        "fall": {"BTC": dice.pick(-0.5, -0.2, -0.1, 0.2), "ETH": dice.pick(-0.3, 0.0, 0.1)},
    }  # fmt: skip


@examples(max_examples=60)
@given(timeless_worlds())
def test_the_map_ends_where_a_run_ends(tmp_path_factory, world):
    folder: Path = tmp_path_factory.mktemp("world", numbered=True)
    fall, accounts = world.pop("fall"), world.pop("accounts")
    shocks = [
        {"kind": "jump", "at": 0, "asset": name, "return": size} for name, size in fall.items() if size
    ]
    scenario = build(folder, accounts, **world, horizon=1)
    before = state(scenario)
    cascade = before.cascade
    moved = build(folder, accounts, **world, horizon=1, shocks=shocks)
    try:
        outcome = cascade.run(Direction(fall, cascade.prices).move(1.0))
        result = sim.run(moved, check=True)
    except sim.RunError as error:
        assume("ran away" not in str(error))
        assume("did not settle" not in str(error))
        raise
    ends = result.prices.set_index(result.prices["venue"] + "/" + result.prices["symbol"])
    there = ends.loc[cascade.prices.markets, "last_price"].to_numpy()
    assert outcome.last == pytest.approx(there, rel=1e-9)
    orders = result.liquidations
    orders = orders[orders["kind"] == "market"]
    broken = before.accounts["account_id"][outcome.broken]
    assert sorted(broken) == sorted(set(orders["account_id"]))
    sold = orders.assign(market=orders["venue"] + "/" + orders["symbol"])
    sold = sold.groupby(["account_id", "market"])["quantity"].sum().abs()
    places = pd.MultiIndex.from_frame(before.positions[["account_id", "market"]])
    closed = sold.reindex(places, fill_value=0.0).to_numpy()
    assert outcome.sold == pytest.approx(closed, rel=1e-7, abs=1e-9)


@examples(max_examples=15)
@given(timeless_worlds())
def test_the_order_of_accounts_is_nothing(tmp_path_factory, world):
    folder: Path = tmp_path_factory.mktemp("world", numbered=True)
    fall, accounts = world.pop("fall"), world.pop("accounts")
    found = []
    for listed in (accounts, accounts[::-1]):
        before = state(build(folder, listed, **world))
        outcome = before.cascade.run(Direction(fall, before.cascade.prices).move(0.9))
        found.append((outcome.last, outcome.sold, before.amplification().matrix.to_numpy()))
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)
