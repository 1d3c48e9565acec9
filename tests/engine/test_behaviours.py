"""What cohorts do of their own will, by hand."""

from __future__ import annotations

from math import log

import pytest

from tests.engine.lending import borrower, lend
from tests.engine.small_worlds import (
    causes_at,
    equity_at,
    jump,
    linear,
    longs,
    perp,
    play,
    price_at,
    venue,
)

LINEAR = [perp(impact=linear(1.0))]


def acting(kind, **fields):
    return {"behaviour": {"kind": kind, **fields}}


def gross(result):
    return result.cohorts.set_index("tick")["gross_notional"]


def test_a_stop_closes_at_its_trigger_one_tick_after_the_mark(tmp_path):
    book = [*longs((1, 90)), ("s", "ts", "one", {"USDT": 90}, [("one/BTC-PERP", -1, 100)])]
    world = {"source": acting("stop_loss", trigger=0.1), "markets": LINEAR}
    result = play(tmp_path, book, shocks=[jump(-0.125)], **world)
    # The long's stop sells 1 from 87.5 to 86.5; the short is in profit and stays.
    assert gross(result)[1] == pytest.approx(175)
    assert gross(result)[2] == pytest.approx(86.5)
    assert causes_at(result, "one/BTC-PERP", 2) == pytest.approx(
        {"trade:stop_loss": log(86.5 / 87.5)}
    )
    assert equity_at(result, "book", 2) == pytest.approx(90 - 13 + 90 + 13.5)
    result = play(tmp_path, book, shocks=[jump(0.125)], **world)
    assert causes_at(result, "one/BTC-PERP", 2).keys() == {"trade:stop_loss"}
    assert price_at(result, "one/BTC-PERP", 2) == pytest.approx(113.5)


def test_leverage_targeting_sells_r_a_times_l_minus_one(tmp_path):
    # A = 500, E = 100, L = 5: after -1 % it sells 0.01 x 500 x 4 = 20 of notional at 99.
    result = play(tmp_path, longs((5, 100)), source=acting("deleverage"), shocks=[jump(-0.01)])
    assert gross(result)[1] == pytest.approx(495 - 20)
    assert equity_at(result, "book", 1) == pytest.approx(95)


def test_leverage_targeting_has_a_speed_a_band_and_two_sides(tmp_path):
    for fields, fall, after in (
        ({"speed": 0.5}, -0.01, 485),
        ({"band": 0.1}, -0.01, 495),
        ({"target": 3}, -0.01, 285),
        ({}, 0.01, 505),
        ({"two_sided": True}, 0.01, 525),
        ({"two_sided": True, "band": 0.1}, 0.01, 505),
    ):
        behaviour = acting("deleverage", **fields)
        # Nothing is out of line at tick 0 unless the target is new.
        result = play(tmp_path, longs((5, 100)), source=behaviour, shocks=[jump(fall, at=0)])
        assert gross(result)[0] == pytest.approx(after)


def test_a_leverage_target_without_equity_sells_everything(tmp_path):
    result = play(
        tmp_path,
        longs((5, 100)),
        venues={"one": venue(0.0)},
        source=acting("deleverage"),
        shocks=[jump(-0.3)],
    )
    assert gross(result)[1] == 0.0
    assert result.summary["shortfall"] == pytest.approx(50)


def test_a_fundamentalist_buys_the_discount_and_sells_the_recovery(tmp_path):
    # At value it holds nothing, so 0.2 are sold at once. At 80 the discount is 25 % and wanted
    # is 2 x 0.25 x 100 = 50, which is worth 62.5 and sold when the price is back.
    behaviour = acting("fundamentalist", aggressiveness=2, max_leverage=3)
    world = {"source": behaviour, "shocks": [jump(-0.2), jump(0.25, at=3)]}
    result = play(tmp_path, longs((0.2, 100)), **world)
    assert gross(result)[0] == 0.0
    assert gross(result)[1] == pytest.approx(50)
    assert gross(result)[3] == 0.0
    assert equity_at(result, "book", 4) == pytest.approx(112.5)


def test_a_fundamentalist_stops_at_its_leverage(tmp_path):
    behaviour = acting("fundamentalist", aggressiveness=20, max_leverage=3)
    result = play(tmp_path, longs((0.2, 100)), source=behaviour, shocks=[jump(-0.2, at=1)])
    assert gross(result)[1] == pytest.approx(300)


def test_value_may_follow_the_news(tmp_path):
    # News is no discount; only what the forced order of another takes off is bought.
    behaviour = acting("fundamentalist", aggressiveness=2, max_leverage=3, value="exogenous")
    result = play(tmp_path, longs((0.2, 100)), source=behaviour, shocks=[jump(-0.2)])
    assert gross(result)[1] == 0.0


def test_holders_hold(tmp_path):
    result = play(tmp_path, longs((1, 90)), source=acting("hold"), shocks=[jump(-0.5)])
    assert gross(result)[4] == pytest.approx(50)


def test_orders_of_a_tick_are_netted_and_shared_among_causes(tmp_path):
    # Two cohorts of one trader each: a leverage targeter sells 0.2 / 0.99, another buys.
    def cohort(name, behaviour, side):
        return {
            "cohort": name, "count": 1, "venues": {"one": 1}, "behaviour": behaviour,
            "equity": {"dist": "constant", "value": 100}, "long_share": side,
            "leverage": {"dist": "constant", "value": 4},
        }  # fmt: skip

    leverage = {"kind": "deleverage", "two_sided": True}
    result = play(
        tmp_path,
        traders=[cohort("l", leverage, 1), cohort("s", {"kind": "stop_loss", "trigger": 0.005}, 0)],
        markets=[perp(impact=linear(0.01))],
        shocks=[jump(0.01, at=0)],
    )
    # Tick 0: long 4 at 101 wants 4 x 104 of notional: +12 / 101 contracts. Tick 1: the short
    # buys its 4 back, the long follows the price it moved itself.
    bought = 12 / 101
    assert price_at(result, "one/BTC-PERP", 0) == pytest.approx(101 + 0.01 * bought)
    assert causes_at(result, "one/BTC-PERP", 1).keys() == {"trade:deleverage", "trade:stop_loss"}
    assert causes_at(result, "one/BTC-PERP", 1)["trade:stop_loss"] > 0


def test_an_empty_cohort_does_nothing(tmp_path):
    for kind in ("hold", "deleverage"):
        group = {
            "cohort": "none", "count": 0, "venues": {"one": 1}, "behaviour": {"kind": kind},
            "equity": {"dist": "constant", "value": 1},
            "leverage": {"dist": "constant", "value": 1},
        }  # fmt: skip
        result = play(tmp_path, traders=[group], shocks=[jump(-0.5)])
        assert result.summary["accounts"] == 0
        assert result.liquidations.empty
        assert result.cohorts.empty


def test_without_traders_only_prices_move(tmp_path):
    result = play(tmp_path, shocks=[jump(-0.5)])
    assert result.summary["accounts"] == 0
    assert price_at(result, "one/BTC-PERP", 4) == pytest.approx(50)
    assert result.liquidations["account_id"].tolist() == []


def test_collateral_deposited_without_a_price_has_no_stop(tmp_path):
    stop = {"behaviour": {"kind": "stop_loss", "trigger": 0.05}}
    rule = {"kind": "fixed_spread", "bonus": 0.05}
    result = lend(tmp_path, [borrower(10_000)], rule, to=2000, source=stop, horizon=3)
    assert equity_at(result, "book", 2) == pytest.approx(10 * 2000 - 10_000)
    # With a price of entry there is one: all is sold at 2,000.
    bought = lend(tmp_path, [borrower(0, entry=3000)], rule, to=2000, source=stop, horizon=3)
    gross = bought.cohorts.set_index("tick")["gross_notional"]
    assert gross[2] == 0.0
