"""Random worlds with random waterfalls: every unit of a loss ends in one layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.engine import adl
from tests.engine.agreement import assert_same, both_ways, examples
from tests.engine.random_worlds import Dice, worlds

QUEUES = ("profit_leverage", "binance", "bitmex", "hyperliquid", "random", "wealth_queue")
SHARED = ("pro_rata", "capped_pro_rata", "equal_haircut")
NOT_ONLY_WINNERS = ("binance", "random")


def fund(dice: Dice, symbols: list[str]) -> dict[str, Any]:
    layer: dict[str, Any] = {"kind": "insurance_fund"}
    if symbols and dice.often():
        return layer | {"sizes": {s: dice.pick(0, 20, 500) for s in symbols if dice.often()}}
    return layer | {"size": dice.pick(0, 20, 1000)}


def deleveraging(dice: Dice, has_fund: bool) -> dict[str, Any]:
    order = dice.pick(*QUEUES, *SHARED)
    trigger: Any = dice.pick("fund_short", "negative_equity")
    if has_fund and dice.seldom():
        trigger = {"drawdown": dice.pick(0.1, 0.3, 1), "window": dice.pick(1, 5, 30)}
    layer = {
        "kind": "adl",
        "order": order,
        "price": dice.pick("bankruptcy", "mark", "previous_mark"),
        "trigger": trigger,
    }
    return layer | ({"cap": dice.pick(0.2, 1)} if order == "capped_pro_rata" else {})


def waterfall(dice: Dice, symbols: list[str]) -> list[dict[str, Any]]:
    """Return layers that the schema allows, in an order that it allows."""
    members = [
        {"kind": "own_contribution"},
        {"kind": "skin_in_the_game", "size": dice.pick(0, 10, 300)},
        {"kind": "default_fund", "size": dice.pick(0, 30, 500)},
        {"kind": "assessments", "multiple": dice.pick(0.5, 2.75)},
    ]
    first = [fund(dice, symbols)] if dice.often() else []
    chosen = [layer for layer in members if dice.often()]
    if not any(layer["kind"] == "default_fund" for layer in chosen):
        chosen = [layer for layer in chosen if layer["kind"] == "skin_in_the_game"]
    if dice.seldom():
        chosen = [*chosen, *first]
        has_fund = bool(first)
    else:
        chosen, has_fund = [*first, *chosen], bool(first)
    tears = dice.seldom()
    if not tears and dice.often():
        chosen.append(deleveraging(dice, has_fund))
    if dice.seldom():
        chosen.append({"kind": "gains_haircut"})
    if tears:
        chosen.append({"kind": "tear_up"})
    elif dice.often():
        basis = dice.pick("equity", "profit", "notional", "counterparties", "counterparties")
        chosen.append({"kind": "socialise", "basis": basis})
    return [*chosen, {"kind": "clearer"}]


@st.composite
def worlds_with_waterfalls(draw: Any) -> dict[str, Any]:
    world: dict[str, Any] = draw(worlds())
    dice = Dice(draw)
    for name, rules in world["venues"].items():
        symbols = [
            m["symbol"] for m in world["markets"] if m["venue"] == name and m["kind"] != "spot"
        ]
        rules["waterfall"] = waterfall(dice, symbols)
        if dice.often():
            rules["liquidation"] = {
                **rules.get("liquidation", {"kind": "full"}),
                "takes_remainder": True,
            }
    return world


@pytest.fixture
def reduced(monkeypatch):
    """Check on every reduction that the reduced are in profit where the order asks for it."""
    counted = np.zeros(1, dtype=int)
    ranked = adl.ranked_opposite

    def checked(world, venue, market, side):
        slots = ranked(world, venue, market, side)
        ledger, rows = world.ledger, world.ledger.position_row[slots]
        gain = ledger.quantity[slots] * (world.board.mark[market] - ledger.entry_price[slots])
        if adl._rule(world, venue).order not in NOT_ONLY_WINNERS:
            assert (gain > 0.0).all()
        assert (world.out.equity[rows] > 0.0).all()
        assert (world.label[rows] < 0).all()
        assert (world.clearer[rows] == venue).all()
        counted[0] += len(slots)
        return slots

    monkeypatch.setattr(adl, "ranked_opposite", checked)
    return counted


def check_losses(result, world):
    summary = result.summary
    for name, rules in world["venues"].items():
        facts = summary["venues"][name]
        paid, scale = facts["layers"], 1e-9 * (1.0 + facts["shortfall"])
        assert sum(paid.values()) == pytest.approx(facts["shortfall"], rel=1e-9, abs=1e-9)
        assert all(amount >= 0.0 for amount in paid.values())
        assert paid["clearer"] == facts["uncovered_shortfall"]
        assert set(paid) == {x["kind"] for x in rules["waterfall"]} - {"adl", "backstop"}
        assert facts["insurance_fund"] >= -scale
        sizes = {layer["kind"]: layer for layer in rules["waterfall"]}
        if "skin_in_the_game" in sizes:
            assert paid["skin_in_the_game"] <= worth(sizes["skin_in_the_game"]) + scale
        if "default_fund" in sizes:
            pool = worth(sizes["default_fund"])
            together = paid["default_fund"] + paid.get("own_contribution", 0.0)
            assert together <= pool + scale
            if "assessments" in sizes:
                assert paid["assessments"] <= sizes["assessments"]["multiple"] * pool + scale
    held = result.mechanisms["series"].isin(["default_fund", "skin_in_the_game", "contract_fund"])
    left = result.mechanisms[held]
    assert (left["value"] >= -1e-9 * (1.0 + summary["shortfall"])).all()
    assert summary["conservation_error"] < 1e-9
    assert result.liquidations["shortfall"].sum() == pytest.approx(
        summary["shortfall"], rel=1e-9, abs=1e-9
    )


def worth(layer):
    """Return the most that a layer's opening money was ever worth: coins may gain value."""
    return layer["size"] * 1.25 * 10.0


def check_layers(world, folder):
    full, due = both_ways(world, folder)
    assert_same(full, due)
    check_losses(full, world)


@examples(max_examples=15)
@given(world=worlds_with_waterfalls())
def test_every_unit_of_a_loss_ends_in_one_layer(folder, reduced, world):
    check_layers(world, folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
@examples(max_examples=200)
@given(world=worlds_with_waterfalls())
def test_every_unit_of_many_losses_ends_in_one_layer(folder, reduced, world):
    check_layers(world, folder)
