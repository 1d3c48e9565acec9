"""Price bands, limit prices and blocks in whole runs, checked against ledgers computed by hand."""

from __future__ import annotations

import pytest

from tests.engine.small_worlds import (
    equity_at,
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


def one(*layers, rate=0.1, **fields):
    rules = {"kind": "full", **fields}
    return {"one": venue(rate, liquidation=rules, waterfall=[*layers, {"kind": "clearer"}])}


def fund(size):
    return {"kind": "insurance_fund", "size": size}


def waiting_at(result, tick):
    table = result.mechanisms
    chosen = (table["series"] == "forced_waiting") & (table["tick"] == tick)
    return table.loc[chosen, "value"].item()


# -- price bands


def test_what_does_not_fit_within_the_band_waits_for_the_next_tick(tmp_path):
    # 88 after the shock. Selling q along slope 1 achieves 88 - q / 2, at least 0.98 x 88: 3.52.
    # The last price, and with it the mark, is then 84.48; the next order fits up to 0.04 x 84.48.
    result = play(
        tmp_path,
        longs((10, 200)),
        venues=one(price_band=0.02),
        markets=[perp(impact=linear(1.0))],
        shocks=[jump(-0.12)],
    )
    assert sold(result, "tick", "quantity", "close_out_price")[:2] == [
        (1, pytest.approx(-3.52), pytest.approx(86.24)),
        (2, pytest.approx(-3.3792), pytest.approx(0.98 * 84.48)),
    ]
    assert waiting_at(result, 1) == pytest.approx(6.48 * 84.48)
    assert price_at(result, "one/BTC-PERP", 1) == pytest.approx(84.48)


@pytest.mark.parametrize("latency", [0, 1, 2])
def test_with_latency_the_rest_waits_for_the_next_batch(latency, tmp_path):
    result = play(
        tmp_path,
        longs((10, 200)),
        venues=one(price_band=0.02, latency=latency),
        markets=[perp(impact=linear(1.0))],
        shocks=[jump(-0.12)],
        horizon=10,
    )
    ticks = [tick for (tick,) in sold(result, "tick")]
    step = max(latency, 1)
    assert ticks == [1 + latency + step * k for k in range(len(ticks))]
    assert len(ticks) == 2


def test_orders_that_nobody_fills_do_not_go_round_in_a_tick(tmp_path):
    # The mark is an average; the last price is below the band from the start, every tick anew.
    venues = one(price_band=0.01)
    venues["one"]["mark"] = {"kind": "twap", "window": 100}
    result = play(
        tmp_path,
        longs((10, 200), (10, 100)),
        venues=venues,
        markets=[perp(impact=linear(1.0))],
        shocks=[{"kind": "ramp", "at": 1, "duration": 50, "asset": "BTC", "return": -0.5}],
        horizon=50,
        engine={"max_generations": 2},
    )
    assert result.liquidations.empty
    assert waiting_at(result, 49) > 0


def test_accounts_in_one_market_share_what_fits_pro_rata(tmp_path):
    result = play(
        tmp_path,
        longs((6, 110), (2, 30)),
        venues=one(price_band=0.02),
        markets=[perp(impact=linear(1.0))],
        shocks=[jump(-0.12)],
        horizon=2,
    )
    assert [q for (q,) in sold(result, "quantity")] == pytest.approx([-2.64, -0.88])


def test_a_clearer_without_band_trades_on_and_the_other_waits(tmp_path):
    # Selling 5 at any price achieves 85.5, below the band of the other venue.
    venues = {
        "one": venue(),
        "two": venue(liquidation={"kind": "full", "price_band": 0.02}),
    }
    accounts = [*longs((5, 80)), ("b", "b", "two", {"USDT": 40}, [("one/BTC-PERP", 2, 100)])]
    result = play(
        tmp_path,
        accounts,
        venues=venues,
        markets=[perp(impact=linear(1.0))],
        shocks=[jump(-0.12)],
        horizon=2,
    )
    assert sold(result, "clearer", "quantity") == [("one", -5)]
    assert waiting_at(result, 1) == pytest.approx(2 * 83)


def test_opposite_orders_within_a_band_net_and_move_nothing(tmp_path):
    accounts = [
        ("a", "a", "one", {"USDT": 40}, [("one/BTC-PERP", 5, 100)]),
        ("b", "b", "one", {"USDT": 40}, [("one/BTC-PERP", -5, 100)]),
    ]
    rules, markets = one(price_band=0.001), [perp(impact=linear(10.0))]
    result = play(tmp_path, accounts, venues=rules, markets=markets)
    assert sold(result, "tick", "quantity", "close_out_price") == [(0, -5, 100), (0, 5, 100)]
    assert price_at(result, "one/BTC-PERP", 0) == 100


def test_a_bankrupt_account_beyond_the_band_is_deleveraged(tmp_path):
    # The average lags behind the last price, which is already beyond the band.
    venues = one({"kind": "adl"}, price_band=0.02)
    venues["one"]["mark"] = {"kind": "ema", "half_life": 1}
    accounts = [*longs((10, 101)), ("s", "s", "one", {"USDT": 5000}, [("one/BTC-PERP", -20, 100)])]
    result = play(tmp_path, accounts, venues=venues, shocks=[jump(-0.3)])
    assert not sold(result, "tick")
    assert {row for (row,) in events(result, "adl", "account_id")} == {"a0", "s"}


# -- what is left of a closed account


@pytest.mark.parametrize("remainder", [False, True])
def test_the_fee_is_capped_by_what_is_left(remainder, tmp_path):
    # Binance, 10 BTC long at 100,000 with 50,000: at 95,300 are 3,000 left of a fee of 11,912.5.
    tiers = [
        {"floor": 0, "rate": 0.004},
        {"floor": 300_000, "rate": 0.005},
        {"floor": 800_000, "rate": 0.0065},
        {"floor": 3_000_000, "rate": 0.01},
    ]
    for price, change in ((95_300, 3000), (94_800, -2000)):
        rules = {"kind": "full", "fee_bps": 125, "takes_remainder": remainder}
        result = play(
            tmp_path,
            [("a", "a", "one", {"USDT": 50_000}, [("one/BTC-PERP", 10, 100_000)])],
            assets={"USDT": {"price": 1}, "BTC": {"price": 100_000}},
            venues={
                "one": venue(
                    tiers=tiers, liquidation=rules, waterfall=[fund(1e6), {"kind": "clearer"}]
                )
            },
            shocks=[jump(price / 100_000 - 1)],
        )
        assert venue_at(result, "one", 1, "insurance_fund") == pytest.approx(1e6 + change)
        assert equity_at(result, "book", 1) == pytest.approx(0, abs=1e-6)
        assert sold(result, "fee")[0][0] == pytest.approx(max(change, 0), abs=1e-6)


def test_a_takeover_leaves_the_account_nothing(tmp_path):
    # 85: equity 20 - 15 = 5 after a sale without impact; half of it is another asset.
    book = [("a", "a", "one", {"USDT": 17, "BTC": 0.03}, [("one/BTC-PERP", 1, 100)])]
    rules = one(takes_remainder=True, fee_to="venue", fee_bps=100)
    result = play(tmp_path, book, venues=rules, shocks=[jump(-0.15)])
    taken = 17 - 15 + 0.03 * 85
    assert equity_at(result, "book", 1) == pytest.approx(0, abs=1e-9)
    assert sold(result, "fee") == [(pytest.approx(taken),)]
    assert result.summary["fees"] == pytest.approx(taken)


def test_an_account_that_goes_on_keeps_what_it_has(tmp_path):
    rules = one(kind="partial", slice=0.2, takes_remainder=True)
    result = play(tmp_path, longs((10, 200)), venues=rules, shocks=[jump(-0.12)])
    assert equity_at(result, "book", 1) == pytest.approx(80)


# -- blocks


def eth(slope, *layers, count=1, horizon=1, tick=1, **fields):
    """Return the run of 10 ETH long at 3,000 with equity 240 and a maintenance margin of 360."""
    return {
        "accounts": [
            (f"a{k}", f"a{k}", "one", {"USDT": 240}, [("one/ETH-PERP", 10, 3000)])
            for k in range(count)
        ],
        "assets": {"USDT": {"price": 1}, "ETH": {"price": 3000}},
        "markets": [perp(base="ETH", impact=linear(slope) if slope else {"kind": "none"})],
        "venues": one(*layers, rate=0.012, kind="per_block", **fields),
        "horizon": horizon,
        "tick": tick,
    }


def test_a_dydx_order_above_its_bankruptcy_price_pays_the_fund(tmp_path):
    result = play(tmp_path, **eth(2, fund(1000), share=1))
    assert sold(result, "quantity", "close_out_price", "fee") == [
        (-10, pytest.approx(2990), pytest.approx(140))
    ]
    assert venue_at(result, "one", 0, "insurance_fund") == pytest.approx(1140)
    assert equity_at(result, "book", 0) == pytest.approx(0, abs=1e-6)


def test_a_dydx_order_below_its_bankruptcy_price_is_paid_by_the_fund(tmp_path):
    result = play(tmp_path, **eth(6, fund(1000), share=1, spread_to_maintenance=3))
    assert sold(result, "quantity", "close_out_price", "fee", "shortfall") == [
        (-10, pytest.approx(2970), 0, pytest.approx(60))
    ]
    assert venue_at(result, "one", 0, "insurance_fund") == pytest.approx(940)
    assert equity_at(result, "book", 0) == pytest.approx(0, abs=1e-6)


def test_without_a_fund_a_dydx_account_is_deleveraged_at_its_bankruptcy_price(tmp_path):
    world = eth(6, {"kind": "adl"}, share=1, spread_to_maintenance=3)
    short = ("s", "s", "one", {"USDT": 20_000}, [("one/ETH-PERP", -10, 3100)])
    result = play(tmp_path, **(world | {"accounts": [*world["accounts"], short]}))
    assert not sold(result, "tick")
    prices = dict(events(result, "adl", "account_id", "close_out_price"))
    assert prices == {"a0": pytest.approx(2976), "s": pytest.approx(2976)}


def test_a_short_buys_no_further_than_its_limits(tmp_path):
    # Up to 3,018 by the fillable price, to 3,015 by the band: 6 q / 2 = 15.
    world = eth(6, share=1, price_band=0.005)
    accounts = [("a", "a", "one", {"USDT": 240}, [("one/ETH-PERP", -10, 3000)])]
    result = play(tmp_path, **(world | {"accounts": accounts}))
    assert sold(result, "quantity", "close_out_price") == [(pytest.approx(5), pytest.approx(3015))]


def test_a_dydx_order_fills_no_further_than_its_fillable_price(tmp_path):
    # 3000 - 6 q / 2 >= 2982 up to 6; less than 1.5 maintenance margins from the mark.
    result = play(tmp_path, **eth(6, fund(1000), share=1))
    assert sold(result, "quantity", "close_out_price") == [(pytest.approx(-6), pytest.approx(2982))]


def test_a_block_takes_a_tenth_or_the_least(tmp_path):
    result = play(tmp_path, **eth(0, fund(1000), horizon=40))
    sizes = [-q * 3000 for (q,) in sold(result, "quantity")]
    left = 30_000.0
    for size in sizes:
        assert size == pytest.approx(min(max(0.1 * left, 1000), left))
        left -= size
    assert left == pytest.approx(0, abs=1e-6)
    # Each order leaves equity and margin in proportion: what it gains is the whole cushion.
    fees = [fee for (fee,) in sold(result, "fee")]
    assert fees[0] == pytest.approx(24)
    assert sum(fees) == pytest.approx(240)


def test_an_account_closes_no_more_than_its_limit_per_block(tmp_path):
    result = play(tmp_path, **eth(0, share=1, least=500, most_account=1500, horizon=2))
    assert [q for (q,) in sold(result, "quantity")] == pytest.approx([-0.5, -0.5])


def test_a_fund_loss_limit_bounds_the_size(tmp_path):
    # At 2,982 an order is 6 above its bankruptcy price per ETH; with a spread of 3, 12 below it.
    fields = {"share": 1, "spread_to_maintenance": 3, "most_fund_loss": 60}
    result = play(tmp_path, **eth(0, **fields))
    assert [q for (q,) in sold(result, "quantity")] == pytest.approx([-5])


@pytest.mark.parametrize(
    ("tick", "block", "sent"),
    [(1, 1, [1, 1, 1, 1]), (2, 1, [1, 2, 2, 2]), (1, 2, [1, 0, 1, 0]), (1, 2.5, [1, 0, 0, 1])],
)
def test_blocks_pace_orders_whatever_the_tick(tick, block, sent, tmp_path):
    result = play(tmp_path, **eth(0, block=block, tick=tick, horizon=4 * tick))
    ticks = [t for (t,) in sold(result, "tick")]
    assert [ticks.count(t) for t in range(4)] == sent


def test_the_position_of_a_block_is_drawn_and_the_order_of_accounts_is_nothing(tmp_path):
    fields = {
        "assets": {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}},
        "markets": [perp(), perp(base="ETH")],
        "venues": one(kind="per_block", least=10, most_account=50),
        "horizon": 3,
    }
    accounts = [
        (
            f"a{k}",
            f"t{k}",
            "one",
            {"USDT": 10},
            [("one/BTC-PERP", 1, 100), ("one/ETH-PERP", 10, 10)],
        )
        for k in range(40)
    ]
    first, again, turned = (
        play(tmp_path, list(book), **fields) for book in (accounts, accounts, accounts[::-1])
    )
    columns = ("tick", "account_id", "symbol", "quantity")
    assert sold(first, *columns) == sold(again, *columns)
    assert sorted(sold(first, *columns)) == sorted(sold(turned, *columns))
    picks = [symbol for (symbol,) in sold(first, "symbol")]
    assert 35 < picks.count("BTC-PERP") < 85
    assert len(picks) == 120
