"""Which price margin looks at decides who breaks, and when."""

from __future__ import annotations

import pytest

from tests.engine.small_worlds import (
    jump,
    linear,
    longs,
    perp,
    play,
    price_at,
    sold,
    venue,
)

MARKETS = [perp(), perp("two")]


def world(mark, **fields):
    """Return two venues; only the first has an account and that mark."""
    venues = {"one": venue(mark=mark), "two": venue()}
    return {"venues": venues, "markets": MARKETS, "horizon": 8, **fields}


EMA = {"kind": "ema", "half_life": 1}
INDEX = {"kind": "index"}
SLOW = {"kind": "twap", "window": 5}


@pytest.mark.parametrize(
    ("mark", "tick", "price"),
    [
        # 25 of equity breaks below 83.33. The fall to 80 happens on the first venue alone.
        ({"kind": "last"}, 1, 80),
        (INDEX, None, 90),
        # 90, 85, 82.5
        (EMA, 3, 82.5),
        # (100 + 80) / 2, then 80
        ({"kind": "twap", "window": 2}, 2, 80),
        # 96, 92, 88, 84, 80
        (SLOW, 5, 80),
        # 80, 90 and the slow mark: 90, 90, 88, 84, 80
        ({"kind": "median_of", "of": [{"kind": "last"}, INDEX, SLOW]}, 5, 80),
        # Both are still far above: the mean of 90 and 96, of 90 and 80 at the end.
        ({"kind": "median_of", "of": [INDEX, SLOW]}, None, 85),
        ({"kind": "ema", "half_life": 1, "of": "index"}, None, 90.078125),
    ],
)
def test_who_breaks_when_one_venue_falls(mark, tick, price, tmp_path):
    result = play(tmp_path, longs((1, 25)), **world(mark, shocks=[jump(-0.2, venue="one")]))
    rows = sold(result, "tick", "mark_price", "close_out_price")
    if tick is None:
        assert rows == []
        assert price_at(result, "one/BTC-PERP", 7, "mark_price") == pytest.approx(price)
    else:
        assert rows == [(tick, pytest.approx(price), pytest.approx(80))]


def test_an_index_may_weigh_or_leave_out_venues(tmp_path):
    # 0.75 x 80 + 0.25 x 100 = 85; with the median of three, one venue alone changes nothing.
    shocks = [jump(-0.2, venue="one")]
    mark = {"kind": "index", "weights": {"one": 3, "two": 1}}
    result = play(tmp_path, longs((1, 25)), **world(mark, shocks=shocks))
    assert price_at(result, "one/BTC-PERP", 4, "mark_price") == pytest.approx(85)
    mark = {"kind": "index", "method": "median"}
    three = {"one": venue(mark=mark), "two": venue(), "three": venue()}
    result = play(
        tmp_path,
        longs((1, 25)),
        venues=three,
        markets=[*MARKETS, perp("three")],
        shocks=shocks,
    )
    assert price_at(result, "one/BTC-PERP", 4, "mark_price") == pytest.approx(100)


def test_a_slow_mark_lets_the_cascade_unroll_over_ticks(tmp_path):
    # a0 breaks at 1 with the last price, and pushes it from 85 to 81 at once. With the EMA the
    # mark is 92.5, 88.75, 86.9 ... so that a0 (equity 80 + 4 (m - 100) < 0.4 m) breaks below
    # 88.89, at tick 2. Its sale takes the mark on to 86.75, 83.88 ... 81.18, 81.09, and a1
    # (27 + m - 100 < 0.1 m) breaks below 81.11, at tick 8.
    book = longs((4, 80), (1, 27))
    markets = [perp(impact=linear(1.0))]
    fast = play(tmp_path, book, markets=markets, shocks=[jump(-0.15)])
    assert sold(fast, "account_id", "tick", "generation") == [("a0", 1, 0), ("a1", 1, 1)]
    slow = play(
        tmp_path,
        book,
        venues={"one": venue(mark=EMA)},
        markets=markets,
        shocks=[jump(-0.15)],
        horizon=12,
    )
    assert sold(slow, "account_id", "tick") == [("a0", 2), ("a1", 8)]


def test_tick_zero_moves_only_marks_without_memory(tmp_path):
    shocks = [jump(-0.2, at=0)]
    for mark, price in (({"kind": "last"}, 80), (EMA, 100), (SLOW, 100)):
        result = play(tmp_path, longs((1, 60)), **world(mark, shocks=shocks))
        assert price_at(result, "one/BTC-PERP", 0, "mark_price") == pytest.approx(price)


def oracle(**fields):
    return {"kind": "oracle", "of": "last", "heartbeat": 1000, "deviation": 0.01, **fields}


@pytest.mark.parametrize(
    ("mark", "tick"),
    [
        (oracle(), 1),
        (oracle(deviation=0.3, heartbeat=3), 3),
        (oracle(deviation=0.3), None),
        (oracle(lag=2), 3),
        # The index falls by 10 % only, and 25 of equity breaks below 83.33.
        (oracle(of="index"), None),
    ],
)
def test_an_account_breaks_when_an_oracle_posts_that_it_is_broken(mark, tick, tmp_path):
    result = play(tmp_path, longs((1, 25)), **world(mark, shocks=[jump(-0.2, venue="one")]))
    assert sold(result, "tick") == ([] if tick is None else [(tick,)])


def test_what_an_oracle_posted_stands_while_a_cascade_goes_on(tmp_path):
    # As with the slow mark: a0 breaks at 85 and its sale makes 81, which is posted a tick later.
    fields = {"markets": [perp(impact=linear(1.0))], "shocks": [jump(-0.15)]}
    venues = {"one": venue(mark=oracle(deviation=1e-6))}
    result = play(tmp_path, longs((4, 80), (1, 27)), venues=venues, **fields)
    assert sold(result, "account_id", "tick", "mark_price", "generation") == [
        ("a0", 1, pytest.approx(85), 0),
        ("a1", 2, pytest.approx(81), 1),
    ]


def test_what_an_oracle_has_posted_does_not_count_again(tmp_path):
    # a0 makes 81 at tick 1, which is posted at 2 and breaks nobody. The shock at 4 breaks a1.
    fields = {"markets": [perp(impact=linear(1.0))], "shocks": [jump(-0.15), jump(-0.02, at=4)]}
    venues = {"one": venue(mark=oracle(deviation=0.001))}
    result = play(tmp_path, longs((4, 80), (1, 28)), venues=venues, horizon=8, **fields)
    assert sold(result, "account_id", "tick", "generation") == [("a0", 1, 0), ("a1", 4, 0)]


def test_a_move_that_waits_for_the_heartbeat_is_still_known_for_what_it_was(tmp_path):
    # With a deviation of 10 % the fall to 85 is posted at once, the further one to 81 at tick 7.
    fields = {"markets": [perp(impact=linear(1.0))], "shocks": [jump(-0.15)]}
    venues = {"one": venue(mark=oracle(deviation=0.1, heartbeat=6))}
    result = play(tmp_path, longs((4, 80), (1, 27)), venues=venues, horizon=12, **fields)
    assert sold(result, "account_id", "tick", "generation") == [("a0", 1, 0), ("a1", 7, 1)]


def test_an_oracle_of_a_venue_that_is_down_posts_when_it_returns(tmp_path):
    shocks = [jump(-0.2), {"kind": "outage", "venue": "one", "at": 1, "duration": 3}]
    result = play(tmp_path, longs((1, 25)), **world(oracle(), shocks=shocks))
    assert [price_at(result, "one/BTC-PERP", t, "mark_price") for t in (0, 1, 3, 4)] == [
        100, 100, 100, pytest.approx(80),
    ]  # fmt: skip
    assert sold(result, "tick") == [(4,)]


def test_a_venue_may_have_an_index_of_its_own(tmp_path):
    mark = {"kind": "ema", "half_life": 1, "of": "basis"}
    one = venue(mark=mark, index={"weights": {"two": 1}})
    fields = {"venues": {"one": one, "two": venue()}, "markets": MARKETS}
    # A fall of both is taken over at once, one of the venue itself slowly.
    both = play(tmp_path, longs((1, 25)), **fields, shocks=[jump(-0.2)])
    assert sold(both, "tick") == [(1,)]
    alone = play(tmp_path, longs((1, 25)), **fields, shocks=[jump(-0.2, venue="one")])
    assert sold(alone, "tick", "mark_price") == [(3, pytest.approx(82.5))]
    assert price_at(alone, "one/BTC-PERP", 3, "index_price") == pytest.approx(100)
