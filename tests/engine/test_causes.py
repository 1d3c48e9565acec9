"""Every move of a price is booked to a cause, and the causes add up."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from sim.engine.causes import CauseBook, split_log_move
from tests.engine.small_worlds import causes_at, jump, linear, longs, perp, play, price_at, venue

MARKET = "one/BTC-PERP"


def test_the_causes_of_a_tick_add_up_to_its_move(tmp_path):
    # 100 -> 85 by the shock, -> 81 by a0, -> 80 by a1.
    result = play(
        tmp_path, longs((4, 80), (1, 27)), markets=[perp(impact=linear(1.0))], shocks=[jump(-0.15)]
    )
    rows = result.price_causes[["tick", "generation", "cause", "price_move"]]
    assert list(rows.itertuples(index=False, name=None)) == [
        (1, 0, "exogenous", pytest.approx(log(0.85))),
        (1, 0, "liquidation:one", pytest.approx(log(81 / 85))),
        (1, 1, "liquidation:one", pytest.approx(log(80 / 81))),
    ]
    assert result.price_causes["price_move"].sum() == pytest.approx(log(0.8), abs=1e-14)


def test_clearers_share_a_move_by_what_they_sold(tmp_path):
    # 3 and 1 contracts break together: the fall from 80 to 76 is theirs 3 to 1.
    book = [
        ("a", "ta", "one", {"USDT": 45}, [(MARKET, 3, 100)]),
        ("b", "tb", "two", {"USDT": 15}, [(MARKET, 1, 100)]),
    ]
    result = play(
        tmp_path,
        book,
        venues={"one": venue(), "two": venue()},
        markets=[perp(impact=linear(1.0))],
        shocks=[jump(-0.2)],
    )
    fall = log(76 / 80)
    assert causes_at(result, MARKET, 1) == pytest.approx(
        {"exogenous": log(0.8), "liquidation:one": 0.75 * fall, "liquidation:two": 0.25 * fall}
    )


def test_the_floor_cuts_every_cause_alike(tmp_path):
    book = [
        ("a", "ta", "one", {"USDT": 45}, [(MARKET, 3, 100)]),
        ("b", "tb", "two", {"USDT": 15}, [(MARKET, 1, 100)]),
    ]
    result = play(
        tmp_path,
        book,
        venues={"one": venue(), "two": venue()},
        markets=[perp(impact=linear(100.0))],
        shocks=[jump(-0.2)],
    )
    causes = causes_at(result, MARKET, 1)
    price = price_at(result, MARKET, 1)
    assert price == pytest.approx(1e-4)
    assert sum(causes.values()) == pytest.approx(log(price / 100), abs=1e-12)
    assert causes["liquidation:one"] == pytest.approx(3 * causes["liquidation:two"])


def test_amplification_is_the_fall_over_its_exogenous_part(tmp_path):
    # 15 of exogenous fall, 20 in all; a later recovery does not hide it.
    result = play(
        tmp_path,
        longs((4, 80), (1, 27)),
        markets=[perp(impact=linear(1.0))],
        shocks=[jump(-0.15), jump(0.2, at=3)],
    )
    market = result.summary["markets"][MARKET]
    assert market["amplification"] == pytest.approx(20 / 15)
    assert market["exogenous_move"] == pytest.approx(-0.15)
    assert market["min_price"] == pytest.approx(80)
    assert market["max_drawdown"] == pytest.approx(0.2)
    assert market["final_price"] == pytest.approx(96)


def test_split_log_move():
    parts = split_log_move(100.0, 70.0, [-40.0, 10.0])
    assert parts == pytest.approx([log(0.7) * 4 / 3, -log(0.7) / 3])
    assert split_log_move(100.0, 100.0, [1.0, -1.0]) == [0.0, 0.0]


def test_the_book_of_causes_flushes_what_is_new():
    book = CauseBook(2)
    book.tick = 3
    book.book(("b", None), 1, 0.5, 5.0)
    book.book(("a", 2), 0, -0.25, -2.5)
    book.book(("a", 2), 0, -0.25, -2.5)
    book.tick = 4
    book.book_all("c", np.array([0.0, 1.0]), np.array([0.0, 10.0]))
    # What is forced keeps its tick and generation.
    assert sorted(book.flush()) == [
        (3, 2, 0, "a", -0.5),
        (4, 0, 1, "b", 0.5),
        (4, 0, 1, "c", 1.0),
    ]
    assert book.flush() == []
    assert book.price_move("a").tolist() == [-5.0, 0.0]
    assert book.log_move().tolist() == [-0.5, 1.5]
    assert book.price_move("unheard of").tolist() == [0.0, 0.0]
