"""What must hold in any world, tried on random small ones."""

from __future__ import annotations

import copy
import math
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import sim
from tests.engine.random_worlds import PRICES, load, worlds

# A world is many choices, and shrinking one that fails takes minutes.
example_count = partial(
    settings, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder whose book every example overwrites."""
    return tmp_path_factory.mktemp("worlds")


def play(world, folder):
    """Run a world with every invariant checked; a price that runs away is no counterexample."""
    try:
        return sim.run(load(world, folder), check=True)
    except sim.RunError as error:
        assume("ran away" not in str(error))
        raise


def leaves(value, name=""):
    """Return the leaves of nested mappings by path."""
    if not isinstance(value, dict):
        return {name: value}
    return {k: v for key, part in value.items() for k, v in leaves(part, f"{name}.{key}").items()}


@example_count(max_examples=70)
@given(worlds())
def test_conservation_causes_and_identities(folder, world):
    result = play(world, folder)
    summary, prices = result.summary, result.prices
    assert summary["conservation_error"] < 1e-9
    assert all(math.isfinite(x) for x in leaves(summary).values() if isinstance(x, float))
    causes_add_up(result)
    losses_add_up(result)
    forced_trades_add_up(result, world)
    for table in (result.venues, result.cohorts, result.liquidations, result.price_causes):
        assert np.isfinite(table.select_dtypes("number").to_numpy(dtype=float)).all()
    assert (prices[["last_price", "mark_price", "index_price"]] > 0.0).all().all()


def causes_add_up(result):
    """Causes sum to the log move of each market at each recorded tick."""
    # Forced moves keep their own tick, also between two recorded ones.
    booked = result.price_causes.pivot_table(
        index="tick", columns=["venue", "symbol"], values="price_move", aggfunc="sum"
    )
    ticks = range(result.summary["ticks"])
    booked = booked.reindex(ticks).fillna(0.0).cumsum()
    for (venue, symbol), rows in result.prices.groupby(["venue", "symbol"]):
        initial = result.summary["markets"][f"{venue}/{symbol}"]["initial_price"]
        move = np.log(rows["last_price"].to_numpy() / initial)
        none = pd.Series(0.0, index=ticks)
        total = booked.get((venue, symbol), none)[rows["tick"]].to_numpy()
        np.testing.assert_allclose(total, move, rtol=0, atol=1e-12)


def losses_add_up(result):
    """What was lost is what fund, survivors and venue bore, over all and per venue."""
    for part in (result.summary, *result.summary["venues"].values()):
        borne = part["insurance_fund_used"] + part["socialised_loss"] + part["uncovered_shortfall"]
        assert borne == pytest.approx(part["shortfall"], rel=1e-9, abs=1e-9)
        assert min(borne, part["insurance_fund_used"], part["uncovered_shortfall"]) >= 0.0
    assert result.venues["shortfall"].sum() == pytest.approx(result.summary["shortfall"])
    assert (result.venues["insurance_fund"] >= -1e-9).all()


def forced_trades_add_up(result, world):
    """Deleveraging has two sides; the notional sold is that of the rows."""
    rows, summary = result.liquidations, result.summary
    adl = rows[rows["kind"] == "adl"].groupby(["tick", "venue", "symbol"])["quantity"]
    assert (adl.sum().abs() <= 1e-9 * adl.apply(lambda q: q.abs().sum())).all()
    assert rows["shortfall"].sum() == pytest.approx(summary["shortfall"], abs=1e-9)
    steady = not any(s.get("asset") in ("USDT", "USDC") for s in world["shocks"])
    if steady and "USDC" not in world["assets"]:
        sold = rows.loc[rows["kind"] == "market", "notional"].sum()
        assert sold == pytest.approx(summary["liquidated_notional"], rel=1e-9)
        both = rows.loc[rows["kind"] == "adl", "notional"].sum()
        assert both == pytest.approx(2 * summary["adl_notional"], rel=1e-9)


KEYS = {
    "liquidations": ["tick", "generation", "kind", "account_id", "venue", "symbol"],
    "prices": ["tick", "venue", "symbol"],
    "venues": ["tick", "venue"],
    "cohorts": ["tick", "cohort", "venue"],
    "price_causes": ["tick", "venue", "symbol", "generation", "cause"],
}


def same(first, second, rtol=1e-9, skip=("event_id",)):
    """Assert that two runs tell the same story in any order of rows."""
    for name, keys in KEYS.items():
        one, two = (
            getattr(result, name).sort_values(keys, kind="stable").reset_index(drop=True)
            for result in (first, second)
        )
        if name == "price_causes":
            # What cancels may leave a row of rounding behind.
            one, two = (t[t["price_move"].abs() > 1e-13].reset_index(drop=True) for t in (one, two))
        columns = [column for column in one if column not in skip]
        pd.testing.assert_frame_equal(one[columns], two[columns], rtol=rtol, atol=1e-9)


@example_count(max_examples=15)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_of_a_book_does_not_matter(folder, world, random):
    shuffled = copy.deepcopy(world)
    for group in shuffled["traders"]:
        rows = group.get("accounts", [])
        random.shuffle(rows)
        for k, (account, trader, clearer, balances, positions) in enumerate(rows):
            random.shuffle(positions)
            mixed = dict(sorted(balances.items(), reverse=random.random() < 0.5))
            rows[k] = (account, trader, clearer, mixed, positions)
    first, second = play(world, folder), play(shuffled, folder)
    assert first.liquidations.equals(second.liquidations)
    assert first.prices.equals(second.prices)


@example_count(max_examples=20)
@given(worlds(cohorts=False))
def test_the_order_of_venues_does_not_matter(folder, world):
    # The markets stand in the order of their venues, too.
    turned = copy.deepcopy(world)
    turned["venues"] = dict(reversed(world["venues"].items()))
    names = list(turned["venues"])
    turned["markets"].sort(key=lambda m: names.index(m["venue"]))
    settles = [
        [m["quote"] for m in w["markets"] if m["venue"] == v] or [w["markets"][0]["quote"]]
        for w in (world, turned)
        for v in world["venues"]
    ]
    half = len(settles) // 2
    assume([s[0] for s in settles[:half]] == [s[0] for s in settles[half:]])
    same(play(world, folder), play(turned, folder))


@example_count(max_examples=15)
@given(worlds(cohorts=False))
def test_names_of_venues_do_not_matter(folder, world):
    # A cohort draws its venues by name, so that adding one leaves the others' traders alone.
    other = {"alpha": "zeta", "beta": "Beta_2", "gamma": "a"}
    renamed = copy.deepcopy(world)
    renamed["venues"] = {other[name]: rules for name, rules in renamed["venues"].items()}
    for entry in (*renamed["markets"], *renamed["shocks"]):
        if entry.get("venue"):
            entry["venue"] = other[entry["venue"]]
    for group in renamed["traders"]:
        if "venues" in group:
            group["venues"] = {other[name]: share for name, share in group["venues"].items()}
            continue
        group["accounts"] = [
            (key, trader, other.get(clearer, clearer), balances, [
                (f"{other[market.split('/')[0]]}/{market.split('/')[1]}", *rest)
                for market, *rest in positions
            ])
            for key, trader, clearer, balances, positions in group["accounts"]
        ]  # fmt: skip
    first, second = play(world, folder), play(renamed, folder)
    for name in ("quantity", "mark_price", "close_out_price", "fee", "shortfall", "generation"):
        assert first.liquidations[name].tolist() == second.liquidations[name].tolist()
    assert first.prices["last_price"].tolist() == second.prices["last_price"].tolist()
    assert first.summary["shortfall"] == second.summary["shortfall"]


MONEY = {"notional", "fee", "shortfall", "mark_price", "close_out_price", "bankruptcy_price"}


@example_count(max_examples=20)
@given(worlds())
def test_twice_the_prices_and_twice_the_money_change_only_the_unit(folder, world):
    # A power of two is exact, so that not a bit may differ.
    twice = copy.deepcopy(world)
    for base in PRICES:
        if base in twice["assets"]:
            twice["assets"][base]["price"] *= 2
    for rules in twice["venues"].values():
        for tier in rules["margin"]["tiers"]:
            tier["floor"] *= 2
        for layer in rules["waterfall"]:
            if "size" in layer:
                layer["size"] *= 2
    for impact in (market["impact"] for market in twice["markets"]):
        for key in {"floor", "adv", "depth"} & set(impact):
            impact[key] *= 1 if key == "depth" and impact["kind"] == "exponential" else 2
    for group in twice["traders"]:
        if "equity" in group:
            group["equity"] |= {key: 2 * group["equity"][key] for key in ("min", "max")}
            continue
        group["accounts"] = [
            (key, trader, clearer,
             {asset: x * (1 if asset in PRICES else 2) for asset, x in balances.items()},
             [(market, size, 2 * entry) for market, size, entry in positions])
            for key, trader, clearer, balances, positions in group["accounts"]
        ]  # fmt: skip
    first, second = play(world, folder), play(twice, folder)
    for name in first.liquidations:
        factor = 2 if name in MONEY else 1
        assert (first.liquidations[name] * factor).tolist() == second.liquidations[name].tolist()
    assert (first.prices["last_price"] * 2).tolist() == second.prices["last_price"].tolist()
    assert first.price_causes.equals(second.price_causes)
    for name in ("shortfall", "liquidated_notional", "adl_notional", "fees", "socialised_loss"):
        assert 2 * first.summary[name] == second.summary[name]


@example_count(max_examples=12)
@given(worlds(cohorts=False, noise=False), st.sampled_from([0.05, 0.1, 0.2, 0.4]))
def test_a_bigger_shock_breaks_all_that_a_smaller_one_breaks(folder, world, fall):
    # Longs only, marked at the last price, one fall of everything at tick 1.
    world = copy.deepcopy(world)
    for rules in world["venues"].values():
        rules["mark"] = {"kind": "last"}
        rules["liquidation"]["latency"] = 0
    for group in world["traders"]:
        group["behaviour"] = {"kind": "hold"}
        group["accounts"] = [
            (key, trader, clearer, balances, [(m, abs(size), entry) for m, size, entry in rows])
            for key, trader, clearer, balances, rows in group["accounts"]
        ]
    broken = []
    for size in (fall, 1.3 * fall, 2 * fall):
        world["shocks"] = [
            {"kind": "jump", "at": 1, "asset": base, "return": -size}
            for base in sorted({market["base"] for market in world["markets"]})
        ]
        rows = play(world, folder).liquidations
        first = rows[(rows["tick"] == 1) & (rows["generation"] == 0)]
        broken.append(set(first["account_id"]))
    assert broken[0] <= broken[1] <= broken[2]
