"""What waterfalls count, and when: remainders, gains, closed positions, drawdowns."""

from __future__ import annotations

import pytest

import sim
from tests.engine.small_worlds import (
    build,
    equity_at,
    events,
    jump,
    linear,
    perp,
    play,
    sold,
    venue,
    venue_at,
    write_book,
)
from tests.engine.test_handwritten_trader import Gambler

CLEARER = {"kind": "clearer"}
COINS = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 100}}


def fund(size):
    return {"kind": "insurance_fund", "size": size}


def accounts(**held):
    """Return accounts of (collateral, contracts of BTC at 100) on one venue."""
    return [
        (name, name, "one", {"USDT": money}, [("one/BTC-PERP", size, 100)])
        for name, (money, size) in held.items()
    ]


def books(folder, listed):
    """Return a book of its own for each account."""
    return [{"name": one[0], "book": write_book(folder, [one], one[0])} for one in listed]


def layers_of(result):
    return result.summary["venues"]["one"]["layers"]


# ------------------------------------------------------------------- remainders after ADL


def deleveraged(folder, price, takes, fee_to="insurance_fund", shocks=None, size=0.0):
    """Close a long of 10 at 92 against a short: its sale alone would cost 100 of its 40."""
    rule = {"kind": "full", "takes_remainder": takes, "fee_to": fee_to}
    layers = [fund(size), {"kind": "adl", "price": price}, CLEARER]
    pair = accounts(long=(120, 10), short=(5000, -10))
    return play(
        folder,
        traders=books(folder, pair),
        venues={"one": venue(0.05, liquidation=rule, waterfall=layers)},
        markets=[perp(impact=linear(2.0))],
        shocks=shocks or [jump(-0.08)],
    )


@pytest.mark.parametrize("fee_to", ["insurance_fund", "venue"])
def test_what_an_account_has_left_after_adl_at_the_mark_is_taken(tmp_path, fee_to):
    result = deleveraged(tmp_path, "mark", True, fee_to)
    assert events(result, "adl", "account_id", "close_out_price", "fee") == [
        ("long", 92.0, pytest.approx(40)),
        ("short", 92.0, 0.0),
    ]
    assert equity_at(result, "long", 4) == 0.0
    assert equity_at(result, "short", 4) == pytest.approx(5080)
    got = 40 if fee_to == "insurance_fund" else 0
    assert venue_at(result, "one", 4, "insurance_fund") == pytest.approx(got)
    assert result.summary["fees"] == pytest.approx(40)


def test_an_account_keeps_what_adl_left_it_where_nobody_takes_it(tmp_path):
    result = deleveraged(tmp_path, "mark", False)
    assert equity_at(result, "long", 4) == pytest.approx(40)
    assert result.summary["fees"] == 0.0


def test_adl_at_the_bankruptcy_price_leaves_nothing_to_take(tmp_path):
    shocks = [jump(-1 / 11)]  # numbers that do not come out even
    runs = [deleveraged(tmp_path, "bankruptcy", takes, shocks=shocks) for takes in (True, False)]
    for table in ("liquidations", "cohorts", "venues"):
        assert getattr(runs[0], table).equals(getattr(runs[1], table))
    assert len(events(runs[0], "adl", "fee")) == 2
    assert runs[0].summary["fees"] == 0.0


def test_an_account_that_still_owes_after_adl_gives_nothing(tmp_path):
    # 120 - 200 at 80: the fund pays 50 of the debt, and nothing comes back.
    result = deleveraged(tmp_path, "mark", True, shocks=[jump(-0.2)], size=50.0)
    assert [fee for (fee,) in events(result, "adl", "fee")] == [0.0, 0.0]
    assert layers_of(result) == pytest.approx({"insurance_fund": 50, "clearer": 30})
    assert result.summary["fees"] == 0.0


def test_a_remainder_is_a_fee_on_every_contract_and_goes_to_the_fund_of_the_largest(tmp_path):
    # 150 - 40 - 20 at 90: 90 are left of 360 in BTC and 180 in ETH.
    both = [("one/BTC-PERP", 4, 100), ("one/ETH-PERP", 2, 100)]
    against = [(market, -size, price) for market, size, price in both]
    pair = [
        ("long", "long", "one", {"USDT": 150}, both),
        ("short", "short", "one", {"USDT": 5000}, against),
    ]
    rule = {"kind": "full", "takes_remainder": True, "fee_to": "insurance_fund"}
    funds = {"kind": "insurance_fund", "sizes": {"BTC-PERP": 0, "ETH-PERP": 0}}
    layers = [funds, {"kind": "adl", "price": "mark"}, CLEARER]
    result = play(
        tmp_path, pair, assets=COINS,
        markets=[perp(impact=linear(20.0)), perp(base="ETH", impact=linear(20.0))],
        venues={"one": venue(0.2, liquidation=rule, waterfall=layers)},
        shocks=[jump(-0.1), jump(-0.1, asset="ETH")],
    )  # fmt: skip
    rows = events(result, "adl", "account_id", "symbol", "fee")
    assert sorted(row for row in rows if row[0] == "long") == [
        ("long", "BTC-PERP", pytest.approx(60)),
        ("long", "ETH-PERP", pytest.approx(30)),
    ]
    last = result.mechanisms[result.mechanisms["tick"] == 4].set_index("symbol")["value"]
    assert last.to_dict() == pytest.approx({"BTC-PERP": 90, "ETH-PERP": 0})


# -------------------------------------------------------------- gains haircut and tear-up

HAIRCUT, TEAR_UP = {"kind": "gains_haircut"}, {"kind": "tear_up"}


@pytest.mark.parametrize(
    ("winners", "given", "torn"),
    [
        # Two longs lose 480 more than they have; shorts of 5 gain 250, of 8 400.
        ({"w": (1000, -5)}, 250, 230),
        ({"w": (1000, -5), "x": (1000, -3)}, 400, 80),
    ],
)
def test_the_haircut_finds_the_gains_that_a_tear_up_realised(tmp_path, winners, given, torn):
    listed = accounts(a=(10, 6), b=(10, 4), **winners)
    venues = {"one": venue(0.01, waterfall=[HAIRCUT, TEAR_UP])}
    result = play(tmp_path, listed, venues=venues, shocks=[jump(-0.5)])
    assert len(events(result, "adl", "quantity")) > 0
    paid = {"gains_haircut": given, "tear_up": torn, "clearer": 0}
    assert layers_of(result) == pytest.approx(paid)


def test_open_gains_are_given_again_only_by_what_they_grew(tmp_path):
    # At 50 the eight shorts gained 400; 430 are missing, and 4 of them are torn up for b. All is
    # given, half of it from what the tear-up realised. At 40 the other 4 have gained 40 more.
    listed = accounts(a=(10, 5), b=(10, 4), c=(59.2, 1), w=(1000, -8))
    venues = {"one": venue(0.01, waterfall=[HAIRCUT, TEAR_UP])}
    shocks = [jump(-0.5), jump(40 / 50 - 1, at=2)]
    result = play(tmp_path, listed, venues=venues, shocks=shocks)
    assert [(name, size) for name, size in events(result, "adl", "account_id", "quantity")] == [
        ("b", -4.0),
        ("w", 4.0),
    ]
    paid = {"gains_haircut": 400 + 0.8, "tear_up": 30, "clearer": 0}
    assert layers_of(result) == pytest.approx(paid)


def test_a_later_batch_of_the_tick_does_not_count_on_the_same_gains(tmp_path):
    # The sale of the first breaks the second; the gains suffice for one of them only.
    listed = [
        *accounts(first=(10, 3), winner=(1000, -4)),
        ("second", "second", "one", {"USDT": 340},
         [("one/BTC-PERP", 1, 100), ("one/ETH-PERP", 10, 100)]),
    ]  # fmt: skip
    result = play(
        tmp_path, listed, assets=COINS,
        markets=[perp(impact=linear(2.0)), perp(base="ETH", impact=linear(2.0))],
        venues={"one": venue(0.01, waterfall=[HAIRCUT, TEAR_UP])},
        shocks=[jump(-0.3), jump(-0.3, asset="ETH")],
    )  # fmt: skip
    torn = events(result, "adl", "generation", "account_id", "quantity")
    assert sorted(torn) == [(1, "second", -1.0), (1, "winner", 1.0)]
    # At 64 four contracts gained 144; 89 wait from the first batch, 96 come with the second.
    assert layers_of(result) == pytest.approx({"gains_haircut": 144, "tear_up": 41, "clearer": 0})


# --------------------------------------------------------- what was closed of one's own will


def gamble(folder, orders, layers, others, deposit, **fields):
    scenario = build(
        folder, traders=books(folder, others), horizon=12, assets=COINS,
        venues={"one": venue(0.01, waterfall=layers)}, **fields,
    )  # fmt: skip
    plan = Gambler.plan("me", venue="one", deposit={"USDT": deposit}, positions=None, orders=orders)
    return sim.run(scenario, traders=[plan], check=True)


@pytest.mark.parametrize(
    "before",
    [
        {},
        {1.0: [("BTC-PERP", 6.0)], 3.0: [("BTC-PERP", -6.0)]},
        {1.0: [("BTC-PERP", 4.0)], 3.0: [("BTC-PERP", -4.0)]},
        {1.0: [("BTC-PERP", 6.0)], 3.0: [("BTC-PERP", -8.0)], 4.0: [("BTC-PERP", 2.0)]},
    ],
)
def test_a_loss_is_spread_over_those_opposite_to_the_position_that_made_it(tmp_path, before):
    # Short 4 at 100, ruined at 150: 100 are missing, and the long bears them.
    result = gamble(
        tmp_path,
        {**before, 5.0: [("BTC-PERP", -4.0)]},
        [{"kind": "socialise", "basis": "counterparties"}],
        accounts(long=(1000, 2), short=(1000, -2)),
        100.0,
        shocks=[jump(0.5, at=8)],
    )
    assert result.summary["socialised_loss"] == pytest.approx(100)
    assert equity_at(result, "long", 11) == pytest.approx(1000 + 100 - 100)
    assert equity_at(result, "short", 11) == pytest.approx(1000 - 100)


@pytest.mark.parametrize(
    ("before", "debt"), [({}, 100), ({1.0: [("BTC-PERP", 2.0)], 3.0: [("BTC-PERP", -2.0)]}, 200)]
)
def test_a_fund_of_a_contract_does_not_pay_for_what_was_lost_and_paid_before(
    tmp_path, before, debt
):
    # The longs lose 100 at 50 and pay it; then six shorts of ETH lose 300 of what is left.
    funds = {"kind": "insurance_fund", "sizes": {"BTC-PERP": 1000, "ETH-PERP": 1000}}
    result = gamble(
        tmp_path,
        {**before, 5.0: [("ETH-PERP", -6.0)]},
        [funds, CLEARER],
        accounts(long=(1000, 2)),
        200.0,
        markets=[perp(), perp(base="ETH")],
        shocks=[jump(-0.5, at=2), jump(0.5, at=8, asset="ETH")],
    )
    last = result.mechanisms[result.mechanisms["tick"] == 11].set_index("symbol")["value"]
    assert last.to_dict() == pytest.approx({"BTC-PERP": 1000, "ETH-PERP": 1000 - debt})


def test_a_close_of_ones_own_will_that_ruins_still_counts(tmp_path):
    # Bought at 100; a jump of the tick in which it sells leaves it owing 100.
    funds = {"kind": "insurance_fund", "sizes": {"BTC-PERP": 1000, "ETH-PERP": 1000}}
    result = gamble(
        tmp_path,
        {1.0: [("BTC-PERP", 4.0)], 3.0: [("BTC-PERP", -4.0)]},
        [funds, CLEARER],
        accounts(long=(1000, 2)),
        100.0,
        markets=[perp(), perp(base="ETH")],
        shocks=[jump(-0.5, at=3)],
    )
    assert sold(result, "quantity", "shortfall") == [(0.0, pytest.approx(100))]
    last = result.mechanisms[result.mechanisms["tick"] == 11].set_index("symbol")["value"]
    assert last.to_dict() == pytest.approx({"BTC-PERP": 900, "ETH-PERP": 1000})


# --------------------------------------------------------------------- drawdown of a fund


@pytest.mark.parametrize("depeg", [None, -0.35])
@pytest.mark.parametrize("layer", ["size", "sizes"])
def test_a_fall_of_the_settlement_asset_is_no_drawdown(tmp_path, depeg, layer):
    opening = 1e6 if layer == "size" else {"BTC-PERP": 1e6}
    layers = [
        {"kind": "insurance_fund", layer: opening},
        {"kind": "adl", "price": "mark", "trigger": {"drawdown": 0.3, "window": 3600}},
        CLEARER,
    ]
    shocks = [jump(-0.2, at=2)]
    if depeg is not None:
        shocks += [jump(depeg, at=1, asset=asset) for asset in ("USDT", "BTC")]
    listed = accounts(long=(120, 10), short=(5000, -10))
    result = play(tmp_path, listed, venues={"one": venue(0.05, waterfall=layers)}, shocks=shocks)
    worth = 1.0 + (depeg or 0.0)
    assert events(result, "adl", "quantity") == []
    assert result.summary["insurance_fund_used"] == pytest.approx(80 * worth)
    table = result.mechanisms
    peak = table[(table["series"] == "insurance_fund_peak") & (table["tick"] == 4)]
    assert peak["value"].tolist() == pytest.approx([1e6 * worth])


def test_losses_are_a_drawdown_whatever_the_settlement_asset_does(tmp_path):
    # 100 - 40 is 40 % below the peak, though each unit is worth twice as much by then.
    layers = [fund(100), {"kind": "adl", "trigger": {"drawdown": 0.3, "window": 3600}}, CLEARER]
    listed = accounts(first=(20, 3), second=(90, 3), short=(5000, -10))
    shocks = [
        jump(-0.2),
        *(jump(1.0, at=2, asset=asset) for asset in ("USDT", "BTC")),
        jump(-0.2, at=3),
    ]
    result = play(tmp_path, listed, venues={"one": venue(0.01, waterfall=layers)}, shocks=shocks)
    assert {name for (name,) in events(result, "adl", "account_id")} == {"second", "short"}
