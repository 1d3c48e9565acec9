"""Backstops by hand: who is taken over, at what price, what is sold when, and who pays at last.

A long of 10 contracts at 100 with 150 of collateral has, at a price p, an equity of 10 p - 850 and
a maintenance margin of p (rate 0.1). It is liquidatable below 94.44; below two thirds of its
margin, from 91.07 down, the backstop takes it; below 85 it is bankrupt.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import sim
from tests.engine.small_worlds import (
    causes_at,
    events,
    jump,
    linear,
    longs,
    perp,
    play,
    price_at,
    sold,
    venue,
    venue_at,
)

LONG = (10, 150)


def backstopped(*layers, maintenance_rate=0.1, fund=None, **backstop):
    """Return a venue with a backstop of 1,000 that sells over 4 s, and what comes after it."""
    rule = {"kind": "backstop", "capital": 1000, "unwind": 4, **backstop}
    first = [] if fund is None else [{"kind": "insurance_fund", "size": fund}]
    return venue(maintenance_rate, waterfall=[*first, rule, *(layers or [{"kind": "adl"}])])


def series(result, name, market=""):
    """Return a recorded series of the first venue, by tick."""
    table = result.mechanisms
    chosen = (table["series"] == name) & (table["symbol"] == market)
    return table.loc[chosen, "value"].tolist()


@pytest.mark.parametrize("price", ["mark", "bankruptcy"])
def test_a_takeover_moves_everything_and_sells_in_equal_parts(tmp_path, price):
    result = play(
        tmp_path,
        longs(LONG),
        venues={"one": backstopped(price=price)},
        shocks=[jump(-0.1)],
        horizon=8,
    )
    # At 90 the account has 50 left: 5 a contract, so it is bankrupt at 85.
    paid = {"mark": 90, "bankruptcy": 85}[price]
    columns = ("tick", "account_id", "quantity", "mark_price", "close_out_price")
    assert events(result, "backstop", *columns) == [(1, "a0", -10, 90, pytest.approx(paid))]
    assert events(result, "backstop", "bankruptcy_price", "fee", "shortfall") == [
        (pytest.approx(85), 0, 0)
    ]
    assert not sold(result, "quantity")
    summary = result.summary
    assert summary["backstop_notional"] == venue_at(result, "one", 1, "backstop_notional") == 900
    assert summary["liquidated_notional"] == summary["shortfall"] == 0
    assert summary["accounts_liquidated"] == 1
    # The account is left with nothing: what it had is the backstop's.
    assert result.cohorts.query("tick == 1")["equity"].tolist() == [pytest.approx(0, abs=1e-12)]
    assert series(result, "backstop_equity") == pytest.approx([1000] + 7 * [1050])
    assert series(result, "backstop_position", "BTC-PERP") == [0, 10, 7.5, 5, 2.5, 0, 0, 0]
    assert series(result, "backstop_inventory") == [0, 900, 675, 450, 225, 0, 0, 0]


@pytest.mark.parametrize(
    ("fall", "kind"), [(-0.0892, "market"), (-0.0893, "backstop"), (-0.151, "adl")]
)
def test_it_takes_who_is_below_two_thirds_and_not_bankrupt(tmp_path, fall, kind):
    accounts = [*longs(LONG), ("s", "ts", "one", {"USDT": 1e4}, [("one/BTC-PERP", -10, 100)])]
    result = play(tmp_path, accounts, venues={"one": backstopped()}, shocks=[jump(fall)])
    assert set(result.liquidations["kind"]) == {kind}


def test_it_takes_the_bankrupt_too_where_it_is_meant_to(tmp_path):
    result = play(
        tmp_path,
        longs(LONG),
        venues={"one": backstopped(takes_negative=True, trigger_ratio=0)},
        shocks=[jump(-0.2)],
        horizon=8,
    )
    assert events(result, "backstop", "quantity", "shortfall") == [(-10, 0)]
    # 150 - 10 (100 - 80) = -50, which it paid.
    assert series(result, "backstop_equity")[-1] == pytest.approx(950)
    assert result.summary["shortfall"] == 0


def test_what_it_sells_moves_the_price_as_a_cause_of_its_own(tmp_path):
    result = play(
        tmp_path,
        longs(LONG),
        venues={"one": backstopped()},
        markets=[perp(impact=linear(0.4))],
        shocks=[jump(-0.1)],
        horizon=7,
    )
    assert [price_at(result, "one/BTC-PERP", t) for t in range(7)] == pytest.approx(
        [100, 90, 89, 88, 87, 86, 86]  # 2.5 contracts a tick
    )
    assert set(causes_at(result, "one/BTC-PERP", 1)) == {"exogenous"}
    for tick in (2, 3, 4, 5):
        assert set(causes_at(result, "one/BTC-PERP", tick)) == {"backstop:one"}
    # Sold at 89.5, 88.5, 87.5 and 86.5, that is 20 below 90 in all.
    assert series(result, "backstop_equity")[-1] == pytest.approx(
        1050 - 2.5 * (0.5 + 1.5 + 2.5 + 3.5)
    )


def test_whom_its_sales_break_begins_a_cascade_of_generation_0(tmp_path):
    # The second long is liquidatable below 88.9: 10 p - 800 < p.
    accounts = longs(LONG, (10, 200))
    result = play(
        tmp_path,
        accounts,
        venues={"one": backstopped()},
        markets=[perp(impact=linear(0.4))],
        shocks=[jump(-0.1)],
        horizon=7,
    )
    assert events(result, "backstop", "account_id", "tick", "generation") == [("a0", 1, 0)]
    assert sold(result, "account_id", "tick", "generation") == [("a1", 3, 0)]


def test_a_further_takeover_spreads_the_whole_position_anew(tmp_path):
    # At 80 the second long has 10 p - 770 = 30 of the 53.3 that the line asks for.
    result = play(
        tmp_path,
        longs(LONG, (10, 230)),
        venues={"one": backstopped()},
        shocks=[jump(-0.1), jump(-1 / 9, at=3)],
        horizon=9,
    )
    assert series(result, "backstop_position", "BTC-PERP") == [
        0, 10, 7.5, 15, 11.25, 7.5, 3.75, 0, 0,
    ]  # fmt: skip


def test_longs_and_shorts_that_it_holds_cancel(tmp_path):
    # At 105 the short has 51 of the 70 that the line asks for.
    accounts = [*longs(LONG), ("s", "ts", "one", {"USDT": 101}, [("one/BTC-PERP", -10, 100)])]
    result = play(
        tmp_path,
        accounts,
        venues={"one": backstopped(unwind=100)},
        shocks=[jump(-0.1), jump(1 / 6, at=2)],
        horizon=4,
    )
    assert [row[0] for row in events(result, "backstop", "account_id")] == ["a0", "s"]
    # 0.1 of the 10 was sold before it took the short.
    assert series(result, "backstop_position", "BTC-PERP")[2] == pytest.approx(-0.1)


@pytest.mark.parametrize(
    ("limits", "taken"),
    [
        ({}, ["a0", "a1"]),
        # Equity 1000 + 40 + 50: both are 1800.
        ({"most_leverage": 1800 / 1090}, ["a0", "a1"]),
        ({"most_leverage": 1799 / 1090}, ["a0"]),
        ({"most_notional": 1800}, ["a0", "a1"]),
        ({"most_notional": 1799}, ["a0"]),
        ({"most_notional": 899}, []),
    ],
)
def test_who_does_not_fit_stays_in_the_batch(tmp_path, limits, taken):
    # a0 is the further below the line, 40 against 50 of 60.
    rule = backstopped({"kind": "socialise"}, **limits)
    result = play(
        tmp_path, longs((10, 140), LONG), venues={"one": rule}, shocks=[jump(-0.1)], horizon=3
    )
    assert [row[0] for row in events(result, "backstop", "account_id")] == taken
    market = [row[0] for row in sold(result, "account_id")]
    assert sorted(taken + market) == ["a0", "a1"]


def test_a_smaller_account_is_taken_where_a_larger_one_does_not_fit(tmp_path):
    rule = backstopped({"kind": "socialise"}, most_notional=500)
    result = play(
        tmp_path, longs((10, 140), (2, 30)), venues={"one": rule}, shocks=[jump(-0.1)], horizon=3
    )
    assert [row[0] for row in events(result, "backstop", "account_id")] == ["a1"]
    assert [row[0] for row in sold(result, "account_id")] == ["a0"]


SMALL = {"capital": 100, "most_leverage": 100, "unwind": 2}
FALLS = [jump(-0.1), jump(-0.4, at=2)]
"""It takes 10 at 90 with 50, and has 150; at 54 it has lost 360 and owes 210."""


@pytest.mark.parametrize(
    ("fund", "after", "used", "socialised", "own"),
    [
        (None, "adl", 0, 0, 210),
        (60, "adl", 60, 0, 150),
        (1000, "adl", 210, 0, 0),
        (60, "socialise", 60, 150, 0),
        (None, "socialise", 0, 210, 0),
    ],
)
def test_its_debt_goes_down_the_rest_of_the_waterfall(tmp_path, fund, after, used, socialised, own):
    rich = [("rich", "tr", "one", {"USDT": 1000}, [("one/BTC-PERP", -1, 100)])]
    rule = backstopped({"kind": after}, fund=fund, **SMALL)
    result = play(tmp_path, longs(LONG) + rich, venues={"one": rule}, shocks=FALLS, horizon=6)
    assert series(result, "backstop_equity") == pytest.approx([100, 150, -210, 0, 0, 0], abs=1e-9)
    summary = result.summary
    assert summary["shortfall"] == pytest.approx(210)
    assert summary["insurance_fund_used"] == pytest.approx(used)
    assert summary["socialised_loss"] == pytest.approx(socialised)
    assert summary["uncovered_shortfall"] == pytest.approx(own)
    rows = result.liquidations.query("shortfall > 0")
    assert rows["shortfall"].sum() == pytest.approx(210)
    assert set(rows["account_id"]) == {"a0"}
    assert set(rows["symbol"]) == {""}
    assert rows["tick"].tolist() == len(rows) * [3]
    # 1000 and 46 of profit on its short, less what it paid.
    equity = result.cohorts.query("tick == 5")["equity"].sum()
    assert equity == pytest.approx(1046 - socialised)


def test_a_backstop_that_owed_money_takes_nothing_more(tmp_path):
    # The second long is below the line from tick 4 on, when the first backstop money is gone.
    accounts = longs(LONG, (10, 570))
    rule = backstopped({"kind": "adl"}, **SMALL)
    shocks = [*FALLS, jump(-0.15, at=4)]
    result = play(tmp_path, accounts, venues={"one": rule}, shocks=shocks, horizon=7)
    assert [row[0] for row in events(result, "backstop", "account_id", "symbol") if row[1]] == [
        "a0"
    ]
    assert [row[0] for row in sold(result, "account_id")] == ["a1"]


def test_it_takes_nothing_while_its_equity_is_gone(tmp_path):
    # Half of 10 is still held at -10 when the second long falls below the line at 54.
    accounts = longs(LONG, (10, 490))
    rule = backstopped({"kind": "adl"}, capital=100, most_leverage=100, unwind=10)
    result = play(tmp_path, accounts, venues={"one": rule}, shocks=FALLS, horizon=4)
    assert [row[0] for row in events(result, "backstop", "account_id")] == ["a0"]
    assert [row[0] for row in sold(result, "account_id")] == ["a1"]


def test_it_waits_while_its_venue_is_down(tmp_path):
    result = play(
        tmp_path,
        longs(LONG),
        venues={"one": backstopped()},
        shocks=[jump(-0.1), {"kind": "outage", "venue": "one", "at": 3, "duration": 3}],
        horizon=10,
    )
    assert series(result, "backstop_position", "BTC-PERP") == [
        0, 10, 7.5, 7.5, 7.5, 7.5, 5, 2.5, 0, 0,
    ]  # fmt: skip


def test_it_needs_no_book_to_take_but_one_to_sell(tmp_path):
    result = play(
        tmp_path,
        longs(LONG),
        venues={"one": backstopped()},
        shocks=[jump(-0.1), {"kind": "depth", "at": 0, "until": 3, "factor": 0}],
        markets=[perp(impact=linear(1e-9))],
        horizon=8,
    )
    assert events(result, "backstop", "tick", "quantity") == [(1, -10)]
    assert series(result, "backstop_position", "BTC-PERP") == [0, 10, 10, 7.5, 5, 2.5, 0, 0]


def test_it_takes_collateral_in_kind_and_turns_it_into_cash(tmp_path):
    # 4 ETH of 50, of which the clearer counts half: 100, and a debt of 0 to begin with.
    assets = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 50, "haircut": 0.5}}
    accounts = [("a", "t", "one", {"USDT": 50, "ETH": 4}, [("one/BTC-PERP", 10, 100)])]
    results = {
        price: play(
            tmp_path,
            accounts,
            assets=assets,
            venues={"one": backstopped(price=price, unwind=100)},
            shocks=[jump(-0.1), jump(1.0, at=2, asset="ETH")],
            horizon=4,
        )
        for price in ("mark", "bankruptcy")
    }
    # At the mark it gets all that the account has, 50 - 100 + 200, and holds no ETH when that
    # doubles. At the bankruptcy price it gets what the clearer counts, 50; the desk has the rest.
    assert series(results["mark"], "backstop_equity") == pytest.approx([1000, 1150, 1150, 1150])
    assert series(results["bankruptcy"], "backstop_equity") == pytest.approx([1000, *3 * [1050]])


def test_a_clearer_takes_positions_on_other_venues_only_while_they_are_up(tmp_path):
    venues = {"broker": backstopped(), "one": venue()}
    accounts = [("a", "t", "broker", {"USDT": 150}, [("one/BTC-PERP", 10, 100)])]
    shocks = [jump(-0.1), {"kind": "outage", "venue": "one", "at": 2, "duration": 2}]
    result = play(
        tmp_path, accounts, venues=venues, markets=[perp("one")], shocks=shocks, horizon=8
    )
    assert events(result, "backstop", "tick", "clearer", "venue") == [(1, "broker", "one")]
    assert series(result, "backstop_inventory") == [0, 900, 900, 900, 675, 450, 225, 0]
    late = [jump(-0.1), {"kind": "outage", "venue": "one", "at": 1, "duration": 2}]
    result = play(tmp_path, accounts, venues=venues, markets=[perp("one")], shocks=late, horizon=8)
    assert events(result, "backstop", "tick") == [(3,)]


HYPERLIQUID = {
    "preset": "hyperliquid",
    "mark": {"kind": "last"},
    "waterfall": [{"kind": "backstop", "capital": 1e8}, {"kind": "adl"}],
}


@pytest.mark.parametrize(
    ("price", "first"),
    [(95_189.88, None), (95_189.86, ("market", -10)), (94_789.93, ("market", -10)),
     (94_789.91, ("backstop", -50))],
)  # fmt: skip
def test_the_lines_of_hyperliquid(tmp_path, price, first):
    # 50 BTC long at 100,000 with 300,000: liquidation at 95,189.87, the vault at 94,789.92.
    result = play(
        tmp_path,
        longs((50, 300_000), market="hl/BTC-PERP", entry=100_000),
        assets={"USDT": {"price": 1}, "BTC": {"price": 100_000}},
        venues={"hl": HYPERLIQUID},
        markets=[perp("hl")],
        shocks=[jump(price / 100_000 - 1)],
        horizon=2,
    )
    rows = list(result.liquidations[["kind", "quantity"]].itertuples(False, None))
    assert rows[:1] == ([] if first is None else [first])


def test_liquidity_providers_take_everything_at_the_bankruptcy_price(tmp_path):
    providers = {
        "kind": "backstop",
        "capital": 1e6,
        "trigger_ratio": 1,
        "price": "bankruptcy",
        "unwind": 1,
    }
    kraken = {"preset": "kraken-futures", "mark": {"kind": "last"}}
    kraken["waterfall"] = [providers, {"kind": "adl"}]
    result = play(
        tmp_path,
        longs((1, 1500), market="k/BTC-PERP", entry=100_000),
        assets={"USDT": {"price": 1}, "BTC": {"price": 100_000}},
        venues={"k": kraken},
        markets=[perp("k")],
        shocks=[jump(-0.01)],
        horizon=4,
    )
    # 1500 are gone at 98,500, 500 below the mark: that is the providers' gain.
    assert events(result, "backstop", "close_out_price", "quantity") == [
        (pytest.approx(98_500), -1)
    ]
    assert not sold(result, "quantity")
    assert series(result, "backstop_equity") == pytest.approx([1e6, *3 * [1e6 + 500]])


SCENARIO = Path(sim.__file__).parents[1] / "scenarios" / "venues" / "backstop-takeover.yaml"


def test_the_bundled_scenario_shows_what_it_says():
    result = sim.run(sim.load(SCENARIO))
    large, small = (result.summary["venues"][name] for name in ("large", "small"))
    assert large["shortfall"] == 0
    assert large["backstop_notional"] > 4 * small["backstop_notional"]
    assert small["insurance_fund_used"] == pytest.approx(small["shortfall"])
    rows = result.liquidations.query("kind == 'backstop' and symbol == ''")
    assert rows["shortfall"].sum() == pytest.approx(1.7e6, rel=0.02)
    assert rows["time"].unique().tolist() == [pytest.approx(32.5 * 60)]
    equity = result.mechanisms.query("venue == 'large' and series == 'backstop_equity'")["value"]
    assert equity.iloc[-1] == pytest.approx(187e6, rel=0.005)
    at = result.prices.query("time == 210").set_index("venue")["last_price"] / 100_000 - 1
    assert at.to_dict() == pytest.approx({"large": -0.086, "small": -0.116}, abs=5e-4)


def test_what_a_takeover_leaves_is_owed_where_it_was_lost(tmp_path):
    # The long of bitcoin loses 800 and had 150; its price of bankruptcy would be below zero.
    book = ("a", "t", "one", {"USDT": 150}, [("one/BTC-PERP", 10, 100), ("one/ETH-PERP", 1, 10)])
    layers = [
        {"kind": "insurance_fund", "sizes": {"BTC-PERP": 1e4, "ETH-PERP": 1e4}},
        {"kind": "backstop", "capital": 1e4, "price": "bankruptcy", "takes_negative": True},
        {"kind": "clearer"},
    ]
    result = play(
        tmp_path,
        [book],
        venues={"one": venue(waterfall=layers)},
        markets=[perp(), perp(base="ETH")],
        assets={"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}},
        shocks=[jump(-0.8)],
        horizon=3,
    )
    assert events(result, "backstop", "symbol") == [("BTC-PERP",), ("ETH-PERP",)]
    lost = result.summary["venues"]["one"]["layers"]["insurance_fund"]
    assert lost > 100
    assert series(result, "contract_fund", "BTC-PERP")[-1] == pytest.approx(1e4 - lost)
    assert series(result, "contract_fund", "ETH-PERP")[-1] == pytest.approx(1e4)


def test_nothing_is_taken_over_in_a_halted_market(tmp_path):
    # Ether stands at its limit at 1 s and is halted at 2 s, when bitcoin breaks the account.
    book = ("a", "t", "one", {"USDT": 200}, [("one/BTC-PERP", 10, 100), ("one/ETH-PERP", 1, 10)])
    band = {"kind": "limit_band", "of": "ETH", "band": 0.05, "limit_time": 0, "pause": 3}
    rule = backstopped() | {"breakers": [band]}
    played = {
        "markets": [perp(), perp(base="ETH")],
        "assets": {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}},
        "shocks": [jump(-0.1, asset="ETH"), jump(-0.15, at=2)],
        "horizon": 4,
    }
    halted = play(tmp_path, [book], venues={"one": rule}, **played)
    assert not events(halted, "backstop", "symbol")
    assert sold(halted, "tick", "symbol") == [(2, "BTC-PERP")]
    free = play(tmp_path, [book], venues={"one": backstopped()}, **played)
    assert events(free, "backstop", "tick", "symbol") == [(2, "BTC-PERP"), (2, "ETH-PERP")]
