"""Margin terms and prices of collateral that must be refused, and those that are read."""

from __future__ import annotations

import pytest

from sim.core.errors import ScenarioError
from sim.schema import load_text

TEXT = """\
schema_version: 1
name: keys
clock: {tick: 1s, horizon: 1min}
assets:
  USDT: {price: 1}
  USDE: {price: 1}
  BTC: {price: 100}
venues:
  one:
    margin: {kind: cross, initial_rate: 0.1, maintenance_rate: 0.05MARGIN}
VENUE
markets:
  - {venue: one, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT, impact: {kind: none}}
  - {venue: one, symbol: USDE-USDT, kind: spot, base: USDE, quote: USDT, impact: {kind: none}}
traders: []
"""
LIQUIDATION = "    liquidation: {kind: to_target, target_ratio: 1.02}"


def text(margin="", venue=""):
    return TEXT.replace("MARGIN", margin and ", " + margin).replace("VENUE", venue)


REFUSED = {
    "negative rate": ("size_rate: -0.1", "", "venues.one.margin.size_rate", "at least 0"),
    "negative root of a base": (
        "size_root: {BTC: -1}", "", "venues.one.margin.size_root.BTC", "at least 0"
    ),
    "rate in words": ("size_rate: much", "", "venues.one.margin.size_rate", "'much'"),
    "rate of nothing": (
        "size_rate: {BTX: 1}", "", "venues.one.margin.size_rate.BTX", "did you mean 'BTC'"
    ),
    "root of nothing": (
        "size_root: {BTC-PRP: 1}", "", "venues.one.margin.size_root.BTC-PRP", "'BTC-PERP'"
    ),
    "ratio below 1": (
        "liquidation_ratio: 0.9", "", "venues.one.margin.liquidation_ratio", "at least 1"
    ),
    "call at the ratio": (
        "liquidation_ratio: 1.2, call: {level: 1.2, grace: 1s}", "",
        "venues.one.margin.call.level", "more than the liquidation_ratio, 1.2",
    ),
    "target below the ratio": (
        "liquidation_ratio: 1.05", LIQUIDATION, "venues.one.liquidation.target_ratio",
        "at least the margin's liquidation_ratio, 1.05",
    ),
    "scaling without upper": (
        "open_interest_scaling: {BTC: {lower: 1}}", "",
        "venues.one.margin.open_interest_scaling.BTC.upper", "'upper' is required",
    ),
    "scaling upside down": (
        "open_interest_scaling: {BTC: {lower: 5, upper: 5}}", "",
        "venues.one.margin.open_interest_scaling.BTC.upper", "more than lower, 5",
    ),
    "scaling of nothing": (
        "open_interest_scaling: {DOGE: {lower: 0, upper: 5}}", "",
        "venues.one.margin.open_interest_scaling.DOGE", "unknown base or symbol 'DOGE'",
    ),
    "price of an unknown asset": (
        "", "    collateral_price: {USDX: par}", "venues.one.collateral_price.USDX",
        "unknown asset 'USDX'",
    ),
    "own without a book": (
        "", "    collateral_price: {BTC: own}", "venues.one.collateral_price.BTC",
        "a spot market of BTC on one, or one of index, par",
    ),
    "price of the money of account": (
        "", "    collateral_price: {USDT: par}", "venues.one.collateral_price.USDT",
        "in which one/BTC-PERP is quoted",
    ),
    "unknown way to price": (
        "", "    collateral_price: {USDE: book}", "venues.one.collateral_price.USDE",
        "index, own, par",
    ),
    "weight above 1": (
        "", "    collateral: {USDE: -5%}", "venues.one.collateral.USDE",
        "collateral cannot count for more than its value",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("margin", "venue", "path", "said"), REFUSED.values(), ids=REFUSED)
def test_mistake_is_told_with_its_place(margin, venue, path, said):
    written = text(margin, venue)
    with pytest.raises(ScenarioError) as refused:
        load_text(written, file="keys.yaml")
    (problem,) = refused.value.problems
    assert problem.path == path
    assert said in str(problem)
    assert problem.line == (11 if path.split(".")[2] != "margin" else 10)
    for word in ("input should", "pydantic", "literal", "union", "discriminator", "<"):
        assert word not in str(problem).lower()


def test_what_is_given_is_read():
    scenario = load_text(
        text(
            "size_rate: {BTC: 5e-5, BTC-PERP: 1e-4}, size_root: 0.00045, liquidation_ratio: 1.05,"
            " open_interest_scaling: {BTC: {lower: 20_000_000, upper: 5e7}}",
            "    collateral_price: {USDE: own, BTC: par, USDT: index}",
        ),
        file="keys.yaml",
    )
    venue = scenario.venues["one"]
    margin = venue.margin
    assert margin.size_terms("BTC", "BTC-PERP") == (1e-4, 0.00045)
    assert margin.size_terms("BTC", "BTC-1226") == (5e-5, 0.00045)
    assert margin.size_terms("ETH", "ETH-PERP") == (0.0, 0.00045)
    assert margin.liquidation_ratio == 1.05
    scaling = margin.scaling("BTC", "BTC-PERP")
    assert (scaling.lower, scaling.upper) == (2e7, 5e7)
    assert margin.scaling("ETH", "ETH-PERP") is None
    assert venue.collateral_price == {"USDE": "own", "BTC": "par", "USDT": "index"}


def test_nothing_given_changes_nothing():
    margin = load_text(text(), file="keys.yaml").venues["one"].margin
    assert margin.size_terms("BTC", "BTC-PERP") == (0.0, 0.0)
    assert margin.liquidation_ratio == 1.0
    assert margin.scaling("BTC", "BTC-PERP") is None
