"""Ways of liquidating that make no sense: each refusal names the place and what is allowed."""

from __future__ import annotations

import pytest

from sim.schema import load_text
from tests.schema.base import GOOD, problems

BETA = "liquidation: {kind: partial, slice: 20%, fee_bps: 50}"
PLACE = "venues.beta.liquidation"

CASES = [
    ("{kind: full, price_band: 0}", "price_band", "a number above 0"),
    ("{kind: full, price_band: 1}", "price_band", "a number below 1"),
    ("{kind: partial, slice: 0}", "slice", "a number above 0"),
    ("{kind: partial, above: -1}", "above", "a number of at least 0"),
    ("{kind: partial, whole_within: -1s}", "whole_within", "a number of at least 0"),
    ("{kind: to_target, buffer: -0.01}", "buffer", "a number of at least 0"),
    ("{kind: to_target, buffer: 1}", "buffer", "a number below 1"),
    ("{kind: to_target, most_share: 0}", "most_share", "a number above 0"),
    ("{kind: tier_steps, drop: 0}", "drop", "a number of at least 1"),
    ("{kind: tier_steps, from_tier: 0}", "from_tier", "a number of at least 1"),
    ("{kind: tier_steps, rounds: 0}", "rounds", "a number of at least 1"),
    ("{kind: tier_steps}", "kind", "tiers to go down"),
    ("{kind: per_block, block: 0s}", "block", "a number above 0"),
    ("{kind: per_block, block: 500us}", "block", "a duration such as"),
    ("{kind: per_block, block: 0.5ms}", "block", "more than 0.001 s"),
    ("{kind: per_block, share: 0}", "share", "a number above 0"),
    ("{kind: per_block, most_account: 0}", "most_account", "a number above 0"),
    ("{kind: per_block, least: 2e5}", "least", "at most most_account, 100000"),
    ("{kind: per_block, most_fund_loss: 0}", "most_fund_loss", "a number above 0"),
    ("{kind: per_block, most_fee: -1%}", "most_fee", "a number of at least 0"),
    (
        "{kind: per_block, bankruptcy_adjustment: 0.5}",
        "bankruptcy_adjustment",
        "a number of at least 1",
    ),
    ("{kind: per_block, latency: 1s}", "latency", "unknown key 'latency'"),
    ("{kind: full, takes_remainder: maybe}", "takes_remainder", "allowed: true or false"),
]


@pytest.mark.parametrize(("rule", "key", "allowed"), CASES)
def test_a_rule_that_makes_no_sense_is_refused(rule, key, allowed):
    assert BETA in GOOD
    found = problems(GOOD.replace(BETA, f"liquidation: {rule}"))
    assert [problem.path for problem in found] == [f"{PLACE}.{key}"]
    assert allowed in str(found[0])


@pytest.mark.parametrize(
    ("rule", "key", "allowed"),
    [
        ("drop: 3", "drop", "at most 2, as 'gamma' has 3 tiers"),
        ("from_tier: 4", "from_tier", "at most 3, the highest tier of 'gamma'"),
    ],
)
def test_steps_that_no_ladder_has_are_refused(rule, key, allowed):
    text = GOOD.replace("  gamma:\n", f"  gamma:\n    liquidation: {{kind: tier_steps, {rule}}}\n")
    (found,) = problems(text)
    assert found.path == f"venues.gamma.liquidation.{key}"
    assert allowed in str(found)


def test_steps_and_blocks_that_fit_are_taken():
    text = GOOD.replace(BETA, "liquidation: {kind: per_block, block: 2ms}")
    text = text.replace(
        "  gamma:\n", "  gamma:\n    liquidation: {kind: tier_steps, drop: 2, from_tier: 3}\n"
    )
    venues = load_text(text, file="good.yaml").venues
    assert venues["gamma"].liquidation.drop == 2
    assert venues["beta"].liquidation.block == 0.002
