"""Market-wide halts, auctions and what goes on meanwhile."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

import sim
from sim.engine.auction import Auction, VoluntaryOrders
from sim.engine.batch import _mean_generation, _voluntary_share
from sim.engine.breakers import Breakers
from sim.engine.build import build_world
from tests.engine.small_worlds import (
    build,
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
    write_book,
)
from tests.engine.test_handwritten_trader import Gambler

LEVELS = [
    {"fall": 0.07, "pause": 3},
    {"fall": 0.13, "pause": 3},
    {"fall": 0.20, "pause": "rest"},
]
BTC = "one/BTC-PERP"


def halting(auction=None, levels=LEVELS, **fields):
    """Return a venue with a market-wide breaker."""
    known = ("of", "reference", "not_after", "margin_stops")
    breaker = {"kind": "market_wide", "levels": levels}
    breaker |= {key: fields.pop(key) for key in known if key in fields}
    if auction is not None:
        breaker["reopening"] = {"auction": auction}
    return venue(**fields, breakers=[breaker])


def series(result, name, market=BTC):
    """Return a recorded series of a market as a list by tick."""
    place, symbol = market.split("/")
    table = result.mechanisms
    chosen = (table["venue"] == place) & (table["symbol"] == symbol) & (table["series"] == name)
    return table.loc[chosen, "value"].tolist()


def prices(result, market=BTC):
    """Return the last prices of a market as a list by tick."""
    return [price_at(result, market, t) for t in sorted(set(result.prices["tick"]))]


def path(*points):
    """Return a path of the index: its price at each tick."""
    return {"kind": "path", "asset": "BTC", "points": [[t, p] for t, p in enumerate(points)]}


def index(tmp_path, shocks, **fields):
    """Play an index that starts at 5,000."""
    rule = {key: fields.pop(key) for key in list(fields) if key not in ("horizon", "tick")}
    return play(
        tmp_path,
        venues={"one": halting(**rule)},
        assets={"USDT": {"price": 1}, "BTC": {"price": 5000}},
        shocks=shocks,
        **fields,
    )


def test_us_levels_halt_at_the_published_prices(tmp_path):
    # 4,650, 4,350 and 4,000 of 5,000: a hair above them trading goes on.
    points = [5000, 4651, 4650, 4650, 4650, 4351, 4350, 4350, 4350, 4001, 4000, 3900, 3900]
    result = index(tmp_path, [path(*points)], horizon=13)
    assert series(result, "halted") == [0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1]
    assert prices(result)[2:11] == pytest.approx(
        [4650, 4650, 4650, 4351, 4350, 4350, 4350, 4001, 4000]
    )
    assert prices(result)[-1] == pytest.approx(4000)
    assert series(result, "indicative_price")[-1] == pytest.approx(3900)


def test_a_fall_that_jumps_over_levels_uses_them_up(tmp_path):
    result = index(tmp_path, [path(5000, 4300, 4300, 4300, 4600, 4600, 4300, 4300)], horizon=8)
    assert series(result, "halted") == [0, 1, 1, 1, 0, 0, 0, 0]


def test_late_in_the_day_only_the_last_level_halts(tmp_path):
    points = path(5000, 5000, 5000, 4500, 4300, 3999, 3999)
    result = index(tmp_path, [points], not_after=3, horizon=7)
    assert series(result, "halted") == [0, 0, 0, 0, 0, 1, 1]
    just = index(tmp_path, [path(5000, 5000, 4500, 4500)], not_after=3, horizon=6)
    assert series(just, "halted") == [0, 0, 1, 1, 1, 0]


def test_a_new_window_takes_a_new_reference_and_ends_the_rest(tmp_path):
    # The day is 5 ticks, and the close of the first one 4,000, the last price before the halt.
    rule = {"levels": [{"fall": 0.12, "pause": "rest"}], "reference": {"window": 5}}
    day = [5000, 4900, 4500, 4000, 3700]
    result = index(tmp_path, [path(*day, 3700, 3600, 3500)], horizon=8, **rule)
    assert series(result, "halted") == [0, 0, 0, 1, 1, 0, 0, 1]
    assert prices(result)[4:6] == pytest.approx([4000, 3700])
    deeper = index(tmp_path, [path(*day, 3500, 3500, 3500)], horizon=12, **rule)
    assert series(deeper, "halted") == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0]


def test_a_halted_market_trades_nothing_and_catches_up(tmp_path):
    shocks, venues = [jump(-0.15), jump(-0.1, at=2)], {"one": halting(levels=LEVELS[:2])}
    result = play(tmp_path, longs((1, 20)), venues=venues, shocks=shocks, horizon=6)
    # Tick 1 breaks the account at 85 and halts; it is sold when trading goes on, at 76.5.
    assert prices(result) == pytest.approx([100, 85, 85, 85, 76.5, 76.5])
    assert price_at(result, BTC, 3, "mark_price") == pytest.approx(85)
    assert causes_at(result, BTC, 4) == pytest.approx({"exogenous": log(0.9)})
    assert sold(result, "tick", "shortfall") == [(4, pytest.approx(3.5))]
    assert [venue_at(result, "one", t, "halted") for t in range(6)] == [
        False, True, True, True, False, False,
    ]  # fmt: skip


def test_a_halt_stops_a_cascade_between_two_generations(tmp_path):
    # Sold one after the other, each fall of 5 breaks the next account; the halt is at 93.
    book = longs(*[(5, 5 * margin) for margin in (10, 14, 19, 25)])
    fields = {"markets": [perp(impact=linear(1.0))], "shocks": [jump(-0.01)], "horizon": 5}
    free = play(tmp_path, book, **fields)
    assert [tick for (tick,) in sold(free, "tick")] == [1, 1, 1]
    assert price_at(free, BTC, 1) == pytest.approx(84)
    held = play(tmp_path, book, venues={"one": halting()}, **fields)
    assert [tick for (tick,) in sold(held, "tick")] == [1, 1, 4]
    assert price_at(held, BTC, 1) == pytest.approx(89)


def test_other_venues_trade_on_and_an_index_does_without_the_halted_market(tmp_path):
    venues = {"one": halting(levels=LEVELS[:2]), "two": venue()}
    venues["three"] = venue(mark={"kind": "index"})
    book = [*longs((1, 20)), ("b", "tb", "two", {"USDT": 20}, [("two/BTC-PERP", 1, 100)])]
    markets = [perp(), perp("two"), perp("three")]
    result = play(tmp_path, book, venues=venues, markets=markets,
                  shocks=[jump(-0.15), jump(-0.2, at=2)], horizon=6)  # fmt: skip
    assert sold(result, "account_id", "tick") == [("b", 1), ("a0", 4)]
    assert price_at(result, "two/BTC-PERP", 2) == pytest.approx(68)
    assert price_at(result, "three/BTC-PERP", 2, "mark_price") == pytest.approx(68)
    assert [venue_at(result, "two", t, "halted") for t in (1, 2)] == [False, False]


def test_margin_checks_go_on_unless_they_stop_too(tmp_path):
    # A position on a second venue is cleared by the first, whose markets are halted.
    book = [("a", "t", "one", {"USDT": 20}, [("two/BTC-PERP", 1, 100)])]
    for stops, tick in ((False, 1), (True, 4)):
        result = play(
            tmp_path,
            book,
            venues={"one": halting(margin_stops=stops), "two": venue()},
            markets=[perp(), perp("two")],
            shocks=[jump(-0.15)],
        )
        assert sold(result, "tick") == [(tick,)]


def test_an_outage_during_a_halt_holds_the_reopening_up(tmp_path):
    outage = {"kind": "outage", "venue": "one", "at": 2, "duration": 4}
    for auction, back in ((None, 6), (2, 8)):
        result = play(tmp_path, longs((1, 20)), venues={"one": halting(auction)},
                      shocks=[jump(-0.15), outage], horizon=10)  # fmt: skip
        assert sold(result, "tick") == [(back,)]
        halted = [venue_at(result, "one", t, "halted") for t in range(10)]
        assert halted == [0 < t < back for t in range(10)]
    # An outage that is over before the pause changes nothing.
    short = {**outage, "duration": 1}
    result = play(tmp_path, longs((1, 20)), venues={"one": halting()}, shocks=[jump(-0.15), short])
    assert sold(result, "tick") == [(4,)]


def test_a_halt_at_the_last_tick(tmp_path):
    result = play(tmp_path, longs((1, 20)), venues={"one": halting()}, shocks=[jump(-0.15, at=4)])
    assert result.liquidations.empty
    assert venue_at(result, "one", 4, "halted")
    assert price_at(result, BTC, 4) == pytest.approx(85)


ASSETS = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}}
SHORT = ("s", "ts", "one", {"USDT": 30}, [(BTC, -1, 100), ("two/ETH-PERP", 10, 10)])
"""Broken by a fall of ETH elsewhere: it has to buy BTC back."""


def meeting(tmp_path, auction, money, **source):
    """Play `SHORT` and a long of BTC that both want out while BTC is halted at 92."""
    return play(
        tmp_path,
        [*longs((1, money))] if source else [*longs((1, money)), SHORT],
        venues={"one": halting(auction), "two": venue()},
        markets=[perp(impact=linear(5.0)), perp("two", "ETH")],
        assets=ASSETS,
        shocks=[jump(-0.08), jump(-0.3, asset="ETH")],
        horizon=8,
        **source,
    )


def test_waiting_orders_cross_in_the_auction_without_moving_the_price(tmp_path):
    result = meeting(tmp_path, 2, 17)
    assert sold(result, "account_id", "symbol", "tick", "close_out_price") == [
        ("s", "ETH-PERP", 1, pytest.approx(7)),
        ("a0", "BTC-PERP", 6, pytest.approx(92)),
        ("s", "BTC-PERP", 6, pytest.approx(92)),
    ]
    assert prices(result) == pytest.approx([100, *[92] * 7])


def test_voluntary_and_forced_orders_meet_in_an_auction_alone(tmp_path):
    stop = {"behaviour": {"kind": "stop_loss", "trigger": 0.05}}
    forced = {"book": write_book(tmp_path, [SHORT], "forced"), "name": "forced"}
    met = meeting(tmp_path, 2, 90, source=stop, traders=[forced])
    assert sold(met, "tick", "close_out_price")[1:] == [(6, pytest.approx(92))]
    assert prices(met) == pytest.approx([100, *[92] * 7])
    assert met.cohorts.groupby("tick")["gross_notional"].sum()[7] == 0.0
    # Without an auction the stop goes first, and its sale makes the short whole again.
    apart = meeting(tmp_path, None, 90, source=stop, traders=[forced])
    assert sold(apart, "tick")[1:] == []
    assert prices(apart) == pytest.approx([100, 92, 92, 92, *[87] * 4])


def test_a_voluntary_order_alone_has_its_auction_too(tmp_path):
    stop = {"behaviour": {"kind": "stop_loss", "trigger": 0.05}}
    result = play(tmp_path, longs((2, 150)), source=stop, venues={"one": halting(2)},
                  markets=[perp(impact=linear(1.0))], shocks=[jump(-0.1)], horizon=8)  # fmt: skip
    assert prices(result) == pytest.approx([100, *[90] * 5, 88, 88])
    assert price_at(result, BTC, 6, "mark_price") == pytest.approx(88)
    assert series(result, "halted") == [0, 1, 1, 1, 1, 1, 0, 0]


def test_several_markets_are_measured_by_their_mean_fall(tmp_path):
    assets = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}}
    markets = [perp(), perp(base="ETH")]
    for of, halts in ((None, False), ("BTC", True), (["ETH-PERP"], False), (["BTC", "ETH"], False)):
        result = play(
            tmp_path, venues={"one": halting(of=of)}, markets=markets, assets=assets,
            shocks=[jump(-0.08)],
        )  # fmt: skip
        for market in (BTC, "one/ETH-PERP"):
            assert bool(series(result, "halted", market)[1]) is halts


def test_a_halt_does_not_stop_funding(tmp_path):
    # The market stands at 98 while the other venue's falls on; its premium is paid on the way.
    rule = venue(breakers=[{"kind": "market_wide", "levels": [{"fall": 0.02, "pause": 5}]}],
                 funding={"interval": 4, "period": 4, "interest": 0, "clamp": 0})  # fmt: skip
    falls = [jump(-0.02, at=1), jump(-0.5, at=2)]
    result = play(tmp_path, longs((1, 500)), venues={"one": rule, "two": venue()},
                  markets=[perp(), perp("two")], shocks=falls, horizon=6)  # fmt: skip
    assert series(result, "halted") == [0, 1, 1, 1, 1, 1]
    assert series(result, "premium")[1:] == pytest.approx([0, 0.5, 2 / 3, 0.75, 1])
    assert series(result, "funding_paid") == pytest.approx([0, 0, 0, 0, 0.75 * 98, 0.75 * 98])


def gambles(tmp_path, orders, accounts=(), depth=0.01, **fields):
    """Play a hand-written trader with 1,000 on a market that is halted at 1 and opens at 6."""
    fields.setdefault("shocks", [jump(-0.08)])
    fields.setdefault("venues", {"one": halting(2)})
    scenario = build(tmp_path, accounts, horizon=14, markets=[perp(impact=linear(depth))], **fields)
    plan = Gambler.plan("me", venue="one", deposit={"USDT": 1000.0}, positions=None, orders=orders)
    return sim.run(scenario, traders=[plan], check=True)


def notional(result, cohort="me"):
    """Return the notional of a cohort by tick."""
    return result.cohorts.query("cohort == @cohort")["gross_notional"].tolist()


BACKSTOP = {"kind": "backstop", "capital": 1e6, "trigger_ratio": 1, "price": "mark", "unwind": 2}
OTHER = ("s", "ts", "one", {"USDT": 5000}, [(BTC, -10, 100)])


def backstopped(auction):
    return {
        "one": halting(auction, maintenance_rate=0.05, waterfall=[BACKSTOP, {"kind": "clearer"}])
    }


@pytest.mark.parametrize("later", [{}, {7.0: [("BTC-PERP", 2.0)]}])
def test_an_auction_is_held_though_a_backstop_takes_everybody_over(later, tmp_path):
    book = [("a", "t", "one", {"USDT": 120}, [(BTC, 10, 100)]), OTHER]
    result = gambles(
        tmp_path,
        {6.0: [("BTC-PERP", 3.0)], **later},
        book,
        venues=backstopped(2),
        shocks=[jump(-0.071), jump(-0.03, at=3)],
    )
    assert events(result, "backstop", "tick", "account_id") == [(6, "a")]
    contracts = [held / price for held, price in zip(notional(result), prices(result), strict=True)]
    assert contracts[5:8] == pytest.approx([0, 3, 5 if later else 3])


def test_a_backstop_takes_nobody_over_whose_market_is_halted(tmp_path):
    # At 92 the long has 20 of the 46.5 that it needs. It can sell its ETH, which still trades;
    # the backstop takes the BTC when they trade again, at what they are worth then.
    book = [("a", "t", "one", {"USDT": 100}, [(BTC, 10, 100), ("two/ETH-PERP", 1, 10)]), OTHER]
    result = play(
        tmp_path,
        book,
        venues={**backstopped(None), "two": venue()},
        markets=[perp(), perp("two", "ETH")],
        assets=ASSETS,
        shocks=[jump(-0.08), jump(-0.01, at=2)],
        horizon=8,
    )
    assert sold(result, "tick", "symbol") == [(1, "ETH-PERP")]
    columns = ("tick", "symbol", "close_out_price")
    assert events(result, "backstop", *columns) == [(4, "BTC-PERP", pytest.approx(91.08))]


def test_no_order_waits_for_an_auction_that_is_over(tmp_path, monkeypatch):
    held, settle = [], Auction.settle
    monkeypatch.setattr(Auction, "settle", lambda *args: held.append(args[1].tick) or settle(*args))
    # Nobody sends an order to the auction at 6; one sent at 11 is an order like any other.
    result = gambles(tmp_path, {11.0: [("BTC-PERP", 3.0)]})
    assert held == []
    assert notional(result)[10:12] == pytest.approx([0, 3 * 92.03], rel=1e-4)
    gambles(tmp_path, {6.0: [("BTC-PERP", 1.0)], 11.0: [("BTC-PERP", 3.0)]})
    assert held == [6]


def test_a_market_that_is_halted_again_holds_no_auction(tmp_path):
    book = longs((1, 100))
    world = build_world(build(tmp_path, book, venues={"one": halting(2)}), 0)
    breakers, everywhere = Breakers(world), np.ones(1, dtype=bool)
    world.auction.call(everywhere)
    slots = world.ledger.position_start[:1].astype(np.int64)
    world.auction.waiting = VoluntaryOrders(slots, -np.ones(1), 0 * slots, np.ones(1))
    world.auction.causes = ["trade:me"]
    breakers.halts.halt(everywhere, 9, breakers.levels[0].config)
    assert not world.auction.calling.any()
    flow = {}
    world.auction.join(world, flow)
    assert flow == {}
    assert not len(world.auction.waiting.slot)


def test_who_breaks_by_voluntary_orders_of_an_auction_is_no_victim_of_the_cascade(tmp_path):
    # A forced sale of 1 and a voluntary one of 5 meet at 6 and take the price from 92 to 86.
    book = [*longs((1, 17), (1, 19)), OTHER]
    once = {"one": halting(2, LEVELS[:1])}
    alone = gambles(tmp_path, {}, book, depth=6.0, venues=once)
    assert sold(alone, "tick", "account_id", "generation") == [(6, "a0", 0), (6, "a1", 1)]
    met = gambles(tmp_path, {6.0: [("BTC-PERP", -5.0)]}, book, depth=1.0, venues=once)
    assert sold(met, "tick", "account_id", "generation") == [(6, "a0", 0), (6, "a1", 0)]


def test_voluntary_orders_leave_the_mean_generation_of_a_batch_alone(tmp_path):
    world = build_world(build(tmp_path, longs((1, 100), (1, 100))), 0)
    flow = {0: {("liquidation:one", 3): -1.0, ("liquidation:one", 1): -1.0, ("trade", None): -6.0}}
    world.label[:2] = 3, 1
    assert _mean_generation(world, flow, np.arange(2)).tolist() == [2]
    assert _voluntary_share(world, flow).tolist() == [0.75]
    flow[0]["trade", None] = 1.0  # what the netting absorbs moves nothing
    assert _voluntary_share(world, flow).tolist() == [0]
