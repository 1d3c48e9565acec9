"""Small worlds that once went wrong."""

from __future__ import annotations

import pytest

from tests.engine.small_worlds import (
    events,
    jump,
    linear,
    perp,
    play,
    price_at,
    sold,
    venue,
)

FUND, ADL = {"kind": "insurance_fund", "size": 10}, {"kind": "adl"}
ILLIQUID = {"kind": "illiquid"}
COINS = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 100}}


def test_a_loss_without_a_book_does_not_use_up_the_fund_of_others(tmp_path):
    # Both fall to 80. The loss of 10 in ETH can only be deleveraged; the fund pays 5 in BTC.
    book = [
        ("a", "ta", "one", {"USDT": 10}, [("one/ETH-PERP", 1, 100)]),
        ("b", "tb", "one", {"USDT": 15}, [("one/BTC-PERP", 1, 100)]),
        ("v", "tv", "one", {"USDT": 500}, [("one/ETH-PERP", -1, 100)]),
        ("w", "tw", "one", {"USDT": 500}, [("one/BTC-PERP", -1, 100)]),
    ]
    result = play(
        tmp_path,
        book,
        assets=COINS,
        markets=[perp(), perp(base="ETH", impact=ILLIQUID)],
        venues={"one": venue(waterfall=[FUND, ADL])},
        shocks=[jump(-0.2), jump(-0.2, asset="ETH")],
    )
    assert [row for row, *_ in events(result, "adl", "account_id")] == ["a", "v"]
    assert events(result, "market", "account_id", "shortfall") == [("b", pytest.approx(5))]
    assert result.summary["insurance_fund_used"] == pytest.approx(5)


def test_an_account_that_cannot_act_does_not_spend_the_latency_of_others(tmp_path):
    # a breaks at 1 in a market without a book, b at 6; b is sold three seconds later. A clearer
    # that deleverages tries a again every 3 s after 4 s (4, then 8) and takes b along at 8.
    book = [
        ("a", "ta", "one", {"USDT": 10}, [("one/ETH-PERP", 1, 100)]),
        ("b", "tb", "one", {"USDT": 15}, [("one/BTC-PERP", 1, 100)]),
    ]
    rule = {"kind": "full", "latency": 3}
    for layers, tick in (([FUND, {"kind": "clearer"}], 9), ([FUND, ADL], 8)):
        result = play(
            tmp_path,
            book,
            assets=COINS,
            markets=[perp(), perp(base="ETH", impact=ILLIQUID)],
            venues={"one": venue(waterfall=layers, liquidation=rule)},
            shocks=[jump(-0.2, asset="ETH"), jump(-0.2, at=6)],
            horizon=12,
        )
        assert sold(result, "tick") == [(tick,)]


def test_arbitrage_leaves_prices_alone_that_a_depeg_made_differ(tmp_path):
    # BTC in a coin that lost a tenth costs more of it; the values have not moved apart.
    assets = {"USDT": {"price": 1}, "USD": {"price": 1}, "BTC": {"price": 100}}
    result = play(
        tmp_path,
        assets=assets,
        markets=[
            perp("one", quote="USDT", impact=linear(0.1)),
            perp("two", quote="USD", impact=linear(0.1)),
        ],
        venues={"one": venue(mark={"kind": "index"}), "two": venue(mark={"kind": "index"})},
        coupling=[{"kind": "arbitrage", "asset": "BTC", "time_constant": 1}],
        shocks=[jump(-0.1, asset="USDT")],
    )
    for column in ("last_price", "mark_price", "index_price"):
        for tick in (1, 2, 4):
            assert price_at(result, "one/BTC-PERP", tick, column) == pytest.approx(100 / 0.9)
            assert price_at(result, "two/BTC-PERP", tick, column) == pytest.approx(100)


@pytest.mark.parametrize("mode", ["full", "due"])
def test_a_call_is_lifted_while_the_clearer_is_down(mode, tmp_path):
    # Called at 1 (ratio 1.25 < 2), whole again at 3 while the venue is down, called again at 8:
    # the grace of 10 s counts from then.
    rule = venue(0.1)
    rule["margin"] = {
        "kind": "cross", "maintenance_rate": 0.1, "call": {"level": 2, "grace": 10},
    }  # fmt: skip
    collateral = [("a", "t", "one", {"BTC": 0.25}, [("two/ETH-PERP", 1, 100)])]
    result = play(
        tmp_path,
        collateral,
        assets=COINS,
        markets=[perp("two"), perp("two", base="ETH")],
        venues={"one": rule, "two": venue(0.1)},
        engine={"margin_check": mode},
        shocks=[
            jump(-0.5, at=1),
            {"kind": "outage", "venue": "one", "at": 2, "duration": 4},
            jump(1.0, at=3),
            jump(-0.5, at=8),
        ],
        horizon=30,
    )
    assert sold(result, "tick") == [(18,)]


def test_the_causes_of_orders_that_nearly_cancel_stay_small(tmp_path):
    # 1000 sold against 999 bought: only the seller's side moved the price, by what was left.
    book = [
        ("s", "ts", "one", {"USDT": 11_000}, [("one/BTC-PERP", 1000, 100)]),
        ("b", "tb", "two", {"ETH": 300}, [("one/BTC-PERP", -999, 100)]),
    ]
    result = play(
        tmp_path,
        book,
        assets=COINS,
        markets=[perp(impact={"kind": "square_root", "y": 1, "sigma": 0.05, "adv": 1e6})],
        venues={"one": venue(0.1), "two": venue(0.25)},
        shocks=[jump(-0.02), jump(-0.5, asset="ETH")],
    )
    causes = result.price_causes
    forced = causes[causes["cause"].str.startswith("liquidation")]
    assert len(result.liquidations) == 2
    assert forced["price_move"].abs().max() < 0.01
