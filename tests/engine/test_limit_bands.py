"""Limit bands: prices held at a limit, orders cut at it, pauses, and bands that begin anew."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.engine.limit_bands import contracts_to_limit, fit_to_bands
from tests.engine.small_worlds import (
    build,
    events,
    jump,
    linear,
    longs,
    perp,
    play,
    price_at,
    sold,
    venue,
)
from tests.engine.test_halts import BTC, path, prices, series

WINDOW = 10


def banded(band=0.05, window=WINDOW, limit_time=3, pause=4, auction=None, **fields):
    """Return a venue with a limit band."""
    rule = {"kind": "limit_band", "band": band, "window": window}
    rule |= {"limit_time": limit_time, "pause": pause}
    rule |= {key: fields.pop(key) for key in ("of", "widened", "margin_stops") if key in fields}
    if auction is not None:
        rule["reopening"] = {"auction": auction}
    return venue(**fields, breakers=[rule])


def test_a_fall_is_held_at_the_limit_then_paused_then_let_go(tmp_path):
    # The published rule, in seconds: 5 % of the mean of 5 min, 15 s at the limit, 5 min of pause.
    rule = banded(window=300, limit_time=15, pause=300)
    result = play(tmp_path, venues={"one": rule}, shocks=[jump(-0.2, at=10)], horizon=600)
    halted, last = series(result, "halted"), prices(result)
    assert halted[:25] == [0] * 25
    assert halted[25:325] == [1] * 300
    assert halted[325:] == [0] * 275
    assert last[9:325] == pytest.approx([100] + [95] * 315)
    assert last[325:] == pytest.approx([80] * 275)
    low, high = series(result, "band_low"), series(result, "band_high")
    assert low[:26] == pytest.approx([95] * 26)
    assert high[:26] == pytest.approx([105] * 26)
    assert np.isnan(low[26:326]).all()  # the tick in which it comes back has no band
    assert low[326:] == pytest.approx([76] * 274)
    assert high[326:] == pytest.approx([84] * 274)


def test_a_price_that_comes_back_in_time_is_not_paused(tmp_path):
    points = path(100, 90, 90, 98, 98, 98, 98, 98)
    result = play(tmp_path, venues={"one": banded()}, shocks=[points], horizon=8)
    assert prices(result) == pytest.approx([100, 95, 95, *[98] * 5])
    assert not any(series(result, "halted"))


def test_a_rise_is_held_too_and_the_mean_follows_the_price(tmp_path):
    points = path(100, 104, 104, 104, 120, 120, 104)
    result = play(tmp_path, venues={"one": banded()}, shocks=[points], horizon=7)
    # Three of the ten prices of the window are 104, the others 100.
    high = 1.05 * 101.2
    assert series(result, "band_high")[4:7] == pytest.approx([high] * 3)
    assert prices(result) == pytest.approx([100, 104, 104, 104, high, high, 104])


def test_a_band_is_wider_at_times(tmp_path):
    rule = banded(widened=[{"at": 2, "duration": 2, "factor": 2}])
    points = path(100, 100, 91, 91, 91, 100)
    result = play(tmp_path, venues={"one": rule}, shocks=[points], horizon=6)
    assert series(result, "band_low")[:3] == pytest.approx([95, 95, 90])
    assert prices(result)[:4] == pytest.approx([100, 100, 91, 91])


def test_forced_orders_fill_to_the_limit_and_the_rest_waits(tmp_path):
    # Two accounts break at 96. Down to 95 there is room for 1 contract of the 3: 1/3 of each.
    book = longs((1, 10.5), (2, 21), (1, 90))
    rule = banded(limit_time=2, pause=3)
    result = play(tmp_path, book, venues={"one": rule}, markets=[perp(impact=linear(1.0))],
                  shocks=[jump(-0.04)], horizon=9)  # fmt: skip
    filled = events(result, "market", "account_id", "tick", "quantity", "close_out_price")
    assert filled[:2] == [
        ("a0", 1, pytest.approx(-1 / 3), pytest.approx(95.5)),
        ("a1", 1, pytest.approx(-2 / 3), pytest.approx(95.5)),
    ]
    assert prices(result)[1:6] == pytest.approx([95] * 5)
    assert series(result, "halted")[:8] == [0, 0, 0, 1, 1, 1, 0, 0]
    # The market comes back at tick 6 without a band and takes what is left.
    assert [row[1] for row in filled[2:]] == [6, 6]
    assert sum(row[2] for row in filled) == pytest.approx(-3)
    assert price_at(result, BTC, 6) == pytest.approx(93)


def test_orders_of_the_other_side_fill_entirely(tmp_path):
    board = _board(tmp_path, linear(1.0), low=95.0)
    board.last[0] = board.anchor[0] = 96.0
    market, change = np.zeros(4, dtype=np.int64), np.array([-4.0, -2.0, 1.5, 0.5])
    assert contracts_to_limit(board, 0, -1.0) == pytest.approx(1.0)
    assert contracts_to_limit(board, 0, 1.0) == np.inf
    # 2 are bought, so 3 of the 6 can be sold: half of each order.
    assert fit_to_bands(board, market, change) == pytest.approx([-2.0, -1.0, 1.5, 0.5])


def test_a_market_without_impact_stands_at_its_limit_and_fills_everything(tmp_path):
    board = _board(tmp_path, {"kind": "none"}, low=95.0)
    board.last[0] = board.anchor[0] = 95.0
    change = np.array([-100.0])
    assert fit_to_bands(board, np.zeros(1, dtype=np.int64), change) == pytest.approx(change)


def _board(tmp_path, impact, low=0.0, high=np.inf):
    from sim.engine.build import build_world

    scenario = build(tmp_path, longs((1, 90)), markets=[perp(impact=impact)])
    board = build_world(scenario, 0).board
    board.banded = True
    board.low[:], board.high[:] = low, high
    return board


IMPACTS = (
    linear(0.7),
    linear(0.7, resilience_half_life=5, permanent_share=0.3),
    {"kind": "square_root", "adv": 1e4, "sigma": 0.1},
    {"kind": "exponential", "floor": 20, "depth": 40},
    {"kind": "power", "adv": 1e4, "sigma": 0.1, "outstanding": 1e5},
)


@pytest.fixture(scope="module", params=IMPACTS, ids=lambda impact: impact["kind"])
def untouched(request, folder):
    """Return a board of one market, of which every example takes a copy."""
    return _board(folder, request.param)


@settings(max_examples=25)
@given(
    orders=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=6),
    last=st.floats(80, 120),
    anchor=st.floats(80, 120),
    band=st.floats(0.001, 0.3),
)
def test_cut_orders_never_push_a_price_out_of_its_band(untouched, orders, last, anchor, band):
    board = copy.deepcopy(untouched)
    board.low[:], board.high[:] = 100 * (1 - band), 100 * (1 + band)
    board.last[0], board.anchor[0] = last, anchor
    market, change = np.zeros(len(orders), dtype=np.int64), np.array(orders)
    fitted = fit_to_bands(board, market, change)
    assert (np.abs(fitted) <= np.abs(change)).all()
    assert (fitted * change >= 0.0).all()
    board.execute({0: {("trade:x", None): float(fitted.sum())}})
    low, high = min(board.low[0], last), max(board.high[0], last)
    assert low <= board.last[0] <= high
    # Orders are cut only where the price then stands at the limit.
    if not np.array_equal(fitted, change):
        edge = board.high[0] if change.sum() > 0 else board.low[0]
        beyond = last > edge if change.sum() > 0 else last < edge
        assert beyond or board.last[0] == pytest.approx(edge, rel=1e-6)


def test_voluntary_orders_and_arbitrage_stop_at_the_limit(tmp_path):
    stop = {"behaviour": {"kind": "stop_loss", "trigger": 0.03}}
    markets = [perp(impact=linear(1.0)), perp("two", impact=linear(1.0))]
    result = play(tmp_path, longs((5, 400)), source=stop, markets=markets,
                  venues={"one": banded(limit_time=100, window=1e6), "two": venue()},
                  shocks=[jump(-0.04)], horizon=6)  # fmt: skip
    assert prices(result)[1:] == pytest.approx([96, *[95] * 4])
    gross = result.cohorts.set_index("tick")["gross_notional"]
    assert gross[3] == pytest.approx(4 * 95)
    # The arbitrageur would take the first market to 89, half way to the other.
    tied = play(tmp_path, longs((1, 900)), markets=markets,
                venues={"one": banded(limit_time=100, window=1e6), "two": venue()},
                coupling=[{"kind": "arbitrage", "asset": "BTC", "time_constant": 0.01}],
                shocks=[jump(-0.3, venue="two")], horizon=6)  # fmt: skip
    assert min(prices(tied)) == pytest.approx(95)
    assert tied.summary["conservation_error"] < 1e-9


def test_orders_cut_to_nothing_leave_those_of_other_markets_alone(tmp_path):
    stop = {"behaviour": {"kind": "stop_loss", "trigger": 0.03}}
    books = [(BTC, 5), ("one/ETH-PERP", 5)]
    accounts = [
        (f"a{k}", f"t{k}", "one", {"USDT": 400}, [(market, size, 100)])
        for k, (market, size) in enumerate(books)
    ]
    result = play(tmp_path, accounts, source=stop,
                  markets=[perp(impact=linear(1.0)), perp(base="ETH")],
                  assets={"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 100}},
                  venues={"one": banded(of="BTC", limit_time=100, window=1e6)},
                  shocks=[jump(-0.1), jump(-0.1, asset="ETH")], horizon=6)  # fmt: skip
    # Bitcoin stands at its limit from the start of the tick; nothing of it can be sold.
    gross = result.cohorts.set_index("tick")["gross_notional"]
    assert gross[5] == pytest.approx(5 * 95)


def test_cross_impact_stops_at_the_limit(tmp_path):
    markets = [perp(impact=linear(1.0)), perp("two", impact=linear(1.0))]
    book = [("b", "tb", "two", {"USDT": 160}, [("two/BTC-PERP", 10, 100)])]
    result = play(tmp_path, book, markets=markets,
                  venues={"one": banded(limit_time=100), "two": venue()},
                  coupling=[{"kind": "cross_impact", "asset": "BTC", "phi": 1}],
                  shocks=[jump(-0.08, venue="two")], horizon=6)  # fmt: skip
    assert sold(result, "tick") == [(1,)]
    assert price_at(result, "two/BTC-PERP", 1) == pytest.approx(82)
    assert price_at(result, BTC, 1) == pytest.approx(95)


def test_a_market_wide_halt_ends_a_band_as_well(tmp_path):
    rule = banded(limit_time=100)
    rule["breakers"].append({"kind": "market_wide", "levels": [{"fall": 0.05, "pause": 2}]})
    result = play(tmp_path, venues={"one": rule}, shocks=[jump(-0.2)], horizon=6)
    assert prices(result) == pytest.approx([100, 95, 95, 80, 80, 80])
    assert series(result, "band_low")[4:] == pytest.approx([76, 76])


def test_orders_long_after_an_auction_are_cut_at_the_limit(tmp_path):
    # Nobody sends an order to the auction of tick 5; the stop is reached at tick 8, at 76.
    stop = {"behaviour": {"kind": "stop_loss", "trigger": 0.23}}
    rule = banded(window=1e6, limit_time=1, pause=2, auction=1)
    points = path(100, 80, 80, 80, 80, 80, 80, 80, 76.5, 76.5, 76.5)
    result = play(tmp_path, longs((5, 900)), source=stop, venues={"one": rule},
                  markets=[perp(impact=linear(1.0))], shocks=[points], horizon=11)  # fmt: skip
    assert prices(result) == pytest.approx([100, *[95] * 4, *[80] * 3, 76.5, *[76] * 2])
    # From 76.5 down to the limit of 76 there is room for half a contract.
    gross = result.cohorts.set_index("tick")["gross_notional"]
    assert gross[10] == pytest.approx(4.5 * 76)
