"""Random small worlds in which all mechanisms of venues meet.

Each venue draws its margin, mark, funding, way of liquidating, waterfall, backstop, breakers,
gates and caps from what the tests of each mechanism draw; often a lender stands beside them.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.engine.backstop_worlds import crowd, layer
from tests.engine.lending_worlds import RULES, lender, loans
from tests.engine.random_worlds import PRICES, Dice, impact, worlds
from tests.engine.test_breaker_watch import breakers
from tests.engine.test_margin_worlds import coins_for_money, margin_terms
from tests.engine.test_mark_worlds import marks
from tests.engine.test_pace_due import paced_rule
from tests.engine.test_random_waterfalls import waterfall
from tests.engine.test_recalibration_due import risk_model, stress


def listed_on(world: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [market for market in world["markets"] if market["venue"] == name]


def margin(dice: Dice, world: dict[str, Any], name: str) -> None:
    """Let margin depend on size, volatility or stress, beside its tiers or instead of them."""
    terms = world["venues"][name]["margin"]
    margin_terms(dice, world, name)
    if dice.seldom():
        del terms["tiers"]
        terms["risk_model"] = risk_model(dice)
    if dice.seldom():
        terms["stress"] = stress(dice)


def gates(dice: Dice, world: dict[str, Any], name: str) -> None:
    """Give a venue breakers, gates on withdrawals and caps on open interest."""
    venue, listed = world["venues"][name], listed_on(world, name)
    if listed and dice.often():
        venue["breakers"] = breakers(dice)
    if dice.seldom():
        venue["withdrawals"] = {
            "keep": dice.pick("maintenance", "initial_margin"),
            "keep_share": dice.pick(0, 0.1),
            "gate_after_negative": dice.pick(0, 3),
            "gate_after_outage": dice.pick(0, 2),
        }
    held = [market for market in listed if market["kind"] in ("perpetual", "future")]
    if held and dice.seldom():
        caps = {market["base"]: dice.pick(0, 1000, 1e5) for market in held}
        venue["open_interest_caps"] = caps


def losses(dice: Dice, world: dict[str, Any], name: str) -> None:
    """Give a venue a waterfall of any order, often with a backstop."""
    symbols = [m["symbol"] for m in listed_on(world, name) if m["kind"] != "spot"]
    layers = waterfall(dice, symbols)
    if dice.often():
        after = layers[0]["kind"] == "insurance_fund" and dice.often()
        layers.insert(int(after), layer(dice))
    world["venues"][name]["waterfall"] = layers


def pace(dice: Dice, world: dict[str, Any], name: str) -> None:
    """Give a venue a way of liquidating that its margin allows."""
    venue = world["venues"][name]
    terms = venue["margin"]
    rule = paced_rule(dice, len(terms.get("tiers", [0])))
    if rule["kind"] == "to_target":
        rule["target_ratio"] = max(rule["target_ratio"], terms.get("liquidation_ratio", 1.0))
    venue["liquidation"] = rule


def lending(dice: Dice, world: dict[str, Any]) -> None:
    """Add a lender against collateral that the other venues trade, too."""
    bases = [base for base in PRICES if base in world["assets"]]
    venue = lender(dice, dice.pick(*RULES), bases)
    held = [
        {
            "venue": "pool",
            "symbol": f"{base}-USDT",
            "kind": "collateral",
            "base": base,
            "quote": "USDT",
            "multiplier": dice.pick(1, 1, 0.1),
            "impact": impact(dice, PRICES[base]),
        }
        for base in bases
    ]
    world["venues"]["pool"] = venue
    world["markets"] += held
    books = [group for group in world["traders"] if "accounts" in group]
    if not books:
        books = [{"accounts": [], "name": "book"}]
        world["traders"] += books
    books[0]["accounts"] += loans(dice, "pool", held)
    if dice.often():
        world["traders"].append({**crowd(dice, "pool"), "cohort": "borrowers"})


@st.composite
def combined_worlds(draw: Any) -> dict[str, Any]:
    """Return a scenario as plain values; a book is still a list of accounts."""
    world: dict[str, Any] = draw(worlds())
    dice = Dice(draw)
    world["clock"]["horizon"] = dice.pick(12, 12, 30)
    for name in world["venues"]:
        margin(dice, world, name)
        pace(dice, world, name)
        losses(dice, world, name)
    coins_for_money(dice, world)
    if dice.often():
        lending(dice, world)
    for name in world["venues"]:
        if name != "pool" or dice.often():
            marks(dice, world, name)
            gates(dice, world, name)
    for base in PRICES:  # a risk model needs no volatility where it states one for everybody
        world["assets"].setdefault(base, {"price": PRICES[base], "volatility": 0.8})
    listed = [market for market in world["markets"] if market["kind"] in ("perpetual", "future")]
    market = dice.pick(*listed)
    world["traders"].append(crowd(dice, market["venue"]))
    for at in (dice.pick(1, 3), dice.pick(4, 7)):
        size = dice.pick(-0.5, -0.2, -0.15, -0.1, -0.04, 0.1, 0.3)
        fall = {"kind": "jump", "at": at, "asset": market["base"], "return": size}
        world["shocks"].append(fall)
    return world
