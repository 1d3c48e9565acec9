"""The assembled accounts of a cohort against what the scenario says of it."""

from __future__ import annotations

import numpy as np
import pytest

from sim.engine.health import counted_equity, initial_margin
from sim.engine.listing import Listing
from sim.models.margin.tables import MarginTables
from tests.engine.worlds import (
    PRICES,
    VENUES,
    cohort,
    digest,
    draw,
    equity_of_traders,
    gross_notional,
    market,
    rich,
    world,
)


def test_structure_is_ordered_and_consistent():
    scenario = world(rich())
    draft = draw(scenario)
    assert np.all(np.diff(draft.trader) >= 0)
    assert set(draft.trader) == set(range(3_000))
    assert draft.position_start[0] == 0
    assert draft.position_start[-1] == draft.quantity.size == draft.position_market.size
    sizes = np.diff(draft.position_start)
    assert np.all(sizes[draft.isolated] == 1)
    assert np.all(sizes[~draft.isolated] == 2)
    owner = draft.position_account()
    key = (draft.trader[owner] * 3 + draft.clearer[owner]) * 9 + draft.position_market
    assert np.all(np.diff(key) > 0)
    venue = Listing.from_scenario(scenario).venue
    np.testing.assert_array_equal(venue[draft.position_market], draft.clearer[owner])
    np.testing.assert_array_equal(
        draft.entry_price, np.array([*PRICES.values()] * 3)[draft.position_market]
    )
    assert draft.position_market.dtype == draft.clearer.dtype == np.int16
    assert draft.trader.dtype == np.int32
    assert draft.position_start.dtype == np.int64


def test_markets_are_weighted_by_symbol_or_base():
    listed = [market("alpha", "BTC"), market("alpha", "ETH"),
              market("alpha", "BTC", symbol="BTC-FUT", kind="future"), market("alpha", "SOL"),
              market("alpha", "BTC", symbol="BTC-SPOT", kind="spot")]  # fmt: skip
    scenario = world(
        cohort(count=50, venues={"alpha": 1}, portfolio={"BTC": 3, "ETH-PERP": 1}), markets=listed
    )
    draft = draw(scenario)
    assert draft.position_market.reshape(50, 3).tolist() == [[0, 1, 2]] * 50
    gross = gross_notional(draft, scenario).reshape(50, 3)
    shares = gross / gross.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, [[0.375, 0.25, 0.375]] * 50)


def test_isolated_accounts_split_the_collateral_by_notional():
    scenario = world(
        cohort(count=20, venues={"alpha": 1}, portfolio={"BTC": 2, "ETH": 1, "SOL": 1},
               margin_mode="isolated")
    )  # fmt: skip
    draft = draw(scenario)
    assert draft.accounts == 60
    assert draft.isolated.all()
    rows = draft.balance[:, 0].reshape(20, 3)
    np.testing.assert_allclose(rows / rows.sum(axis=1, keepdims=True), [[0.5, 0.25, 0.25]] * 20)
    leverage = gross_notional(draft, scenario).reshape(20, 3) / rows
    np.testing.assert_allclose(leverage, leverage[:, :1] * np.ones(3))
    assert draft.trader_id(3) == "retail-03"
    assert draft.account_id(10) == "retail-03@alpha/ETH-PERP"


def test_collateral_is_in_the_quote_asset_unless_stated():
    mixed = [market("alpha", "BTC"), market("alpha", "ETH", quote="USDC")]
    fields = {"count": 30, "venues": {"alpha": 1}, "portfolio": {"BTC": 3, "ETH": 1}}
    draft = draw(world(cohort(**fields), markets=mixed))
    assert draft.balance_assets == (0, 1)
    np.testing.assert_allclose(draft.balance[:, 1] * 1.25 * 3, draft.balance[:, 0])
    isolated = draw(world(cohort(**fields, margin_mode="isolated"), markets=mixed))
    assert np.all(isolated.balance[::2, 1] == 0)
    assert np.all(isolated.balance[1::2, 0] == 0)
    stated = draw(world(cohort(**fields, collateral={"BTC": 1, "USDT": 3}), markets=mixed))
    assert stated.balance_assets == (0, 2)
    np.testing.assert_allclose(stated.balance[:, 1] * 120_000 * 3, stated.balance[:, 0])


def test_wallet_is_a_multiple_of_equity():
    scenario = world({**rich(), "wallet": {"dist": "constant", "value": 1.5}})
    draft = draw(scenario)
    price = np.array([1.0, 120_000.0])
    np.testing.assert_allclose(
        draft.wallet @ price, 1.5 * equity_of_traders(draft, scenario), rtol=1e-12
    )


@pytest.mark.parametrize("mode", ["cross", "isolated"])
def test_accounts_start_with_the_largest_leverage_their_margin_allows(mode):
    law = {"dist": "lognormal", "median": 60, "sigma": 1.2}
    plain = rich() | {"margin_mode": mode, "equity": {"dist": "pareto", "alpha": 0.6, "min": 1e3}}
    scenario = world({**plain, "leverage": law})
    listing, tables = Listing.from_scenario(scenario), MarginTables.from_scenario(scenario)
    draft = draw(scenario)
    equity = counted_equity(draft, listing)
    assert np.all(initial_margin(draft, listing, tables) <= equity)
    assert 500 < draft.capped < draft.accounts
    gross = np.bincount(draft.position_account(), gross_notional(draft, scenario))
    drawn = draw(world({**plain, "leverage": law}, venues={
        name: {"margin": {"kind": "cross", "maintenance_rate": 1e-12, "initial_rate": 1e-12}}
        for name in VENUES
    }))  # fmt: skip
    asked = np.bincount(drawn.position_account(), gross_notional(drawn, scenario))
    lowered = gross < asked * (1 - 1e-12)
    assert lowered.sum() == draft.capped
    draft.quantity[:] *= 1 + 1e-12
    assert np.all((initial_margin(draft, listing, tables) > equity)[lowered])


def asked(leverage, equity, **fields):
    """Return a one-trader cohort at two venues that asks for a leverage."""
    return cohort(count=1, venues={"alpha": 1, "beta": 1}, venues_per_trader=2, long_share=1,
                  portfolio={"BTC": 1}, leverage={"dist": "constant", "value": leverage},
                  equity={"dist": "constant", "value": 2 * equity}, **fields)  # fmt: skip


def test_haircuts_of_the_asset_and_of_the_venue_limit_leverage():
    margin = {"kind": "cross", "maintenance_rate": 0.05, "initial_rate": 0.1}
    venues = {"alpha": {"margin": margin}, "beta": {"margin": margin, "collateral": {"BTC": 0.5}}}
    scenario = world(
        asked(100, 1_000, collateral={"BTC": 1}),
        venues=venues,
        markets=[market("alpha", "BTC"), market("beta", "BTC", quote="USDC", multiplier=0.01)],
    )
    draft = draw(scenario)
    # (1 - 0.1) 1000 / 0.1 = 9000 at alpha, (1 - 0.5) 1000 / 0.1 = 5000 at beta [numeraire].
    np.testing.assert_allclose(draft.quantity, [9_000 / 120_000, 5_000 / 1_200])
    assert draft.capped == 2


def test_leverage_stops_just_below_a_tier_it_cannot_enter():
    draft = draw(world(asked(1_000, 800)))
    # 50,000 needs 500 in the first tier, but 1,000 at the floor of the second.
    np.testing.assert_allclose(draft.quantity * 120_000, 50_000, rtol=1e-12)
    assert np.all(draft.quantity * 120_000 < 50_000)
    inside = draw(world(asked(1_000, 1_200)))
    np.testing.assert_allclose(inside.quantity * 120_000, 60_000, rtol=1e-12)


def test_fundamentalists_have_slots_and_no_quantity():
    behaviour = {"kind": "fundamentalist", "aggressiveness": 1, "max_leverage": 2}
    draft = draw(world({**rich(), "behaviour": behaviour, "portfolio": {"BTC": 1, "ETH": 1}}))
    assert np.all(np.diff(draft.position_start)[~draft.isolated] == 2)
    assert set(draft.position_market) == {0, 1, 3, 4, 6, 7}
    assert not draft.quantity.any()
    assert draft.capped == 0
    assert np.all(draft.balance > 0)


def test_an_account_without_a_market_is_idle():
    markets = [market("alpha", "BTC"), market("beta", "ETH", quote="USDC")]
    both = cohort(count=40, venues_per_trader=2, margin_mode="isolated", venues=dict.fromkeys(
        ("alpha", "beta"), 1))  # fmt: skip
    scenario = world(both, markets=markets)
    # A loaded scenario would refuse a venue that lists only a spot market.
    spot = [scenario.markets[0], scenario.markets[1].model_copy(update={"kind": "spot"})]
    draft = draw(scenario.model_copy(update={"markets": spot}))
    assert draft.accounts == 80
    assert draft.isolated.tolist() == [True, False] * 40
    assert draft.balance_assets == (0, 1)
    np.testing.assert_allclose(draft.balance[1::2, 1] * 1.25, draft.balance[::2, 0])


@pytest.mark.parametrize("mode", ["cross", "isolated"])
def test_an_empty_cohort_is_an_empty_draft(mode):
    draft = draw(world({**rich(), "count": 0, "margin_mode": mode}))
    assert draft.accounts == draft.traders == draft.quantity.size == 0
    assert draft.position_start.tolist() == [0]
    assert draft.balance.shape == (0, 2)


def test_one_trader():
    draft = draw(world(cohort(count=1, venues_per_trader=2)))
    assert draft.trader.tolist() == [0, 0]
    assert draft.trader_id(0) == "retail-0"
    assert [draft.account_id(i) for i in range(2)] == ["retail-0@alpha", "retail-0@beta"]


@pytest.mark.parametrize("block", [1, 37, 1 << 20])
def test_accounts_do_not_depend_on_how_many_are_drawn_together(block, monkeypatch):
    small = {**rich(), "count": 200}
    mixed = [market("alpha", "BTC"), market("alpha", "ETH", quote="USDC"), market("beta", "BTC")]
    steep = {"dist": "lognormal", "median": 60, "sigma": 1.2}
    scenarios = [
        world(small),
        world({**small, "position_correlation": 1, "margin_mode": "cross", "leverage": steep}),
        world({**cohort(count=100), "margin_mode": {"cross": 1, "isolated": 1}}, markets=mixed),
    ]
    usual = [digest(draw(scenario)) for scenario in scenarios]
    for place in (
        "sim.core.arrays.BLOCK",
        "sim.engine.sampling._BLOCK",
        "sim.core.arrays.BLOCK",
    ):
        monkeypatch.setattr(place, block)
    assert [digest(draw(scenario)) for scenario in scenarios] == usual
