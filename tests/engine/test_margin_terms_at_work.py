"""Margin by size and ratio at work: prices that break accounts, sales, openings, orders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim.core.streams import Streams
from sim.engine.build import build_world
from sim.engine.health import counted_equity, initial_margin
from sim.engine.listing import Listing
from sim.engine.open_interest import scale_to_open_interest
from sim.engine.population import draw_cohort
from sim.models.liquidation.base import Distressed
from sim.models.liquidation.to_target import kept_share
from sim.models.margin import MarginTables
from tests.engine.small_worlds import build, jump, perp, play, sold
from tests.engine.test_handwritten_trader import gamble
from tests.engine.worlds import cohort, world

TIERS = [{"floor": 0, "rate": 0.02}, {"floor": 500, "rate": 0.05}, {"floor": 4000, "rate": 0.2}]
TERMS = {
    "plain": {},
    "ratio": {"liquidation_ratio": 1.25},
    "rate": {"size_rate": 0.004},
    "root": {"size_root": {"BTC": 0.03}},
    "all": {"size_rate": {"BTC-PERP": 0.002}, "size_root": 0.01, "liquidation_ratio": 1.1},
}
ASSETS = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}}


def venue(terms, tiers=TIERS, **fields):
    return {"margin": {"kind": "cross", "tiers": tiers, **terms}, **fields}


def excess(state, market, price):
    """Return equity less the ratio times maintenance margin of account 0, at a price."""
    state.board.mark[market] = price
    state.revalue(np.array([0]))
    ratio = state.least_ratio(np.array([0])).item()
    return state.out.equity[0] - ratio * state.out.maintenance[0]


def bisected(state, market, low, high):
    """Return the price between two at which the excess changes its sign."""
    rising = excess(state, market, high) > 0.0
    for _ in range(70):
        middle = 0.5 * (low + high)
        above = (excess(state, market, middle) > 0.0) == rising
        low, high = (low, middle) if above else (middle, high)
    return 0.5 * (low + high)


@pytest.mark.parametrize("terms", TERMS.values(), ids=TERMS)
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("size", [0.5, 4.0, 12.0, 60.0])
def test_the_liquidation_price_is_where_bisection_finds_it(terms, side, size, tmp_path):
    positions = [("one/BTC-PERP", side * size, 98.0), ("one/ETH-PERP", -20.0, 10.5)]
    book = [("a", "t", "one", {"USDT": 45.0 * size + 20.0}, positions)]
    markets = [perp(multiplier=1.0), perp(base="ETH", multiplier=0.5)]
    scenario = build(tmp_path, book, venues={"one": venue(terms)}, markets=markets, assets=ASSETS)
    _, table = sim.margin_table(scenario)
    price = table["liquidation_price"].iloc[0]
    state = build_world(scenario, 1)
    assert excess(state, 0, 100.0) > 0.0
    low, high = (1e-6, 100.0) if side > 0 else (100.0, 1e4)
    assert excess(state, 0, low if side > 0 else high) < 0.0
    assert price == pytest.approx(bisected(state, 0, low, high), rel=1e-9)


@pytest.mark.parametrize("terms", [TERMS["ratio"], TERMS["all"]], ids=["ratio", "all"])
def test_an_account_breaks_just_beyond_its_liquidation_price(terms, tmp_path):
    book = [("a", "t", "one", {"USDT": 200.0}, [("one/BTC-PERP", 8.0, 100.0)])]
    place = {"venues": {"one": venue(terms)}}
    accounts, table = sim.margin_table(build(tmp_path, book, **place))
    assert accounts["liquidation_ratio"].tolist() == [terms["liquidation_ratio"]]
    price = table["liquidation_price"].item()
    for nudge, broken in ((1e-6, 1), (-1e-6, 0)):
        move = jump(price * (1.0 - nudge) / 100.0 - 1.0)
        assert len(play(tmp_path, book, shocks=[move], **place).liquidations) == broken
    at, _ = sim.margin_table(build(tmp_path, book, **place), {"one/BTC-PERP": price})
    assert at["margin_ratio"].item() == pytest.approx(terms["liquidation_ratio"])


def test_a_long_whose_margin_grows_faster_than_its_notional_breaks_above_a_price_too(tmp_path):
    # Rate 0.02 + 0.02 x 60 = 1.22: excess 9000 + 60 (p - 100) - 73.2 p is 0 at 3000 / 13.2.
    book = [("a", "t", "one", {"USDT": 9000.0}, [("one/BTC-PERP", 60.0, 100.0)])]
    place = {"venues": {"one": venue({"size_rate": 0.02}, TIERS[:1])}}
    _, table = sim.margin_table(build(tmp_path, book, **place))
    price = table["liquidation_price"].item()
    assert price == pytest.approx(3000.0 / 13.2)
    for nudge, broken in ((1e-6, 1), (-1e-6, 0)):
        move = jump(price * (1.0 + nudge) / 100.0 - 1.0)
        assert len(play(tmp_path, book, shocks=[move], **place).liquidations) == broken


@pytest.mark.parametrize("terms", TERMS.values(), ids=TERMS)
def test_selling_to_a_target_restores_exactly_the_target(terms, tmp_path):
    rule = {"kind": "to_target", "target_ratio": 1.5}
    place = venue(terms, liquidation=rule)
    book = [("a", "t", "one", {"USDT": 750.0}, [("one/BTC-PERP", 30.0, 100.0)])]
    _, table = sim.margin_table(build(tmp_path, book, venues={"one": place}))
    move = table["liquidation_price"].item() * 0.999 / 100.0 - 1.0
    result = play(tmp_path, book, venues={"one": place}, shocks=[jump(move)])
    assert result.liquidations["tick"].tolist() == [1]
    ((quantity,),) = sold(result, "quantity")
    left, price = 30.0 + quantity, 100.0 * (1.0 + move)
    assert 0.0 < left < 30.0
    money = 750.0 + 30.0 * (price - 100.0)
    rest = [("a", "t", "one", {"USDT": money}, [("one/BTC-PERP", left, price)])]
    after, _ = sim.margin_table(
        build(tmp_path, rest, venues={"one": place}), {"one/BTC-PERP": price}
    )
    assert after["margin_ratio"].item() == pytest.approx(1.5, rel=1e-9)


@given(data=st.data())
def test_the_kept_share_is_the_largest_that_the_equity_carries(data):
    def figures(low, high, count):
        return np.array(data.draw(st.lists(st.floats(low, high), min_size=count, max_size=count)))

    term = st.sampled_from([0.0, 0.001, 0.05])
    rules = {"size_rate": data.draw(term), "size_root": data.draw(term)}
    held = perp(), perp(base="ETH")
    scenario = sim.Scenario.model_validate(
        {
            "schema_version": 1, "name": "kept", "clock": {"tick": 1, "horizon": 1},
            "assets": ASSETS, "venues": {"one": venue(rules)}, "markets": held, "traders": [],
        }
    )  # fmt: skip
    tables = MarginTables.from_scenario(scenario)
    notional, price = figures(1.0, 2e4, 2), np.array([100.0, 10.0])
    market, zero = np.array([0, 1]), np.zeros(2, dtype=np.int64)
    tradable = np.array([True, data.draw(st.booleans())])
    whole = tables.maintenance_margin(zero, market, notional, notional / price).sum()
    equity = whole * data.draw(st.floats(0.0, 1.4))
    account = Distressed(
        equity=np.array([equity]), maintenance=np.array([whole]), required=np.ones(1),
        step=np.zeros(1, dtype=np.int64), kept=np.ones(1), owner=zero, clearer=zero,
        market=market, notional=notional, size=notional / price, worth=np.ones(2),
        tradable=tradable, mark=price, side=np.ones(2), recent=np.zeros(1, dtype=bool),
        draw=np.zeros(1),
    )  # fmt: skip
    target = np.array([1.5])
    kept = kept_share(account, tables, target).item()

    def carried(share):
        part = np.where(tradable, share, 1.0)
        sizes = notional / price * part
        return equity >= 1.5 * tables.maintenance_margin(zero, market, notional * part, sizes).sum()

    assert 0.0 <= kept <= 1.0
    assert carried(kept * (1.0 - 1e-9)) or kept == 0.0
    assert kept == 1.0 or not carried(min(kept + 1e-6, 1.0))


@pytest.mark.parametrize("terms", [TERMS["rate"], TERMS["root"], TERMS["all"]], ids=["a", "k", "l"])
def test_drawn_accounts_get_the_largest_leverage_that_margin_by_size_allows(terms):
    tiers = [
        {"floor": 0, "rate": 0.005},
        {"floor": 50_000, "rate": 0.02},
        {"floor": 1e6, "rate": 0.1},
    ]
    venues = {name: venue(terms, tiers) for name in ("alpha", "beta", "c")}
    group = cohort(
        count=3000,
        leverage={"dist": "lognormal", "median": 60, "sigma": 1.2},
        portfolio={"BTC": 2, "ETH": 1},
        equity={"dist": "pareto", "alpha": 0.6, "min": 1e3, "max": 1e8},
    )
    scenario = world(group, venues=venues)
    tables, listing = MarginTables.from_scenario(scenario), Listing.from_scenario(scenario)
    draft = draw_cohort(scenario.traders[0], scenario, tables, Streams(3))
    asked = draw_cohort(
        scenario.traders[0], scenario, MarginTables.from_scenario(world(group, venues={
            name: venue({}, [{"floor": 0, "rate": 1e-12}]) for name in venues
        })), Streams(3),
    )  # fmt: skip
    equity = counted_equity(draft, listing)
    assert np.all(initial_margin(draft, listing, tables) <= equity)
    assert 300 < draft.capped < draft.accounts
    owner = draft.position_account()
    gross = np.bincount(owner, np.abs(draft.quantity))
    lowered = gross < np.bincount(owner, np.abs(asked.quantity)) * (1.0 - 1e-12)
    assert lowered.sum() == draft.capped
    draft.quantity[:] *= 1.0 + 1e-11
    assert np.all((initial_margin(draft, listing, tables) > equity)[lowered])


def test_collateral_is_raised_to_margin_by_size_where_open_interest_is_stated():
    terms = {"size_rate": {"BTC": 1e-3}}
    venues = {name: venue(terms, [{"floor": 0, "rate": 0.01}]) for name in ("alpha", "beta", "c")}
    scenario = world(cohort(count=300, venues={"alpha": 1}), venues=venues)
    target = scenario.markets[0].model_copy(update={"open_interest": 5e9})
    scenario = scenario.model_copy(update={"markets": [target, *scenario.markets[1:]]})
    tables, listing = MarginTables.from_scenario(scenario), Listing.from_scenario(scenario)
    draft = draw_cohort(scenario.traders[0], scenario, tables, Streams(3))
    (scaled,) = scale_to_open_interest([draft], scenario, tables)
    assert scaled.topped_up > 0
    assert np.all(initial_margin(scaled, listing, tables) <= counted_equity(scaled, listing))


SLICES = {"kind": "partial", "slice": 0.5, "target_ratio": 1.3}


def path(*prices):
    """Return jumps that take BTC through prices, one a tick, from 100."""
    moves = zip([100.0, *prices], prices, strict=False)
    return [jump(b / a - 1.0, at=k + 1) for k, (a, b) in enumerate(moves)]


def test_an_account_that_healed_is_held_to_its_clearers_ratio_again(tmp_path):
    # 98 over 90.8 is below 1.1: half is sold, which leaves 98 over 45.4. Then 5 are held: 44.5
    # over 40.05 is above 1.1, and 41.5 over 39.75 is below.
    place = venue({"liquidation_ratio": 1.1}, [{"floor": 0, "rate": 0.1}], liquidation=SLICES)
    book = [("a", "t", "one", {"USDT": 190.0}, [("one/BTC-PERP", 10.0, 100.0)])]
    shocks = path(90.8, 80.1, 79.5)
    result = play(tmp_path, book, venues={"one": place}, shocks=shocks)
    assert [tick for (tick,) in sold(result, "tick")] == [1, 3]


def test_an_account_whose_call_is_lifted_is_held_to_its_clearers_ratio_again(tmp_path):
    # Equity 190 + 10 (p - 100) over a margin of p: 1.24 at 92.5, called; 1.9 at 100, lifted;
    # 1.079 at 90.8, below the ratio although the call has time left.
    rules = {"liquidation_ratio": 1.1, "call": {"level": 1.5, "grace": 60}}
    place = venue(rules, [{"floor": 0, "rate": 0.1}])
    book = [("a", "t", "one", {"USDT": 190.0}, [("one/BTC-PERP", 10.0, 100.0)])]
    result = play(tmp_path, book, venues={"one": place}, shocks=path(92.5, 100.0, 90.8))
    assert [tick for (tick,) in sold(result, "tick")] == [3]


def test_a_voluntary_order_needs_the_margin_that_open_interest_asks(tmp_path):
    # Open interest 400 of 100..700: the rate of 10 % has risen to 55 %.
    scaling = {"BTC": {"lower": 100, "upper": 700}}
    rules = {"maintenance_rate": 0.05, "initial_rate": 0.1, "open_interest_scaling": scaling}
    place = {"one": {"margin": {"kind": "cross", **rules}}}
    book = [("a", "t", "one", {"USDT": 400.0}, [("one/BTC-PERP", -4.0, 100.0)])]
    for deposit, filled in ((54.0, 0.0), (56.0, 100.0)):
        result = gamble(tmp_path, {1.0: [("BTC-PERP", 1.0)]}, deposit, accounts=book, venues=place)
        mine = result.cohorts[result.cohorts["cohort"] == "me"]
        assert mine["gross_notional"].tolist()[1] == pytest.approx(filled)
    rates = result.mechanisms[result.mechanisms["series"] == "initial_rate"]["value"].tolist()
    assert rates[0] == pytest.approx(0.55)
    accounts, _ = sim.margin_table(build(tmp_path, book, venues=place))
    assert accounts["initial_margin"].tolist() == pytest.approx([0.55 * 400.0])
