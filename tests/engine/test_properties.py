"""What must hold in any world, tried on random small ones."""

from __future__ import annotations

import copy

import pandas as pd
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.engine.agreement import examples, play
from tests.engine.identities import check_identities
from tests.engine.random_worlds import PRICES, worlds


@examples(max_examples=20)
@given(worlds())
def test_conservation_causes_and_identities(folder, world):
    check_identities(play(world, folder), world)


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


@examples(max_examples=15)
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


@examples(max_examples=20)
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


@examples(max_examples=15)
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


@examples(max_examples=20)
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


@examples(max_examples=12)
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
