"""Limits, blocks, steps and cool-downs in random worlds: what due finds is what full finds.

Runs check every invariant after every phase and generation.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.agreement import assert_same, both_ways, examples
from tests.engine.random_worlds import Dice, worlds


def paced_rule(dice: Dice, tiers: int) -> dict:
    kinds = ["full", "partial", "to_target", "per_block", *(["tier_steps"] * (tiers > 1))]
    kind = dice.pick(*kinds)
    rule = {"kind": kind, "takes_remainder": dice.often()}
    if dice.often():
        rule["price_band"] = dice.pick(0.001, 0.02, 0.3)
    if kind != "per_block":
        rule |= {"latency": dice.pick(0, 0, 1, 3), "fee_bps": dice.pick(0, 50, 500)}
    if kind == "partial":
        rule |= {"slice": dice.pick(0.2, 0.3, 1), "target_ratio": dice.pick(1, 1.5)}
        rule |= {"above": dice.pick(0, 500), "whole_within": dice.pick(0, 2, 5)}
    if kind == "to_target":
        rule |= {"target_ratio": dice.pick(1, 1.5), "buffer": dice.pick(0, 0.02, 0.3)}
        rule |= {"most_share": dice.pick(1, 0.3, 0.1)}
    if kind == "tier_steps":
        rule |= {"drop": dice.whole(1, tiers - 1), "from_tier": dice.whole(1, tiers)}
        if dice.often():
            rule["rounds"] = 1
    if kind == "per_block":
        rule |= {"block": dice.pick(0.3, 1, 2.5), "share": dice.pick(0.1, 1), "least": 50}
        rule |= {"most_account": dice.pick(100, 1e5), "most_fund_loss": dice.pick(1, 1e6)}
        rule |= {"spread_to_maintenance": dice.pick(0, 1.5, 5)}
    return rule


@st.composite
def paced_worlds(draw):
    world = draw(worlds())
    dice = Dice(draw)
    for venue in world["venues"].values():
        venue["liquidation"] = paced_rule(dice, len(venue["margin"]["tiers"]))
    return world


def check_bands(result, world):
    """Assert that no forced order trades beyond the band of its venue."""
    rules = {name: venue["liquidation"] for name, venue in world["venues"].items()}
    table = result.liquidations
    table = table[(table["kind"] == "market") & (table["quantity"] != 0.0)]
    band = table["clearer"].map(lambda name: rules[name].get("price_band", np.inf)).astype(float)
    worse = np.sign(table["quantity"]) * (table["close_out_price"] / table["mark_price"] - 1.0)
    assert (worse <= band + 1e-9).all()


@examples(max_examples=15)
@given(world=paced_worlds())
def test_due_and_full_agree_and_no_forced_order_trades_beyond_its_band(folder, world):
    full, due = both_ways(world, folder)
    assert_same(full, due)
    check_bands(due, world)


@pytest.mark.slow
@pytest.mark.timeout(900)
@examples(max_examples=300)
@given(world=paced_worlds())
def test_due_and_full_agree_on_many(folder, world):
    full, due = both_ways(world, folder)
    assert_same(full, due)
    check_bands(due, world)
