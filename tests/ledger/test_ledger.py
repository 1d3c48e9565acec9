"""The ledger: fills by hand, and invariants that hold and that notice when they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.core.errors import ConservationError
from sim.ledger import Ledger, RowPlan, invariants
from sim.ledger.invariants import (
    check,
    clearing_error,
    conservation_error,
    fingerprint,
    finite,
    money_error,
    quantity_error,
)

PLAN = RowPlan(accounts=3, wallets=0, arbitrage=0, markets=2, venues=1)


def ledger():
    """Return three flat accounts with a slot in each of two markets, the second of 10 units."""
    accounts = np.repeat(np.arange(3), 2)
    rows = np.concatenate([accounts, PLAN.first_outside + np.arange(2)]).astype(np.int32)
    counts = np.bincount(rows, minlength=PLAN.total)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    book = Ledger(
        plan=PLAN,
        balance=np.zeros((PLAN.total, 2)),
        position_start=start,
        position_row=rows,
        market=np.array([0, 1] * 4, dtype=np.int16),
        quantity=np.zeros(8),
        entry_price=np.zeros(8),
        multiplier=np.array([1.0, 10.0]),
        quote_column=np.array([0, 1]),
        outside_position=np.array([6, 7]),
    )
    for row in range(3):
        for column in range(2):
            book.transfer(PLAN.world, row, column, 1000.0, "opening")
    return book


def trade(book, slot, change, price):
    return book.trade(np.array([slot]), np.array([change]), np.array([price]), "trade").tolist()


def test_rows_follow_each_other():
    names = ("first_wallet", "first_clearing", "first_outside", "first_fund", "first_house",
             "first_backstop", "first_keeper", "transit", "desk", "world", "total")  # fmt: skip
    assert [getattr(PLAN, name) for name in names] == [3, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14]


def test_adding_averages_the_entry_and_pays_nothing():
    book = ledger()
    assert trade(book, 0, 2.0, 100.0) == [0.0]
    assert trade(book, 0, 1.0, 130.0) == [0.0]
    assert (book.quantity[0], book.entry_price[0]) == (3.0, 110.0)
    assert book.balance[0, 0] == 1000.0
    assert (book.quantity[6], book.entry_price[6]) == (-3.0, 110.0)


def test_reducing_realises_and_keeps_the_entry():
    book = ledger()
    trade(book, 1, -3.0, 10.0)
    assert trade(book, 1, 1.0, 8.0) == [20.0]
    assert (book.quantity[1], book.entry_price[1]) == (-2.0, 10.0)
    assert book.balance[0, 1] == 1020.0
    assert book.balance[PLAN.first_outside + 1, 1] == -20.0
    assert check(book, "here") < 1e-15


def test_crossing_zero_closes_and_opens():
    book = ledger()
    trade(book, 0, 2.0, 100.0)
    assert trade(book, 0, -5.0, 90.0) == [-20.0]
    assert (book.quantity[0], book.entry_price[0]) == (-3.0, 90.0)
    trade(book, 0, 3.0, 95.0)
    assert (book.quantity[0], book.entry_price[0]) == (0.0, 0.0)
    assert book.balance[0, 0] == 1000.0 - 20.0 - 15.0
    assert book.balance[PLAN.first_clearing, 0] == 0.0


def test_two_fills_of_one_market_share_their_counterparty():
    book = ledger()
    trade_prices = np.array([100.0, 100.0])
    book.trade(np.array([0, 2]), np.array([4.0, -1.0]), trade_prices, "trade")
    assert book.quantity[6] == -3.0
    # Fills that cancel leave the outside alone.
    before = book.entry_price[6]
    book.trade(np.array([0, 2]), np.array([-1.0, 1.0]), np.array([120.0, 120.0]), "trade")
    assert (book.quantity[6], book.entry_price[6]) == (-3.0, before)
    check(book, "here")


@pytest.mark.parametrize("amount", [-1.0, np.nan, np.inf])
def test_only_honest_amounts_are_moved(amount):
    book = ledger()
    with pytest.raises(ConservationError, match="finite and >= 0"):
        book.transfer(0, 1, 0, amount, "theft")
    with pytest.raises(ConservationError, match="'theft'"):
        book.transfer(np.array([0, 1]), 2, 0, np.array([1.0, amount]), "theft")


def test_repeated_rows_of_one_transfer_all_count():
    book = ledger()
    book.transfer(np.array([0, 0]), np.array([1, 1]), 0, np.array([10.0, 20.0]), "gift")
    assert book.balance[:3, 0].tolist() == [970.0, 1030.0, 1000.0]
    assert book.reasons["gift", 0] == 30.0


def test_slots_of_rows():
    slots, owner = ledger().slots(np.array([2, 0]))
    assert slots.tolist() == [4, 5, 0, 1]
    assert owner.tolist() == [0, 0, 1, 1]
    slots, owner = ledger().slots(np.empty(0, dtype=np.int64))
    assert len(slots) == len(owner) == 0


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda b: b.balance.__setitem__((0, 0), 1001.0), money_error, "balances"),
        (lambda b: b.quantity.__setitem__(0, 5.0), quantity_error, "positions"),
        (lambda b: b.entry_price.__setitem__(0, 101.0), clearing_error, "clearing rows"),
    ],
)
def test_the_invariants_notice(spoil, error, message):
    book = ledger()
    trade(book, 0, 2.0, 100.0)
    assert conservation_error(book) == 0.0
    spoil(book)
    assert error(book) > 1e-6
    with pytest.raises(ConservationError, match=message):
        check(book, "a test")
    book.balance[0, 0] = np.nan
    assert not finite(book)
    with pytest.raises(ConservationError, match="not a finite number after a test"):
        check(book, "a test")


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.balance.__setitem__((0, 0), np.nextafter(b.balance[0, 0], np.inf)),
        lambda b: b.quantity.__setitem__(0, 2.5),
        lambda b: b.entry_price.__setitem__(0, 101.0),
        lambda b: b.market.__setitem__(0, 1),
        lambda b: b.position_row.__setitem__(0, 1),
        lambda b: b.volume.__setitem__(1, 3.0),
        lambda b: b.turnover.__setitem__(0, 3.0),
        lambda b: b.totals.sums.debt.__setitem__((0, 0), 1.0),
        lambda b: b.totals.sums.longs.__setitem__(0, 7),
        lambda b: b.transfer(0, 1, 0, 1.0, "gift"),
        lambda b: b.reasons.__setitem__(("opening", 0), 1.0),
    ],
)
def test_the_fingerprint_is_of_all_that_is_checked(change):
    book = ledger()
    book.track(np.where(np.arange(PLAN.total) < 3, 0, -1), 1)
    trade(book, 0, 2.0, 100.0)
    before = fingerprint(book)
    assert before == fingerprint(book)
    change(book)
    assert fingerprint(book) != before


def test_a_large_ledger_has_no_fingerprint(monkeypatch):
    monkeypatch.setattr(invariants, "SMALL", 10)
    assert fingerprint(ledger()) == ()


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.floats(-100, 100).filter(lambda x: abs(x) > 1e-3),
            st.floats(0.01, 1e4),
        ),
        max_size=40,
    )
)
def test_any_sequence_of_trades_conserves_money_and_contracts(trades):
    book = ledger()
    prices = {0: 1.0, 1: 1.0}
    for slot, change, price in trades:
        trade(book, slot, change, price)
        prices[int(book.market[slot])] = price
        check(book, "a trade")
    # What everybody has, marked at any price, is what came in.
    mark = np.array([prices[0], prices[1]])[book.market]
    open_profit = book.quantity * (mark - book.entry_price) * book.multiplier[book.market]
    for column in range(2):
        inside = [r for r in range(PLAN.total) if r != PLAN.world]
        mine = book.quote_column[book.market] == column
        clearing = PLAN.first_clearing + column
        wealth = sum(book.balance[r, column] for r in inside if r != clearing)
        scale = 1e4 * 100 * 10 * 40
        assert wealth + open_profit[mine].sum() == pytest.approx(3000, abs=1e-9 * scale)
