"""Scaling the cohorts to a target open interest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sim.core.errors import ScenarioError
from sim.core.texts import Texts
from sim.engine.health import counted_equity, initial_margin
from sim.engine.listing import Listing
from sim.engine.open_interest import scale_to_open_interest
from sim.models.margin.tables import MarginTables
from tests.engine.worlds import PRICES, cohort, digest, draw, market, world

TARGETS = {("alpha", "BTC"): 3e9, ("alpha", "ETH"): 2e5, ("beta", "BTC"): 7e7}


def targeted(*traders):
    markets = [
        market(venue, base, multiplier=0.1, open_interest=TARGETS.get((venue, base)))
        for venue in ("alpha", "beta")
        for base in PRICES
    ]
    return world(*traders, markets=markets)


def two_cohorts():
    long = cohort(count=3_000, venues_per_trader=2, long_share=0.8, margin_mode={"cross": 1},
                  wallet={"dist": "constant", "value": 0.5})  # fmt: skip
    short = {**long, "cohort": "short", "long_share": 0.1, "margin_mode": "isolated"}
    return targeted(long, short)


def open_interest(drafts, scenario):
    """Return long and short notional (2, M) [quote]."""
    price = np.array([scenario.market_price(m) * m.multiplier for m in scenario.markets])
    total = np.zeros((2, price.size))
    for draft in drafts:
        notional = draft.quantity * price[draft.position_market]
        for side, sign in enumerate((1, -1)):
            size = np.maximum(sign * notional, 0)
            total[side] += np.bincount(draft.position_market, size, price.size)
    return total


def scaled(scenario, drafts):
    return scale_to_open_interest(drafts, scenario, MarginTables.from_scenario(scenario))


def book_like(draft, share):
    """Return a draft as if it were a user's book."""
    ids = Texts(draft.account_id(i) for i in range(draft.accounts))
    owners = Texts(draft.trader_id(t) for t in range(draft.traders))
    return replace(draft, quantity=draft.quantity * share, account_ids=ids, trader_ids=owners)


def test_targets_are_hit_exactly_and_other_markets_left_alone():
    scenario = two_cohorts()
    drafts = [draw(scenario), draw(scenario, 1)]
    before = open_interest(drafts, scenario)
    after = open_interest(scaled(scenario, drafts), scenario)
    for index, listed in enumerate(scenario.markets):
        if listed.open_interest is None:
            np.testing.assert_array_equal(after[:, index], before[:, index])
        else:
            assert after[:, index].max() == pytest.approx(listed.open_interest, rel=1e-9)
            assert after[0, index] / after[1, index] == pytest.approx(
                before[0, index] / before[1, index], rel=1e-9
            )


def test_books_are_counted_and_not_changed():
    scenario = two_cohorts()
    cohorts = [draw(scenario), draw(scenario, 1)]
    size = TARGETS["alpha", "ETH"] / open_interest(cohorts, scenario).max(axis=0)[1]
    book = book_like(draw(scenario, seed=99), 0.5 * size)
    result = scaled(scenario, [cohorts[0], book, cohorts[1]])
    assert result[1] is book
    after = open_interest(result, scenario).max(axis=0)
    targets = [listed.open_interest for listed in scenario.markets]
    hit = [index for index, target in enumerate(targets) if target is not None]
    np.testing.assert_allclose(after[hit], [targets[index] for index in hit], rtol=1e-9)


def test_collateral_and_wallets_follow_so_that_leverage_stays():
    scenario = two_cohorts()
    listing, tables = Listing.from_scenario(scenario), MarginTables.from_scenario(scenario)
    for number in (0, 1):
        draft = draw(scenario, number)
        [after] = scaled(scenario, [draft])
        value = listing.contract_value[draft.position_market]
        owner = draft.position_account()
        leverage = [
            np.bincount(owner, np.abs(d.quantity) * value) / counted_equity(d, listing)
            for d in (draft, after)
        ]
        kept = np.isclose(*leverage, rtol=1e-9)
        assert np.all((leverage[1] < leverage[0])[~kept])
        assert (~kept).sum() == after.topped_up > 0
        need, equity = initial_margin(after, listing, tables), counted_equity(after, listing)
        assert np.all(need <= equity)
        np.testing.assert_allclose(need[~kept], equity[~kept], rtol=1e-12)
        gross = [np.bincount(d.trader[owner], np.abs(d.quantity) * value) for d in (draft, after)]
        np.testing.assert_allclose(
            after.wallet[:, 0] / gross[1], draft.wallet[:, 0] / gross[0], rtol=1e-9
        )


def test_the_drafts_given_are_not_changed():
    scenario = two_cohorts()
    draft, copy = draw(scenario), draw(scenario)
    scaled(scenario, [draft])
    for name in ("quantity", "balance", "wallet"):
        np.testing.assert_array_equal(getattr(draft, name), getattr(copy, name))


def test_without_targets_nothing_happens():
    scenario = world(cohort(count=10))
    draft = draw(scenario)
    assert scaled(scenario, [draft])[0] is draft


def test_fundamentalists_keep_their_collateral():
    behaviour = {"kind": "fundamentalist", "aggressiveness": 1, "max_leverage": 2}
    scenario = targeted(
        cohort(count=500, venues_per_trader=2),
        cohort(cohort="deep", count=20, venues_per_trader=2, behaviour=behaviour),
    )
    deep = draw(scenario, 1)
    after = scaled(scenario, [draw(scenario), deep])[1]
    np.testing.assert_array_equal(after.balance, deep.balance)
    assert not after.quantity.any()


def test_a_book_beyond_the_target_is_refused():
    scenario = two_cohorts()
    book = book_like(draw(scenario), 1e4)
    with pytest.raises(
        ScenarioError, match=r"markets.0.open_interest: .* books alone hold .*alpha/BTC-PERP"
    ):
        scaled(scenario, [book, draw(scenario, 1)])


def test_a_book_at_the_target_needs_no_cohort_but_leaves_it_no_room():
    markets = [market("alpha", "BTC", open_interest=1.2e7)]
    scenario = world(cohort(count=5, venues={"alpha": 1}), markets=markets)
    draft = draw(scenario)
    exact = np.array([50.0, -50.0, 50.0, -50.0, 0.0])
    book = book_like(replace(draft, quantity=exact), 1.0)
    assert scaled(scenario, [book]) == [book]
    with pytest.raises(ScenarioError, match="no room"):
        scaled(scenario, [book, draft])


@pytest.mark.parametrize("number", [[], [0]])
def test_a_target_nobody_can_reach_is_refused(number):
    scenario = targeted(cohort(count=50, portfolio={"SOL": 1}))
    with pytest.raises(ScenarioError, match="no cohort holds a position"):
        scaled(scenario, [draw(scenario, n) for n in number])


@pytest.mark.parametrize("block", [1, 37])
def test_scaling_does_not_depend_on_how_many_are_scaled_together(block, monkeypatch):
    scenario = two_cohorts()
    drafts = [draw(scenario), draw(scenario, 1)]
    usual = [digest(draft) for draft in scaled(scenario, drafts)]
    monkeypatch.setattr("sim.core.arrays.BLOCK", block)
    monkeypatch.setattr("sim.core.arrays.BLOCK", block)
    assert [digest(draft) for draft in scaled(scenario, drafts)] == usual
