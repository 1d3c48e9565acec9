"""Market-wide halts, auctions and what goes on meanwhile."""

from __future__ import annotations

from math import log

import pytest

from tests.engine.small_worlds import (
    causes_at,
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
