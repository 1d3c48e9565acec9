"""Silenced, fenced and emptied venues in random and in hand-made worlds."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import sim
from sim.core.streams import Streams
from sim.engine.build import build_world, draw_population
from sim.models.margin import MarginTables
from sim.schema import load_mapping
from tests.engine.combined_worlds import combined_worlds
from tests.engine.random_worlds import load, worlds
from tests.engine.small_worlds import jump, linear, longs, perp, play, venue

TABLES = ("liquidations", "venues", "prices", "price_causes", "cohorts", "mechanisms")
RANDOM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


@st.composite
def otherwise(draw: Any, base: Any = worlds) -> dict[str, Any]:
    """Return a random world with a counterfactual of any kind."""
    world = draw(base())
    for name in {"pool"} & set(world["venues"]):  # who sells loans has no backstop
        layers = world["venues"][name]["waterfall"]
        layers[:] = [layer for layer in layers if layer["kind"] != "backstop"]
    names = list(world["venues"])
    some = st.lists(st.sampled_from(names), unique=True, max_size=2)
    block = {key: draw(some) for key in ("silence", "ring_fence", "without_venues", "spare")}
    block["spare"] = [name for name in block["spare"] if name not in block["silence"]]
    groups = [group.get("cohort", "book") for group in world["traders"]]
    block["without_groups"] = draw(st.lists(st.sampled_from(groups), unique=True, max_size=1)) if (
        groups
    ) else []  # fmt: skip
    return world | {"counterfactual": block}


def run(world: dict[str, Any], folder: Any, **changed: Any) -> sim.Result:
    try:
        return sim.run(load(copy.deepcopy(world) | changed, folder), check=True)
    except sim.RunError as error:
        assume("ran away" not in str(error))
        raise


@settings(max_examples=20, suppress_health_check=RANDOM)
@given(world=otherwise())
def test_due_and_full_agree_in_counterfactual_worlds(tmp_path_factory, sweeps, world):
    folder = tmp_path_factory.mktemp("world")
    full, due = (
        run(world, folder, engine={**world["engine"], "margin_check": mode})
        for mode in ("full", "due")
    )
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(full, name), getattr(due, name), check_exact=True)


@pytest.mark.slow
@settings(max_examples=25, phases=[Phase.generate], suppress_health_check=[*HealthCheck])
@given(world=otherwise(combined_worlds))
def test_due_and_full_agree_where_mechanisms_meet(tmp_path_factory, sweeps, world):
    folder = tmp_path_factory.mktemp("world")
    full, due = (
        run(world, folder, engine={**world["engine"], "margin_check": mode})
        for mode in ("full", "due")
    )
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(full, name), getattr(due, name), check_exact=True)


@settings(max_examples=10, suppress_health_check=RANDOM)
@given(world=worlds())
def test_nobody_silenced_moves_a_price(tmp_path_factory, sweeps, world):
    names = list(world["venues"])
    result = run(world, tmp_path_factory.mktemp("world"), counterfactual={"silence": names})
    causes = set(result.price_causes.loc[result.price_causes["price_move"] != 0.0, "cause"])
    assert not [c for c in causes if c.startswith(("liquidation:", "backstop:"))]
    # Whoever is broken was broken by something else than a forced order, or by a loss shared.
    shared = result.summary["socialised_loss"]
    assert result.summary["generations"] <= 1 or shared > 0.0


@pytest.mark.slow
@settings(max_examples=25, phases=[Phase.generate], suppress_health_check=[*HealthCheck])
@given(world=otherwise(combined_worlds))
def test_what_a_silenced_venue_sells_otherwise_is_not_heard_either(tmp_path_factory, world):
    """Its backstop, its storefront and its bands move no price; conservation holds all the same."""
    names = list(world["venues"])
    result = run(world, tmp_path_factory.mktemp("world"), counterfactual={"silence": names})
    causes = set(result.price_causes.loc[result.price_causes["price_move"] != 0.0, "cause"])
    quiet = ("liquidation:", "backstop:", "trade:bands", "trade:storefront")
    assert not [cause for cause in causes if cause.startswith(quiet)]


def of(result: sim.Result, name: str) -> dict[str, pd.DataFrame]:
    """Return what happened at one venue; numbers that count over all venues are left out."""
    events = result.liquidations
    count = ["event_id", "generation"]
    prices, venues = result.prices, result.venues
    return {
        "prices": prices[prices["venue"] == name],
        "venues": venues[venues["venue"] == name],
        "events": events[events["clearer"] == name].drop(columns=count),
    }


@settings(max_examples=20, suppress_health_check=RANDOM)
@given(world=worlds())
def test_a_fenced_venue_does_not_notice_that_there_are_others(tmp_path_factory, sweeps, world):
    """Everything of it is alike when nobody else has an account, but for outside wallets."""
    world = copy.deepcopy(world)
    name = next(iter(world["venues"]))
    listed = {m["base"] for m in world["markets"] if m["venue"] == name} | {"USDT"}
    for group in world["traders"]:
        if "top_up" in group:
            group["top_up"]["sources"] = ["accounts"]
        if "accounts" in group:
            # Nobody else holds what this venue lists, nor do its accounts hold what it does not.
            group["accounts"] = [
                account
                for account in group["accounts"]
                if all(account[2] == place.split("/")[0] for place, _, _ in account[4])
                and (account[2] != name or set(account[3]) <= listed)
            ]
    world["traders"] = [group for group in world["traders"] if group.get("accounts", True)]
    folder = tmp_path_factory.mktemp("world")
    others = [other for other in world["venues"] if other != name]
    together = run(world, folder, counterfactual={"ring_fence": [name]})
    alone = run(world, folder, counterfactual={"ring_fence": [name], "without_venues": others})
    one, other = of(together, name), of(alone, name)
    for table, frame in one.items():
        pd.testing.assert_frame_equal(
            frame.reset_index(drop=True), other[table].reset_index(drop=True), rtol=1e-9
        )


# ------------------------------------------------------------------------------ who is left out


def population(scenario: sim.Scenario) -> dict[str, Any]:
    tables = MarginTables.from_scenario(scenario)
    drafts = draw_population(scenario, tables, Streams(scenario.seed))
    return {draft.name: draft for draft in drafts}


COHORTS = """
schema_version: 1
name: cohorts
clock: {tick: 1s, horizon: 5s}
assets: {USDT: {price: 1}, BTC: {price: 100}}
venues:
  one: {margin: {kind: cross, initial_rate: 0.02, maintenance_rate: 0.01}}
  two: {margin: {kind: cross, initial_rate: 0.02, maintenance_rate: 0.01}}
markets:
  - {venue: one, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT, open_interest: 5e5,
     impact: {kind: linear, depth: 1e7}}
  - {venue: two, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT, open_interest: 3e5,
     impact: {kind: linear, depth: 1e7}}
traders:
  - {cohort: few, count: 20, venues: {one: 1, two: 1}, venues_per_trader: 2,
     equity: {dist: uniform, min: 10, max: 500}, leverage: {dist: uniform, min: 1, max: 20}}
  - {cohort: many, count: 80, venues: {one: 1, two: 1},
     equity: {dist: uniform, min: 10, max: 500}, leverage: {dist: uniform, min: 1, max: 20}}
shocks:
  - {kind: gbm, assets: [BTC], volatility: 3}
"""


@pytest.mark.parametrize("gone", ["few", "many"])
def test_everybody_else_is_drawn_alike(gone):
    """Accounts, ids and sizes stay to the last bit, open interest of what is left included."""
    before = population(sim.load_text(COHORTS))
    after = population(sim.load_text(COHORTS, overrides={"counterfactual.without_groups": [gone]}))
    assert after[gone].accounts == after[gone].traders == 0
    stays = next(name for name in before if name != gone)
    for field in ("trader", "clearer", "balance", "quantity", "entry_price", "wallet"):
        first, second = getattr(before[stays], field), getattr(after[stays], field)
        assert first.tobytes() == second.tobytes(), field
    ids = [before[stays].account_id(k) for k in range(before[stays].accounts)]
    assert ids == [after[stays].account_id(k) for k in range(after[stays].accounts)]


def test_a_trader_takes_accounts_and_wallet_along():
    overrides = {
        "counterfactual.without_traders": ["few-07"],
        "traders.0.wallet": {"dist": "constant", "value": 1},
    }
    draft = population(sim.load_text(COHORTS, overrides=overrides))["few"]
    ids = {draft.account_id(k) for k in range(draft.accounts)}
    assert len(ids) == 38
    assert not [name for name in ids if name.startswith("few-07@")]
    assert {"few-06@one", "few-08@one"} <= ids
    assert (draft.wallet[7] == 0.0).all()
    assert (draft.wallet[6] > 0.0).all()


def test_a_venue_without_accounts_keeps_its_markets():
    result = sim.run(sim.load_text(COHORTS, overrides={"counterfactual.without_venues": ["two"]}))
    assert result.summary["venues"]["two"]["accounts"] == 0
    assert result.summary["venues"]["one"]["accounts"] > 0
    moves = np.diff(result.prices.query("venue == 'two'")["last_price"])
    assert (moves != 0.0).any()


# ----------------------------------------------------------------------------- what a fence cuts

TWO = {"one": venue(), "two": venue()}
MARKETS = [perp("one", impact=linear(1)), perp("two", impact=linear(1))]


def test_a_portfolio_on_both_sides_is_divided(tmp_path):
    """Long 3 on one and 1 on two of 100 each: the balance is divided 3 to 1."""
    both = ("p", "t", "prime", {"USDT": 80}, [("one/BTC-PERP", 3, 100), ("two/BTC-PERP", 1, 100)])
    venues = {**TWO, "prime": venue()}
    scenario = play(tmp_path, [both], venues=venues, markets=MARKETS, shocks=[]).manifest
    fenced = scenario["scenario"] | {"counterfactual": {"ring_fence": ["two"]}}
    world = build_world(load_mapping(fenced, tmp_path), 1)
    roster = world.rosters[0]
    assert [roster.account_id(k) for k in range(roster.accounts)] == ["p", "p|two"]
    assert world.ledger.balance[: world.accounts, 0].tolist() == [60.0, 20.0]
    assert world.ledger.quantity[:2].tolist() == [3.0, 1.0]
    assert world.trader[:2].tolist() == [0, 0]


def test_marks_of_a_fenced_venue_are_its_own(tmp_path):
    """Sales on one drag the index of both, unless two is fenced."""
    venues = {"one": venue(), "two": venue(mark={"kind": "index"})}
    accounts = [
        ("a", "ta", "one", {"USDT": 12}, [("one/BTC-PERP", 1, 100)]),
        ("b", "tb", "two", {"USDT": 12}, [("two/BTC-PERP", 1, 100)]),
    ]
    markets = [perp("one", impact=linear(30)), perp("two", impact=linear(1))]
    shocks = [jump(-0.05, venue="one")]
    results = {}
    for fenced in ([], ["two"], ["one"]):
        given_ = {"venues": venues, "markets": markets, "shocks": shocks}
        results[tuple(fenced)] = play(
            tmp_path, accounts, **given_, counterfactual={"ring_fence": fenced}
        )
    sold = {key: sorted(r.liquidations["account_id"]) for key, r in results.items()}
    assert sold == {(): ["a", "b"], ("two",): ["a"], ("one",): ["a"]}


def test_accounts_behind_a_fence_neither_send_nor_get_collateral(tmp_path):
    venues = {name: venue(call={"level": 2, "grace": 0}) for name in ("one", "two")}
    accounts = [
        ("a", "t", "one", {"USDT": 25}, [("one/BTC-PERP", 1, 100)]),
        ("b", "t", "two", {"USDT": 90}, []),
    ]
    given_ = {
        "venues": venues,
        "markets": MARKETS,
        "shocks": [jump(-0.1)],
        "source": {"top_up": {"sources": ["accounts"], "latency": 0}},
    }
    assert play(tmp_path, accounts, **given_).liquidations.empty
    for fenced in ("one", "two"):
        alone = play(tmp_path, accounts, **given_, counterfactual={"ring_fence": [fenced]})
        assert list(alone.liquidations["account_id"]) == ["a"]


# ------------------------------------------------------------------------- what silence leaves


def test_a_silenced_order_fills_at_the_price_that_others_make(tmp_path):
    """One sells 1 contract at an average of 89.5; the silenced order on the market gets that."""
    accounts = [
        ("a", "ta", "one", {"USDT": 15}, [("one/BTC-PERP", 1, 100)]),
        ("b", "tb", "two", {"USDT": 15}, [("one/BTC-PERP", 1, 100)]),
    ]
    given_ = {"venues": TWO, "markets": MARKETS[:1], "shocks": [jump(-0.1)]}
    result = play(tmp_path, accounts, **given_, counterfactual={"silence": ["two"]})
    assert result.liquidations["close_out_price"].tolist() == [89.5, 89.5]
    assert result.summary["markets"]["one/BTC-PERP"]["final_price"] == pytest.approx(89.0)
    quiet = play(tmp_path, accounts, **given_, counterfactual={"silence": ["one", "two"]})
    assert quiet.liquidations["close_out_price"].tolist() == [90.0, 90.0]
    assert quiet.summary["markets"]["one/BTC-PERP"]["final_price"] == 90.0


def test_a_spared_venue_lets_accounts_sink(tmp_path):
    given_ = {"shocks": [jump(-0.5)], "counterfactual": {"spare": ["one"]}}
    result = play(tmp_path, longs((1, 15)), **given_)
    assert result.liquidations.empty
    assert result.summary["accounts_still_liquidatable"] == 1
    assert result.summary["venues"]["one"]["equity"] == pytest.approx(-35.0)
