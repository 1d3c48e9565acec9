"""Random worlds with margin by size and collateral priced locally: both schedulers, both twins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.agreement import check_all_ways, check_ways, examples
from tests.engine.random_worlds import PRICES, Dice, worlds


def by_name(dice, world, *values):
    """Return one number, or one for some of the bases."""
    if dice.often():
        return dice.pick(*values)
    return {base: dice.pick(*values) for base in PRICES if base in world["assets"]}


def local_prices(dice, world, name):
    """Give a venue local prices of collateral, and a spot market where it goes by its own."""
    prices = {}
    for base in PRICES:
        if base not in world["assets"]:
            continue
        prices[base] = dice.pick("index", "own", "own", "par")
        here = [m for m in world["markets"] if (m["venue"], m["base"]) == (name, base)]
        if prices[base] == "own" and not any(m.get("kind") == "spot" for m in here):
            impact = {"kind": "linear", "depth": 1e5, "resilience_half_life": 4}
            spot = {"symbol": f"{base}-SPOT", "kind": "spot", "base": base, "quote": "USDT"}
            world["markets"].append({"venue": name, **spot, "impact": impact})
    return prices


def margin_terms(dice, world, name):
    """Give a venue margin that depends on size, ratio or open interest, and local prices."""
    place = world["venues"][name]
    margin, rule = place["margin"], place["liquidation"]
    if dice.often():
        margin["size_rate"] = by_name(dice, world, 0.0, 0.001, 0.02)
    if dice.often():
        margin["size_root"] = by_name(dice, world, 0.0, 0.002, 0.03)
    if dice.often():
        ratio = margin["liquidation_ratio"] = dice.pick(1.02, 1.1)
        if rule["kind"] == "to_target":
            rule["target_ratio"] = max(rule["target_ratio"], ratio)
    if dice.often():
        scaling = {"lower": dice.pick(0, 500), "upper": 3000}
        margin["open_interest_scaling"] = {"BTC": scaling}
    if dice.often():
        place["collateral_price"] = local_prices(dice, world, name)


def coins_for_money(dice, world):
    """Turn a part of the money of some accounts into a coin, so that its price matters."""
    bases = [base for base in PRICES if base in world["assets"]]
    for group in world["traders"]:
        for number, row in enumerate(group.get("accounts", ())):
            if not row[4] or not dice.often():
                continue
            base, part = dice.pick(*bases), 0.7 * max(row[3].get("USDT", 0.0), 0.0)
            balances = {**row[3], "USDT": row[3].get("USDT", 0.0) - part}
            balances[base] = balances.get(base, 0.0) + part / PRICES[base]
            group["accounts"][number] = (*row[:3], balances, row[4])


@st.composite
def margined(draw):
    world = draw(worlds())
    dice = Dice(draw)
    for name in world["venues"]:
        margin_terms(dice, world, name)
    coins_for_money(dice, world)
    spots = [m for m in world["markets"] if m["kind"] == "spot"]
    for _ in range(dice.whole(0, 2) if spots else 0):
        at, fall = dice.pick(*spots), dice.pick(-0.6, -0.2, 0.3)
        here = {"venue": at["venue"]} if dice.often() else {}
        move = {"kind": "jump", "at": dice.pick(2, 5), "asset": at["base"], "return": fall}
        world["shocks"].append(move | here)
    return world


@examples(max_examples=12)
@given(world=margined())
def test_all_ways_agree(folder, world):
    check_ways(world, folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
@examples(max_examples=150)
@given(world=margined())
def test_all_ways_agree_on_many_worlds(folder, world):
    check_all_ways(world, folder)
