"""Who is auto-deleveraged first, and who gives how much: published examples and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sim.models.waterfall import (
    SCORES,
    SHARING,
    Opposite,
    cover_in_order,
    random_start,
    take_in_order,
    take_shares,
)

NAMES = np.array(list("ABCDE"))


def five_traders() -> Opposite:
    """Five longs at a mark of 110: entry, size and wallet; maintenance rate 1 %."""
    entry = np.array([100.0, 105.0, 80.0, 108.0, 112.0])
    size = np.array([1000.0, 2000.0, 200.0, 5000.0, 1000.0])
    wallet = np.array([11_000.0, 10_500.0, 20_000.0, 60_000.0, 12_000.0])
    profit, notional = size * (110.0 - entry), size * 110.0
    return Opposite(
        side=np.ones(5),
        entry_price=entry,
        mark=np.full(5, 110.0),
        profit=profit,
        entry_notional=size * entry,
        notional=notional,
        gross_notional=notional,
        equity=wallet + profit,
        wallet=wallet,
        maintenance=0.01 * notional,
    )


@pytest.mark.parametrize(
    ("order", "scores", "digits", "ranking", "barred"),
    [
        ("binance", [0.0476, 0.1022, 0.0025, 0.0131, 0.0], 4, "BADCE", ""),
        ("bitmex", [0.524, 0.511, 0.317, 0.146], 3, "ABCD", "E"),
        ("hyperliquid", [5.76, 11.24, 1.16, 8.00], 2, "BDAC", "E"),
    ],
)
def test_three_venues_rank_the_same_traders_differently(order, scores, digits, ranking, barred):
    found = SCORES[order](five_traders())
    assert np.round(found[: len(scores)], digits).tolist() == scores
    allowed = np.isfinite(found)
    assert "".join(NAMES[~allowed]) == barred
    ranked = np.argsort(-found, kind="stable")
    assert "".join(NAMES[[k for k in ranked if allowed[k]]]) == ranking


def test_the_price_of_ruin_is_that_of_this_position_alone():
    # ROI 10 %, equity 20 on a position of 110 beside another of 90: bust at 90, 110 / 20 = 5.5.
    found = Opposite(*(np.array([x]) for x in (1, 100, 110, 10, 100, 110, 200, 20, 10, 2)))
    assert SCORES["bitmex"](found)[0] == pytest.approx(0.55)
    assert SCORES["profit_leverage"](found)[0] == pytest.approx(0.1 * 10)


def test_a_short_is_ranked_by_entry_over_mark():
    # Entry 100, mark 80: 1.25 x 160 / 50.
    found = Opposite(*(np.array([x]) for x in (-1, 100, 80, 40, 200, 160, 160, 50, 10, 2)))
    assert SCORES["hyperliquid"](found)[0] == pytest.approx(4.0)


money = st.floats(-1e6, 1e6)
size = st.floats(1e-6, 1e6)
position = st.tuples(st.sampled_from([1.0, -1.0]), size, size, size, money, size, size)


@given(st.lists(position, min_size=1, max_size=8))
def test_who_is_not_in_profit_is_left_alone(rows):
    side, entry, mark, quantity, equity, others, rate = np.array(rows).T
    profit = side * quantity * (mark - entry)
    found = Opposite(
        side, entry, mark, profit, quantity * entry, quantity * mark, quantity * mark + others,
        equity, equity - profit, rate,
    )  # fmt: skip
    for order, score in SCORES.items():
        able = score(found) > -np.inf
        assert not able[equity <= 0.0].any()
        if order != "binance":
            assert not able[profit <= 0.0].any()
        assert not np.isnan(score(found)).any()


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=9), st.floats(0, 1, exclude_max=True))
def test_a_random_start_goes_round_once(equity, start):
    score = random_start(np.array(equity), start)
    ranked = np.argsort(-score, kind="stable").tolist()
    first = ranked[0]
    assert ranked == [(first + k) % len(equity) for k in range(len(equity))]
    assert random_start(np.array([1.0, -1.0]), 0.7)[1] == -np.inf


# --------------------------------------------- the ADL paper: endowments, deficit 15, theta 1/2

PROFIT, CASH = np.array([8.0, 4.0, 0.5]), np.array([2.0, 1.0, 0.5])
BUDGET = 0.5 * 15.0


def test_a_queue_empties_one_winner_after_the_other():
    order = np.array([1, 0, 2])
    taken = np.empty(3)
    taken[order] = take_in_order(BUDGET, PROFIT[order])
    assert BUDGET == 7.5
    assert taken.tolist() == [3.5, 4.0, 0.0]
    assert (PROFIT + CASH - taken).tolist() == [6.5, 1.0, 1.0]


def test_pro_rata_takes_the_same_share_of_everybody():
    taken = take_shares("pro_rata", BUDGET, PROFIT, PROFIT)
    assert taken == pytest.approx([4.8, 2.4, 0.3], rel=1e-15)
    assert PROFIT + CASH - taken == pytest.approx([5.2, 2.6, 0.7], rel=1e-15)


def test_pro_rata_leaves_the_wealthiest_more_than_a_queue_by_wealth():
    queue = take_in_order(BUDGET, PROFIT)  # is in order of wealth
    shares = take_shares("pro_rata", BUDGET, PROFIT, PROFIT)
    assert queue[0] - shares[0] == pytest.approx(2.7)
    assert queue[0] - shares[0] == pytest.approx(BUDGET * (1.0 - 8.0 / 12.5))


def test_a_cap_leaves_a_part_to_others():
    taken = take_shares("capped_pro_rata", BUDGET, PROFIT, PROFIT, cap=0.4)
    assert taken == pytest.approx([3.2, 1.6, 0.2])
    assert take_shares("capped_pro_rata", BUDGET, PROFIT, PROFIT, cap=0.7) == pytest.approx(
        [4.8, 2.4, 0.3]
    )


def test_an_equal_haircut_is_in_proportion_to_profit_not_to_size():
    held, profit = np.array([10.0, 10.0, 1.0]), np.array([1.0, 3.0, 4.0])
    # The third has only 1 to give; the others share 4 as 1 : 3.
    assert take_shares("equal_haircut", 5.0, held, profit) == pytest.approx([1.0, 3.0, 1.0])


@pytest.mark.parametrize(("fund", "left"), [(0.0, 15.0), (4.0, 11.0), (20.0, 0.0)])
def test_a_fund_leaves_what_is_beyond_it(fund, left):
    assert 15.0 - cover_in_order(np.array([15.0]), fund).sum() == left


@example([(2.0, 2.2250738585e-313)], 1.0, "equal_haircut", 1.0)
@example([(0.0, 1.0), (2.0, 2.2250738585e-313)], 1.0, "equal_haircut", 1.0)
@example([(3.0, 1.0), (2.0, 2.2250738585e-313)], 4.0, "equal_haircut", 1.0)
@given(
    st.lists(st.tuples(st.floats(0, 1e3), st.floats(0, 1e3)), min_size=1, max_size=8),
    st.floats(0, 5e3),
    st.sampled_from(SHARING),
    st.floats(0.01, 1),
)
def test_nobody_gives_more_than_it_has_and_nothing_is_lost(rows, wanted, order, cap):
    held, profit = np.array(rows).T
    used = cap if order == "capped_pro_rata" else None
    taken = take_shares(order, wanted, held, profit, used)
    most = held * (cap if used else 1.0)
    able = most[(profit if order == "equal_haircut" else held) > 0.0].sum()
    assert (taken <= most * (1 + 1e-12)).all()
    assert taken.sum() == pytest.approx(min(wanted, able), rel=1e-9, abs=1e-9)
    queue = take_in_order(wanted, held)
    assert queue.sum() == pytest.approx(min(wanted, held.sum()), rel=1e-9, abs=1e-9)
