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
