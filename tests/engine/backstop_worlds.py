"""Random small worlds whose venues have backstops."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.engine.random_worlds import Dice, worlds


def layer(dice: Dice) -> dict[str, Any]:
    """Return a backstop, often too small for what it could take."""
    negative = dice.often()
    rule: dict[str, Any] = {
        "kind": "backstop",
        "capital": dice.pick(20, 300, 1e5),
        "trigger_ratio": dice.pick(2 / 3, 1, 0.3, *([0] * negative)),
        "takes_negative": negative,
        "price": dice.pick("mark", "bankruptcy"),
        "most_leverage": dice.pick(0.5, 5, 20),
        "unwind": dice.pick(1, 3, 10),
    }
    if dice.seldom():
        rule["most_notional"] = dice.pick(100, 2000)
    return rule


def crowd(dice: Dice, venue: str) -> dict[str, Any]:
    """Return traders of whom a fall breaks some, a little or far below their margin."""
    return {
        "cohort": "crowd",
        "count": dice.whole(5, 20),
        "venues": {venue: 1.0},
        "equity": {"dist": "pareto", "alpha": 1.5, "min": 50, "max": 5000},
        "leverage": {"dist": "uniform", "min": 2, "max": 9},
        "long_share": dice.pick(0.5, 1),
    }


@st.composite
def backstopped(draw: Any, **choices: Any) -> dict[str, Any]:
    """Return a random world with backstops, before or after a fund, and a fall that calls them.

    Often a second fall ruins what they took.
    """
    dice, world = Dice(draw), draw(worlds(**choices))
    for venue in world["venues"].values():
        layers = venue["waterfall"]
        if not layers or layers[-1]["kind"] == "insurance_fund":
            layers.append(dice.pick({"kind": "adl"}, {"kind": "socialise"}))
        if not dice.seldom():
            after = layers[0]["kind"] == "insurance_fund" and dice.often()
            layers.insert(int(after), layer(dice))
    listed = [m for m in world["markets"] if m["kind"] != "spot"]
    market = dice.pick(*listed)
    world["traders"].append(crowd(dice, market["venue"]))
    for at in (dice.pick(1, 3), dice.pick(4, 7)):
        size = dice.pick(-0.5, -0.2, -0.15, -0.1, 0.1, 0.3)
        fall = {"kind": "jump", "at": at, "asset": market["base"], "return": size}
        world["shocks"].append(fall)
    return dict(world)
