"""Auto-deleveraging by venues' own rules, in runs with a few accounts."""

from __future__ import annotations

import pytest

import sim
from tests.engine.small_worlds import (
    build,
    equity_at,
    events,
    jump,
    perp,
    play,
    sold,
    venue,
    venue_at,
    write_book,
)

CLEARER = {"kind": "clearer"}


def adl(**fields):
    return {"kind": "adl", **fields}


def fund(size):
    return {"kind": "insurance_fund", "size": size}


def books(folder, accounts):
    """Return a book of its own for each account (collateral, contracts, entry price)."""
    return [
        {
            "name": name,
            "book": write_book(
                folder, [(name, name, "one", {"USDT": m}, [("one/BTC-PERP", q, e)])], name
            ),
        }
        for name, (m, q, e) in accounts.items()
    ]


def run(folder, accounts, *layers, shocks, rate=0.01, **fields):
    return play(
        folder,
        traders=books(folder, accounts),
        venues={"one": venue(rate, waterfall=list(layers))},
        shocks=shocks,
        **fields,
    )


def taken(result):
    """Return what each account was deleveraged by."""
    rows = events(result, "adl", "account_id", "quantity")
    return {name: abs(quantity) for name, quantity in rows if quantity}


# Cash 2, 1, 0.5 and profit 8, 4, 0.5 at 100; the loser is bankrupt at 101, at which a winner has
# no profit left, so that 7.5 contracts are a budget of 7.5.
ENDOWED = {
    "two": (1, -4, 101),
    "one": (2, -8, 101),
    "three": (0.5, -0.5, 101),
    "loser": (60, 7.5, 109),
}


@pytest.mark.parametrize(
    ("order", "given", "left"),
    [
        ("profit_leverage", {"one": 3.5, "two": 4.0}, (6.5, 1.0, 1.0)),
        ("wealth_queue", {"one": 7.5}, (2.5, 5.0, 1.0)),
        ("pro_rata", {"one": 4.8, "two": 2.4, "three": 0.3}, (5.2, 2.6, 0.7)),
        ("equal_haircut", {"one": 4.8, "two": 2.4, "three": 0.3}, (5.2, 2.6, 0.7)),
    ],
)
def test_endowments_of_the_adl_paper(tmp_path, order, given, left):
    result = run(tmp_path, ENDOWED, adl(order=order), rate=0, shocks=[jump(-0.0)])
    assert taken(result) == pytest.approx({**given, "loser": 7.5})
    names = ("one", "two", "three")
    assert [equity_at(result, name, 4) for name in names] == pytest.approx(list(left))
    assert equity_at(result, "loser", 4) == pytest.approx(0.0, abs=1e-9)
    assert result.summary["venues"]["one"]["adl_cost"] == pytest.approx(7.5)
    assert result.summary["shortfall"] == pytest.approx(0.0, abs=1e-9)


def test_a_cap_sends_the_rest_to_the_market(tmp_path):
    layer = adl(order="capped_pro_rata", cap=0.4)
    result = run(tmp_path, ENDOWED, layer, rate=0, shocks=[])
    # The market fills the other 2.5 at 100, one below the price of ruin.
    given = {"one": 3.2, "two": 1.6, "three": 0.2, "loser": 5.0}
    assert taken(result) == pytest.approx(given)
    assert sold(result, "account_id", "quantity") == [("loser", pytest.approx(-2.5))]
    assert result.summary["uncovered_shortfall"] == pytest.approx(2.5)


@pytest.mark.parametrize(("size", "uncovered"), [(0.0, 0.705404), (0.5, 0.205404), (1.0, 0.0)])
def test_deficit_of_the_five_positions_of_the_adl_paper(tmp_path, size, uncovered):
    # Funding of two periods, 0.466667 and 0.572 a contract, paid by the longs; price 1 to 1.3.
    paid = 0.466667 + 0.572
    book = {
        "a": (2 - paid, 1, 1),
        "b": (2 / 3 - paid, 1, 1),
        "c": (8 / 3 + 4 * paid, -4, 1),
        "d": (2 / 19 - paid, 1, 1),
        "e": (10 / 99 + paid, -1, 1),
    }
    assets = {"USDT": {"price": 1}, "BTC": {"price": 1}}
    result = run(
        tmp_path, book, fund(size), CLEARER, rate=0, assets=assets,
        shocks=[jump(0.3, at=0)],
    )  # fmt: skip
    equity = {name: equity_at(result, name, 4) for name in book}
    solvent = {"a": 1.261333, "c": 5.621333, "e": 0.839677}
    assert {k: equity[k] for k in solvent} == pytest.approx(solvent, abs=2e-6)
    assert result.summary["shortfall"] == pytest.approx(0.705404, abs=2e-6)
    assert result.summary["uncovered_shortfall"] == pytest.approx(uncovered, abs=2e-6)
    assert sum(solvent.values()) - 0.705404 == pytest.approx(7.016940, abs=2e-6)


# ----------------------------------------------------------------------------------- prices

# At 80 the loser has 20 - 40: 10 a contract, bankrupt at 90.
PAIR = {"loser": (20, 2, 100), "winner": (50, -3, 100)}


@pytest.mark.parametrize(
    ("price", "at", "debt"),
    [("bankruptcy", 90.0, 0.0), ("mark", 80.0, 20.0), ("previous_mark", 95.0, 0.0)],
)
def test_the_price_says_who_bears_the_loss(tmp_path, price, at, debt):
    shocks = [jump(-0.05, at=2), jump(80 / 95 - 1, at=3)]
    result = run(tmp_path, PAIR, adl(price=price), shocks=shocks)
    assert [p for (p,) in events(result, "adl", "close_out_price")] == pytest.approx([at, at])
    # Closed at 95 the loser keeps 10; nothing is owed.
    assert equity_at(result, "loser", 4) == pytest.approx(10.0 if price == "previous_mark" else 0.0)
    assert equity_at(result, "winner", 4) == pytest.approx(110 - 2 * (at - 80))
    assert result.summary["venues"]["one"]["adl_cost"] == pytest.approx(2 * (at - 80))
    assert result.summary["shortfall"] == pytest.approx(debt, abs=1e-9)
    assert result.summary["uncovered_shortfall"] == pytest.approx(debt, abs=1e-9)


def test_the_debt_of_a_close_at_the_mark_walks_down_the_waterfall(tmp_path):
    layers = fund(8), adl(price="mark"), {"kind": "socialise"}
    result = run(tmp_path, PAIR, *layers, shocks=[jump(-0.2)])
    assert len(events(result, "adl", "quantity")) == 2
    paid = result.summary["venues"]["one"]["layers"]
    assert paid == pytest.approx({"insurance_fund": 8, "socialise": 12, "clearer": 0})
    assert equity_at(result, "winner", 4) == pytest.approx(110 - 12)


# --------------------------------------------------------------------------------- triggers


def test_negative_equity_is_a_trigger_however_full_the_fund_is(tmp_path):
    for trigger, hit in (("fund_short", 0), ("negative_equity", 2)):
        result = run(tmp_path, PAIR, fund(1e6), adl(trigger=trigger), shocks=[jump(-0.2)])
        assert len(events(result, "adl", "quantity")) == hit
        assert venue_at(result, "one", 4, "insurance_fund") == pytest.approx(1e6 - 20 * (hit == 0))


def test_slippage_alone_is_no_negative_equity(tmp_path):
    # 21 - 20 = 1 at 90, but the sale moves the price by 2 and fills at 88: a loss of 1.
    book = {"loser": (21, 2, 100), "winner": (50, -3, 100)}
    markets = [{**perp(), "impact": {"kind": "linear", "coefficient": 1.5}}]
    result = run(tmp_path, book, fund(0), adl(trigger="negative_equity"),
                 shocks=[jump(-0.1)], markets=markets)  # fmt: skip
    assert events(result, "adl", "quantity") == []
    assert result.summary["uncovered_shortfall"] > 0.0


def drawdown(window="10s", share=0.3):
    return adl(trigger={"drawdown": share, "window": window})


@pytest.mark.parametrize(("size", "hit"), [(60.0, {"l2", "l3"}), (68.0, {"l3"}), (200.0, set())])
def test_a_fund_below_its_peak_starts_deleveraging(tmp_path, size, hit):
    # Losses of 20, 15 and 15. 60 -> 40 is 33 % below the peak; 68 -> 48 is 29 %, 33 is 51 %.
    book = {"l1": (20, 2, 100), "l2": (45, 2, 100), "l3": (65, 2, 100), "winner": (500, -9, 100)}
    shocks = [jump(-0.2), jump(70 / 80 - 1, at=2), jump(60 / 70 - 1, at=3)]
    result = run(tmp_path, book, fund(size), drawdown(), shocks=shocks)
    assert set(taken(result)) - {"winner"} == hit
    left = size - 20 - 15 * (2 - len(hit))
    assert venue_at(result, "one", 4, "insurance_fund") == pytest.approx(left)
    peaks = result.mechanisms[result.mechanisms["series"] == "insurance_fund_peak"]
    assert peaks["value"].tolist() == pytest.approx([size] * len(peaks))


def test_a_peak_is_forgotten_after_the_window(tmp_path):
    # 60 -> 40 at tick 1; at tick 3 the peak of the last second is 40, so the fund pays again.
    book = {"l1": (20, 2, 100), "l2": (45, 2, 100), "winner": (500, -9, 100)}
    shocks = [jump(-0.2), jump(70 / 80 - 1, at=3)]
    for window, hit in (("1s", set()), ("2s", {"l2"}), ("8h", {"l2"})):
        result = run(tmp_path, book, fund(60), drawdown(window), shocks=shocks)
        assert set(taken(result)) - {"winner"} == hit


# ---------------------------------------------------------------------- random order, losers


def test_a_random_start_may_reach_who_is_not_in_profit_and_repeats_with_the_seed(tmp_path):
    book = {"loser": (20, 2, 100), **{f"s{k}": (500, -2, 70 + 10 * k) for k in range(6)}}
    found = {}
    for seed in range(12):
        runs = [
            run(tmp_path, book, adl(order="random"), shocks=[jump(-0.2)], seed=seed)
            for _ in range(2 if seed < 3 else 1)
        ]
        assert taken(runs[0]) == taken(runs[-1])
        (found[seed],) = set(taken(runs[0])) - {"loser"}
    assert len(set(found.values())) > 3
    assert set(found.values()) & {"s0", "s1"}  # entered at 70 and 80: no profit


def test_losers_come_last_where_the_venue_bars_nobody(tmp_path):
    book = {"loser": (20, 2, 100), "behind": (500, -2, 75), "ahead": (500, -1, 100)}
    result = run(tmp_path, book, adl(order="binance"), shocks=[jump(-0.2)])
    assert taken(result) == pytest.approx({"loser": 2, "ahead": 1, "behind": 1})
    result = run(tmp_path, book, adl(order="hyperliquid"), shocks=[jump(-0.2)])
    assert taken(result) == pytest.approx({"loser": 1, "ahead": 1})


# ------------------------------------------------------------------------ funds per contract

COINS = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}}


def two_coins(folder, *layers, positions, money, shocks, **fields):
    book = [("a", "a", "one", {"USDT": money}, positions)]
    markets = [perp(), perp(base="ETH")]
    venues = {"one": venue(0.01, waterfall=list(layers), **fields)}
    return play(folder, book, markets=markets, assets=COINS, venues=venues, shocks=shocks)


def sizes(**amounts):
    return {"kind": "insurance_fund", "sizes": {f"{k}-PERP": v for k, v in amounts.items()}}


BOTH = [("one/BTC-PERP", 3, 100), ("one/ETH-PERP", 10, 10)]
FALLS = [jump(-0.2), jump(-0.2, asset="ETH")]


@pytest.mark.parametrize(
    ("btc", "eth", "used"), [(100, 100, (30, 10)), (100, 4, (30, 4)), (0, 100, (0, 10))]
)
def test_a_fund_of_a_contract_pays_its_part_only(tmp_path, btc, eth, used):
    # BTC loses 60, ETH 20, of which 40 is margin: 40 missing, 30 for BTC and 10 for ETH.
    result = two_coins(
        tmp_path, sizes(BTC=btc, ETH=eth), CLEARER, positions=BOTH, money=40, shocks=FALLS
    )
    assert result.summary["insurance_fund_used"] == pytest.approx(sum(used))
    assert result.summary["uncovered_shortfall"] == pytest.approx(40 - sum(used))
    last = result.mechanisms[result.mechanisms["tick"] == 4].set_index("symbol")["value"]
    assert last.to_dict() == pytest.approx({"BTC-PERP": btc - used[0], "ETH-PERP": eth - used[1]})
    assert venue_at(result, "one", 4, "insurance_fund") == pytest.approx(btc + eth - sum(used))


def test_a_contract_that_gained_asks_its_fund_for_nothing(tmp_path):
    shocks = [jump(-0.2), jump(0.1, asset="ETH")]
    result = two_coins(
        tmp_path, sizes(BTC=100, ETH=100), CLEARER, positions=BOTH, money=40, shocks=shocks
    )
    last = result.mechanisms[result.mechanisms["tick"] == 4].set_index("symbol")["value"]
    assert last.to_dict() == pytest.approx({"BTC-PERP": 90, "ETH-PERP": 100})


def test_fees_go_to_the_fund_of_their_contract(tmp_path):
    rule = {"kind": "full", "fee_bps": 100}
    result = two_coins(
        tmp_path, sizes(BTC=5), CLEARER, positions=BOTH, money=83, shocks=FALLS, liquidation=rule
    )
    # Equity 3 of 3.2 at 240 + 80: the fee of 1 % takes it all, by notional.
    last = result.mechanisms[result.mechanisms["tick"] == 4].set_index("symbol")["value"]
    assert last.to_dict() == pytest.approx({"BTC-PERP": 5 + 3 * 0.75, "ETH-PERP": 3 * 0.25})


def test_deleveraging_begins_where_the_fund_of_one_contract_is_short(tmp_path):
    winner = (
        "w",
        "w",
        "one",
        {"USDT": 500},
        [("one/BTC-PERP", -3, 100), ("one/ETH-PERP", -10, 10)],
    )
    loser = ("a", "a", "one", {"USDT": 40}, BOTH)
    for eth, hit in ((10, 0), (9, 4)):
        result = play(
            tmp_path, [loser, winner], markets=[perp(), perp(base="ETH")], assets=COINS,
            venues={"one": venue(0.01, waterfall=[sizes(BTC=1000, ETH=eth), adl()])},
            shocks=FALLS,
        )  # fmt: skip
        assert len(events(result, "adl", "quantity")) == hit


# --------------------------------------------------------------------------- three venues


def test_three_venues_hit_different_winners(tmp_path):
    longs = {
        "a": (11_000, 1000, 100),
        "b": (10_500, 2000, 105),
        "c": (20_000, 200, 80),
        "d": (60_000, 5000, 108),
        "e": (12_000, 1000, 112),
    }
    # A short of 3,500 at 100 is bankrupt at 105.
    book = {**longs, "short": (17_500, -3500, 100)}
    expected = {
        "binance": {"b": 2000, "a": 1000, "d": 500},
        "bitmex": {"a": 1000, "b": 2000, "c": 200, "d": 300},
        "hyperliquid": {"b": 2000, "d": 1500},
    }
    for order, hit in expected.items():
        result = run(tmp_path, book, adl(order=order), shocks=[jump(0.1, at=0)])
        assert taken(result) == pytest.approx({**hit, "short": 3500})
        prices = [p for (p,) in events(result, "adl", "close_out_price")]
        assert prices == pytest.approx([105.0] * len(prices))


def test_both_schedulers_agree_with_marks_of_the_tick_before(tmp_path):
    content = {"horizon": 20, "traders": books(tmp_path, PAIR)}
    tables = []
    for mode in ("full", "due"):
        scenario = build(
            tmp_path, **content, engine={"margin_check": mode},
            venues={"one": venue(0.01, waterfall=[adl(price="previous_mark")])},
            shocks=[jump(-0.05, at=9), jump(80 / 95 - 1, at=15)],
        )  # fmt: skip
        tables.append(sim.run(scenario, check=True).liquidations)
    assert tables[0].equals(tables[1])
    assert (tables[0]["close_out_price"] == 95.0).all()


@pytest.mark.parametrize("price", ["bankruptcy", "mark"])
def test_coins_at_par_pay_no_more_than_they_fetch(tmp_path, price):
    # 1,000 coins that fetch 400 stand against a loss of 1,200: too much for a fund of 500,
    # though by what they count for it would have to pay but 200.
    coin = {"venue": "one", "symbol": "USDE-USDT", "kind": "spot", "base": "USDE", "quote": "USDT"}
    book = [
        ("long", "long", "one", {"USDE": 1000}, [("one/BTC-PERP", 20, 100)]),
        ("short", "short", "one", {"USDT": 5000}, [("one/BTC-PERP", -20, 100)]),
    ]
    result = play(
        tmp_path, book,
        assets={"USDT": {"price": 1}, "USDE": {"price": 1}, "BTC": {"price": 100}},
        venues={
            "one": venue(0.01, collateral_price={"USDE": "par"},
                         waterfall=[fund(500), adl(price=price), CLEARER])
        },
        markets=[{**coin, "impact": {"kind": "none"}}, perp()],
        shocks=[jump(-0.6, at=2, asset="USDE"), jump(-0.6, at=3)],
    )  # fmt: skip
    assert taken(result) == {"long": 20, "short": 20}
    close = {"bankruptcy": 80, "mark": 40}[price]
    assert [at for (at,) in events(result, "adl", "close_out_price")] == pytest.approx(2 * [close])
    assert result.summary["shortfall"] == pytest.approx({"bankruptcy": 0, "mark": 800}[price])
    assert equity_at(result, "book", 4) == pytest.approx(5000 + 20 * (100 - close))
