"""Who bears a loss: funds, winners, survivors and the venue, in small books."""

from __future__ import annotations

import pytest

import sim
from tests.engine.small_worlds import (
    build,
    equity_at,
    events,
    jump,
    longs,
    perp,
    play,
    sold,
    venue,
    venue_at,
    write_book,
)
from tests.engine.test_handwritten_trader import Gambler

ADL, SOCIALISE, CLEARER = {"kind": "adl"}, {"kind": "socialise"}, {"kind": "clearer"}


def fund(size):
    return {"kind": "insurance_fund", "size": size}


def bears(result, *names):
    """Return figures of the summary, to a billionth."""
    return tuple(round(result.summary[name], 9) for name in names)


LOSSES = ("shortfall", "insurance_fund_used", "socialised_loss", "uncovered_shortfall")


def one(*layers, rate=0.1, **fields):
    return {"one": venue(rate, waterfall=list(layers), **fields)}


def test_a_fund_covers_a_loss(tmp_path):
    # 10 - 20 = -10 at 80.
    result = play(tmp_path, longs((1, 10)), venues=one(fund(100), CLEARER), shocks=[jump(-0.2)])
    assert bears(result, *LOSSES) == (10, 10, 0, 0)
    assert venue_at(result, "one", 4, "insurance_fund") == pytest.approx(90)
    assert equity_at(result, "book", 4) == pytest.approx(0)
    assert sold(result, "shortfall") == [(pytest.approx(10),)]


def test_a_fund_that_is_too_small_pays_what_it_has(tmp_path):
    result = play(tmp_path, longs((1, 10)), venues=one(fund(4), CLEARER), shocks=[jump(-0.2)])
    assert bears(result, *LOSSES) == (10, 4, 0, 6)
    assert venue_at(result, "one", 4, "insurance_fund") == 0.0
    assert equity_at(result, "book", 4) == pytest.approx(0)


def test_the_largest_loss_is_presented_first(tmp_path):
    # Losses 8, 10 and 1 meet a fund of 15: 10 and 5 of 8 are paid.
    book = longs((1, 12), (1, 10), (1, 19))
    result = play(tmp_path, book, venues=one(fund(15), CLEARER), shocks=[jump(-0.2)])
    assert bears(result, *LOSSES) == (19, 15, 0, 4)
    assert sold(result, "shortfall") == [(pytest.approx(x),) for x in (8, 10, 1)]


def test_without_layers_the_venue_bears_the_loss(tmp_path):
    result = play(tmp_path, longs((1, 10)), shocks=[jump(-0.2)])
    assert bears(result, *LOSSES) == (10, 0, 0, 10)
    assert venue_at(result, "one", 1, "shortfall") == pytest.approx(10)
    assert equity_at(result, "book", 4) == pytest.approx(0)


def test_fees_fill_the_fund_before_losses_empty_it(tmp_path):
    # a0 pays 5 % of 80 = 4 of its 5 left; a1 owes 10 and the fund had nothing else.
    liquidation = {"kind": "full", "fee_bps": 500}
    venues = one(fund(0), CLEARER, liquidation=liquidation)
    result = play(tmp_path, longs((1, 25), (1, 10)), venues=venues, shocks=[jump(-0.2)])
    assert bears(result, *LOSSES) == (10, 4, 0, 6)


WINNERS = [
    ("s1", "u1", "one", {"USDT": 50}, [("one/BTC-PERP", -1, 100)]),
    ("s2", "u2", "one", {"USDT": 20}, [("one/BTC-PERP", -1, 100)]),
    ("s3", "u3", "one", {"USDT": 500}, [("one/BTC-PERP", -3, 85)]),
]
"""At 80: profit 20 % x leverage 80/70, 20 % x 80/40, 5.9 % x 240/515; so s2, s1, s3."""


def test_adl_ranks_winners_and_closes_at_the_bankruptcy_price(tmp_path):
    # -20 on 160: bankrupt at 90. s2 and s1 buy back at 90 what is worth 80.
    book = [*longs((2, 20)), *WINNERS]
    result = play(tmp_path, book, venues=one(ADL), shocks=[jump(-0.2)])
    rows = events(result, "adl", "account_id", "quantity", "close_out_price")
    assert sorted(rows) == [
        ("a0", -2.0, pytest.approx(90)),
        ("s1", 1.0, pytest.approx(90)),
        ("s2", 1.0, pytest.approx(90)),
    ]
    assert sold(result, "quantity") == []
    assert result.summary["adl_notional"] == pytest.approx(160)
    assert result.summary["liquidated_notional"] == 0.0
    assert bears(result, *LOSSES) == (0, 0, 0, 0)
    # s1 50 + 10, s2 20 + 10, s3 500 + 15; a0 nothing.
    assert equity_at(result, "book", 4) == pytest.approx(605)


def test_adl_takes_the_best_winner_first_and_only_as_much_as_it_needs(tmp_path):
    book = [*longs((1.5, 15)), *WINNERS]
    result = play(tmp_path, book, venues=one(ADL), shocks=[jump(-0.2)])
    rows = events(result, "adl", "account_id", "quantity")
    assert sorted(rows) == [
        ("a0", -1.5),
        ("s1", pytest.approx(0.5)),
        ("s2", pytest.approx(1)),
    ]


def test_the_largest_debtor_meets_the_best_winner(tmp_path):
    # a0 owes 5 (bankrupt at 85), a1 owes 9 (at 89): s2 trades with a1, s1 with a0.
    book = [*longs((1, 15), (1, 11)), *WINNERS[:2]]
    result = play(tmp_path, book, venues=one(ADL), shocks=[jump(-0.2)])
    rows = sorted(events(result, "adl", "account_id", "close_out_price"))
    prices = {"a0": 85, "a1": 89, "s1": 85, "s2": 89}
    assert rows == [(name, pytest.approx(price)) for name, price in prices.items()]


def test_what_winners_cannot_take_goes_to_the_market(tmp_path):
    # Half of a0 closes at 90, the other half sells at 80: 20 - 10 - 20 = -10.
    book = [*longs((2, 20)), WINNERS[1]]
    result = play(tmp_path, book, venues=one(ADL), shocks=[jump(-0.2)])
    assert events(result, "adl", "quantity") == [(-1.0,), (1.0,)]
    assert sold(result, "quantity", "shortfall") == [(-1.0, pytest.approx(10))]
    assert bears(result, *LOSSES) == (10, 0, 0, 10)


def test_adl_waits_while_the_fund_can_pay(tmp_path):
    book = [*longs((2, 20)), *WINNERS]
    result = play(tmp_path, book, venues=one(fund(20), ADL), shocks=[jump(-0.2)])
    assert events(result, "adl", "quantity") == []
    assert bears(result, *LOSSES) == (20, 20, 0, 0)
    result = play(tmp_path, book, venues=one(fund(19.9), ADL), shocks=[jump(-0.2)])
    assert len(events(result, "adl", "quantity")) == 3


def test_fees_are_no_fund_where_there_is_no_fund(tmp_path):
    # a0 leaves a fee of 4.4; a1's debt of 2 must still meet its winner.
    liquidation = {"kind": "full", "fee_bps": 500}
    book = [*longs((1, 20), (1, 23)), WINNERS[0]]
    result = play(
        tmp_path,
        book,
        venues=one(ADL, liquidation=liquidation),
        shocks=[jump(-0.12), jump(75 / 88 - 1, at=2)],
    )
    assert sold(result, "account_id", "fee") == [("a0", pytest.approx(4.4))]
    assert [name for (name,) in events(result, "adl", "account_id")] == ["a1", "s1"]
    assert result.summary["shortfall"] == pytest.approx(0)


def test_winners_of_another_clearer_are_not_touched(tmp_path):
    venues = {"one": venue(waterfall=[ADL]), "two": venue()}
    elsewhere = [(a, t, "two", b, p) for a, t, _, b, p in WINNERS]
    result = play(tmp_path, [*longs((2, 20)), *elsewhere], venues=venues, shocks=[jump(-0.2)])
    assert events(result, "adl", "quantity") == []
    assert bears(result, *LOSSES) == (20, 0, 0, 20)


def test_nobody_is_deleveraged_below_a_price_of_zero(tmp_path):
    # The short owes 500 of collateral that fell; its one contract is worth 10. The winner
    # sells at 0: 5 - 8 = -3. Who cannot pay is nobody's winner; all of it is shortfall.
    book = [
        ("a", "ta", "one", {"USDT": -1000, "BTC": 10}, [("one/ETH-PERP", -1, 10)]),
        ("w", "tw", "one", {"USDT": 5}, [("one/ETH-PERP", 1, 8)]),
    ]
    result = play(
        tmp_path,
        book,
        assets={"USDT": {"price": 1}, "BTC": {"price": 1000}, "ETH": {"price": 10}},
        markets=[perp(), perp(base="ETH")],
        venues=one(ADL),
        shocks=[jump(-0.95)],
    )
    prices = [p for (p,) in events(result, "adl", "close_out_price")]
    assert prices == [0.0, 0.0]
    assert bears(result, *LOSSES) == (493, 0, 0, 493)
    assert equity_at(result, "book", 4) == pytest.approx(0)


SURVIVORS = [
    ("x", "tx", "one", {"USDT": 100}, [("one/BTC-PERP", -1, 100)]),
    ("y", "ty", "one", {"USDT": 60}, [("one/BTC-PERP", 0.5, 100)]),
]
"""At 80: equity 120 and 50, profit 20 and none, notional 80 and 40."""


@pytest.mark.parametrize(
    ("basis", "share"), [("equity", 50 / 170), ("profit", 0.0), ("notional", 1 / 3)]
)
def test_survivors_share_a_loss(basis, share, tmp_path):
    book = longs((1, 10))
    groups = [{**SOCIALISE, "basis": basis}]
    result = play(tmp_path, [*book, *SURVIVORS], venues=one(fund(3), *groups), shocks=[jump(-0.2)])
    assert bears(result, *LOSSES) == (10, 3, 7, 0)
    assert events(result, "socialise", "account_id", "venue", "symbol", "shortfall") == [
        ("a0", "one", "", pytest.approx(7))
    ]
    assert sold(result, "shortfall") == [(pytest.approx(3),)]
    assert equity_at(result, "book", 4) == pytest.approx(163)
    # The second survivor is a book of its own, so that its equity can be read.
    names = {"x": SURVIVORS[0], "y": SURVIVORS[1]}
    groups_of = [
        {"book": write_book(tmp_path, [*rows], name), "name": name}
        for name, rows in {"loser": book, **{k: [v] for k, v in names.items()}}.items()
    ]
    result = play(tmp_path, traders=groups_of, venues=one(fund(3), *groups), shocks=[jump(-0.2)])
    assert equity_at(result, "y", 4) == pytest.approx(50 - 7 * share)
    assert equity_at(result, "x", 4) == pytest.approx(120 - 7 * (1 - share))


def test_a_survivor_pays_no_more_than_its_equity(tmp_path):
    # By notional x owes 2/3 of 10, but has 2: y pays the other 8.
    x = ("x", "tx", "one", {"USDT": -18}, [("one/BTC-PERP", -1, 100)])
    result = play(
        tmp_path,
        [*longs((1, 10)), x, SURVIVORS[1]],
        venues=one({**SOCIALISE, "basis": "notional"}, rate=0.0),
        shocks=[jump(-0.2, at=0)],
    )
    assert bears(result, *LOSSES) == (10, 0, 10, 0)
    assert equity_at(result, "book", 0) == pytest.approx(42)


def test_without_survivors_the_venue_bears_the_loss(tmp_path):
    result = play(tmp_path, longs((1, 10)), venues=one(SOCIALISE), shocks=[jump(-0.2)])
    assert bears(result, *LOSSES) == (10, 0, 0, 10)


def test_without_winners_nothing_is_clawed_back(tmp_path):
    venues = one({**SOCIALISE, "basis": "profit"})
    book = [*longs((1, 10)), SURVIVORS[1]]
    result = play(tmp_path, book, venues=venues, shocks=[jump(-0.2)])
    assert bears(result, *LOSSES) == (10, 0, 0, 10)
    assert equity_at(result, "book", 4) == pytest.approx(50)


def test_a_socialised_loss_can_break_a_survivor(tmp_path):
    # y stands at 4.1 of 4.0 and pays 10 x 4.1 / 124.1 = 0.33.
    y = ("y", "ty", "one", {"USDT": 14.1}, [("one/BTC-PERP", 0.5, 100)])
    result = play(
        tmp_path, [*longs((1, 10)), SURVIVORS[0], y], venues=one(SOCIALISE), shocks=[jump(-0.2)]
    )
    assert sold(result, "account_id", "generation", "tick") == [("a0", 0, 1), ("y", 1, 1)]


def test_collateral_is_sold_at_its_value_after_the_haircut(tmp_path):
    # 10 ETH at 7, BTC at 70 with 20 % off: 56 - 50 = 6 < 7. ETH sells flat; 50 of debt takes
    # 50 / 56 BTC, and 1 - 50 / 56 BTC at 56 is the 6 that is left.
    book = [("a", "t", "one", {"USDT": -50, "BTC": 1}, [("one/ETH-PERP", 7, 10)])]
    assets = {
        "USDT": {"price": 1, "haircut": 0.5},
        "BTC": {"price": 100, "haircut": 0.2},
        "ETH": {"price": 10},
    }
    world = {"assets": assets, "markets": [perp(), perp(base="ETH")]}
    result = play(tmp_path, book, shocks=[jump(-0.3)], **world)
    assert sold(result, "symbol", "quantity", "shortfall") == [("ETH-PERP", -7.0, 0.0)]
    assert equity_at(result, "book", 0) == pytest.approx(30)
    assert equity_at(result, "book", 1) == pytest.approx(6)
    # At 60 the BTC counts for 48 of 50 owed.
    result = play(tmp_path, book, shocks=[jump(-0.4)], **world)
    assert sold(result, "shortfall") == [(pytest.approx(2),)]
    assert equity_at(result, "book", 1) == pytest.approx(0)


def test_a_venue_may_state_its_own_haircut(tmp_path):
    book = [
        (name, f"t{name}", name, {"USDT": -50, "BTC": 1}, [(f"{name}/ETH-PERP", 4, 10)])
        for name in ("one", "two")
    ]
    result = play(
        tmp_path,
        book,
        assets={"USDT": {"price": 1}, "BTC": {"price": 100, "haircut": 0.2}, "ETH": {"price": 10}},
        venues={"one": venue(), "two": venue(collateral={"BTC": 0.5})},
        markets=[perp(base="ETH"), perp("two", base="ETH")],
    )
    assert sold(result, "account_id", "tick") == [("two", 0)]


def test_a_broken_peg_hits_what_is_settled_in_it(tmp_path):
    # USDT halves: BTC costs 200 USDT. The USDT short owes 80 USDT, 40 in money; the long is
    # richer; the pair in USDC feels nothing. The fund's 100 USDT are worth 50.
    sides = {"long": 1, "short": -1}
    book = [
        (f"{side}-{coin}", f"{side}{coin}", coin, {coin.upper(): 20},
         [(f"{coin}/BTC-PERP", size, 100)])
        for side, size in sides.items() for coin in ("usdt", "usdc")
    ]  # fmt: skip
    result = play(
        tmp_path,
        book,
        assets={"USDT": {"price": 1}, "USDC": {"price": 1}, "BTC": {"price": 100}},
        venues={name: venue(waterfall=[fund(100), CLEARER]) for name in ("usdt", "usdc")},
        markets=[perp("usdt"), perp("usdc", quote="USDC")],
        shocks=[jump(-0.5, asset="USDT")],
    )
    assert sold(result, "account_id", "mark_price", "notional") == [
        ("short-usdt", pytest.approx(200), pytest.approx(200))
    ]
    assert bears(result, *LOSSES) == (40, 40, 0, 0)
    assert result.summary["liquidated_notional"] == pytest.approx(100)
    assert venue_at(result, "usdt", 4, "insurance_fund") == pytest.approx(10)
    assert venue_at(result, "usdt", 4, "equity") == pytest.approx(60)
    assert venue_at(result, "usdc", 4, "equity") == pytest.approx(40)


def test_a_clearer_without_markets_closes_positions_elsewhere(tmp_path):
    # The prime broker asks 20 %: 300 at stake, 100 - 2 x 15 - 15 = 55 > 51 at 85, not at 80.
    venues = {
        "prime": venue(
            0.2,
            waterfall=[fund(30), CLEARER],
            liquidation={"kind": "full", "fee_bps": 100},
        ),
        "one": venue(),
        "two": venue(),
    }
    positions = [("one/BTC-PERP", 2, 100), ("two/BTC-PERP", 1, 100)]
    book = [("a", "t", "prime", {"USDT": 100}, positions)]
    world = {"venues": venues, "markets": [perp(), perp("two")]}
    assert play(tmp_path, book, shocks=[jump(-0.15)], **world).liquidations.empty
    result = play(tmp_path, book, shocks=[jump(-0.2)], **world)
    assert sold(result, "clearer", "venue", "quantity", "fee") == [
        ("prime", "one", -2.0, pytest.approx(1.6)),
        ("prime", "two", -1.0, pytest.approx(0.8)),
    ]
    assert venue_at(result, "prime", 4, "insurance_fund") == pytest.approx(32.4)
    assert result.summary["venues"]["prime"]["liquidated_notional"] == pytest.approx(240)
    assert result.summary["venues"]["one"]["liquidated_notional"] == 0.0
    assert result.summary["markets"]["one/BTC-PERP"]["liquidated_notional"] == pytest.approx(160)


def test_a_loss_by_own_choice_is_a_shortfall_too(tmp_path):
    # The stop is hit at 85 but the order only fills at 42.5: 20 - 57.5 = -37.5.
    result = play(
        tmp_path,
        longs((1, 20)),
        venues=one(fund(30), CLEARER, rate=0.01),
        source={"behaviour": {"kind": "stop_loss", "trigger": 0.1}},
        shocks=[jump(-0.15), jump(-0.5, at=2)],
    )
    # Nothing was forced, but the loss has an event.
    rows = result.liquidations[["account_id", "symbol", "quantity", "shortfall"]]
    assert list(rows.itertuples(False, None)) == [("a0", "", 0.0, pytest.approx(37.5))]
    assert result.summary["accounts_liquidated"] == 0
    assert bears(result, *LOSSES) == (37.5, 30, 0, 7.5)
    assert equity_at(result, "book", 4) == pytest.approx(0)


def test_spot_markets_value_collateral_and_hold_no_positions(tmp_path):
    # Collateral is valued at spot: the perpetual elsewhere does not count.
    spot = {**perp(), "symbol": "BTC-USDT", "kind": "spot"}
    book = [("a", "t", "one", {"BTC": 1}, [("one/ETH-PERP", 1, 10)])]
    result = play(
        tmp_path,
        book,
        assets={"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}},
        venues={"one": venue(), "two": venue()},
        markets=[spot, perp("two"), perp(base="ETH")],
        shocks=[jump(-0.5, venue="two"), jump(-0.1, at=2, venue="one")],
    )
    assert [equity_at(result, "book", t) for t in (0, 1, 2)] == pytest.approx([100, 100, 90])


@pytest.mark.parametrize("order", [("USD", "BTC", "ETH"), ("ETH", "USD", "BTC")])
def test_an_asset_is_valued_after_the_one_it_is_quoted_in(order, tmp_path):
    # ETH trades against BTC, BTC falls on its market alone: 10 ETH at 0.1 BTC at 50.
    price = {"USD": 1, "BTC": 100, "ETH": 10}
    spot = {"venue": "one", "kind": "spot", "impact": {"kind": "none"}}
    result = play(
        tmp_path,
        [("a", "t", "one", {"ETH": 10}, [])],
        assets={name: {"price": price[name]} for name in order},
        markets=[
            {**spot, "symbol": "BTC-USD", "base": "BTC", "quote": "USD"},
            {**spot, "symbol": "ETH-BTC", "base": "ETH", "quote": "BTC"},
        ],
        shocks=[jump(-0.5, venue="one")],
    )
    assert equity_at(result, "book", 2) == pytest.approx(100)


def own_history(tmp_path, orders, accounts, deposit, **fields):
    """Play a trader with orders of its own beside `accounts`."""
    scenario = build(tmp_path, accounts, horizon=12, **fields)
    plan = Gambler.plan("me", venue="one", deposit={"USDT": deposit}, positions=None, orders=orders)
    return sim.run(scenario, traders=[plan], check=True)


@pytest.mark.parametrize("before", [0.0, 4.0, 6.0])
@pytest.mark.parametrize("turn", [False, True])
def test_counterparties_pay_for_the_last_position_and_not_for_earlier_ones(tmp_path, before, turn):
    # Short 4 at 100 with 100 loses 200 at 150: the long pays, whatever was closed long before.
    long = ("L", "L", "one", {"USDT": 1000}, [("one/BTC-PERP", 2, 100)])
    short = ("S", "S", "one", {"USDT": 1000}, [("one/BTC-PERP", -2, 100)])
    orders = {1.0: [("BTC-PERP", before)], 3.0: [("BTC-PERP", -before)], 5.0: [("BTC-PERP", -4.0)]}
    if turn:
        orders = {1.0: [("BTC-PERP", before)], 5.0: [("BTC-PERP", -before - 4.0)]}
    result = own_history(
        tmp_path, orders, [long], 100.0,
        venues={"one": venue(0.01, waterfall=[{"kind": "socialise", "basis": "counterparties"}])},
        shocks=[jump(0.5, at=8)],
        traders=[{"book": write_book(tmp_path, [short], "short"), "name": "short"}],
    )  # fmt: skip
    assert result.summary["socialised_loss"] == pytest.approx(100)
    # Of 1,000 each, the long has gained 100 and paid 100, the short has lost 100.
    assert equity_at(result, "book", 11) == pytest.approx(1000)
    assert equity_at(result, "short", 11) == pytest.approx(900)


def test_the_fund_of_a_contract_does_not_pay_for_what_was_closed_before_in_another(tmp_path):
    sizes = {"BTC-PERP": 1000, "ETH-PERP": 1000}
    waterfall = [{"kind": "insurance_fund", "sizes": sizes}, {"kind": "clearer"}]
    # BTC is closed by its owner at a loss of 100; the loss beyond equity comes from ETH.
    result = own_history(
        tmp_path,
        {1.0: [("BTC-PERP", 2.0)], 3.0: [("BTC-PERP", -2.0)], 5.0: [("ETH-PERP", -6.0)]},
        [("L", "L", "one", {"USDT": 1e4}, [("one/BTC-PERP", 2, 100)])],
        200.0,
        assets={"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 100}},
        venues={"one": venue(0.01, waterfall=waterfall)},
        markets=[perp(), perp(base="ETH")],
        shocks=[jump(-0.5, at=2), jump(0.5, at=8, asset="ETH")],
    )
    funds = result.mechanisms.query("series == 'contract_fund' and tick == 11")
    assert dict(zip(funds["symbol"], funds["value"], strict=True)) == pytest.approx(
        {"BTC-PERP": 1000, "ETH-PERP": 800}
    )
