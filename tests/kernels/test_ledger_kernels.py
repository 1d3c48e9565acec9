"""The kernels of the ledger: their twins agree to the last bit."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels.credits import CellSums, credit, credit_one
from sim.kernels.fills import LedgerArrays, fill, fill_numpy
from sim.kernels.slots import slots_numpy, slots_of

ACCOUNTS, MARKETS, CELLS = 6, 3, 2
ROWS = ACCOUNTS + MARKETS
SEEDS = st.integers(0, 2**32 - 1)


def ledger(random, tracked):
    """Return a random ledger of accounts and clearing rows, and its sums."""
    owner = np.repeat(np.arange(ACCOUNTS), MARKETS).astype(np.int32)
    quantity = random.normal(size=len(owner)) * random.integers(0, 2, len(owner))
    arrays = LedgerArrays(
        balance=random.normal(size=(ROWS, 2)) + 0.5,
        quantity=quantity,
        entry_price=np.where(quantity != 0.0, random.uniform(50, 150, len(owner)), 0.0),
        volume=np.zeros(MARKETS),
        turnover=np.zeros(MARKETS),
        market=np.tile(np.arange(MARKETS), ACCOUNTS).astype(np.int16),
        position_row=owner,
        multiplier=np.array([1.0, 10.0, 0.1]),
        quote_column=np.array([0, 1, 0]),
    )
    cell = np.array([0, 0, 0, 1, 1, CELLS] + [CELLS] * MARKETS, dtype=np.int32)
    sums = CellSums.zero(cell if tracked else cell[:0], CELLS, 2, MARKETS)
    place = cell[owner], arrays.market
    np.add.at(sums.open, place, (quantity != 0.0).astype(np.int64))
    np.add.at(sums.longs, arrays.market, (quantity > 0.0).astype(np.int64))
    for k in range(2):
        np.add.at(sums.holders[k], cell, (arrays.balance[:, k] != 0.0).astype(np.int64))
        np.add.at(sums.debtors[k], cell, (arrays.balance[:, k] < 0.0).astype(np.int64))
    return arrays, sums


def assert_same(first, second):
    for name in first._fields:
        one, two = getattr(first, name), getattr(second, name)
        np.testing.assert_array_equal(one, two, err_msg=name, strict=True)


@settings(max_examples=200)
@given(SEEDS, st.booleans(), st.integers(0, ACCOUNTS * MARKETS))
def test_fills_agree(seed, tracked, size):
    random = np.random.default_rng(seed)
    arrays, sums = ledger(random, tracked)
    slots = random.permutation(ACCOUNTS * MARKETS)[:size]
    held = arrays.quantity[slots]
    # Some grow, some shrink, some close, some turn round; some fill at their entry.
    change = random.choice([-1.0, -0.4, -2.5, 0.7, 0.0], size) * held
    change += (held == 0.0) * random.normal(size=size)
    price = np.where(random.random(size) < 0.2, arrays.entry_price[slots], 100.0)
    results = []
    for kernel in (fill, fill_numpy):
        given_ = copy.deepcopy((arrays, sums))
        realised, moved = np.empty(size), np.zeros(2)
        assert kernel(*given_, ACCOUNTS, slots, change, price, realised, moved)
        results.append((*given_, realised, moved))
    (one, its_sums, gains, paid), (two, sums_two, gains_two, paid_two) = results
    assert_same(one, two)
    assert_same(its_sums, sums_two)
    np.testing.assert_array_equal(gains, gains_two)
    np.testing.assert_array_equal(paid, paid_two)


def credit_each(balance, sums, rows, column, amounts):
    for row, amount in zip(rows.tolist(), amounts.tolist(), strict=True):
        credit_one(balance, sums, row, column, amount)


@settings(max_examples=200)
@given(SEEDS, st.booleans(), st.integers(0, 12))
def test_credits_agree_also_on_repeated_rows(seed, tracked, size):
    random = np.random.default_rng(seed)
    arrays, sums = ledger(random, tracked)
    arrays.balance[random.integers(0, ROWS)] = 0.0
    rows = random.integers(0, ROWS, size)
    # Some take away what is there.
    amounts = np.where(
        random.random(size) < 0.3, -arrays.balance[rows, 1], random.normal(size=size)
    )
    results = []
    for kernel in (credit, credit_each):
        given_ = copy.deepcopy((arrays, sums))
        kernel(given_[0].balance, given_[1], rows, 1, amounts)
        results.append(given_)
    for one, two in zip(*results, strict=True):
        assert_same(one, two)
    expected = arrays.balance[:, 1].copy()
    np.add.at(expected, rows, amounts)
    assert results[0][0].balance[:, 1].tolist() == expected.tolist()


@pytest.mark.parametrize("kernel", [fill, fill_numpy])
def test_nothing_is_paid_where_a_profit_is_not_finite(kernel):
    arrays, sums = ledger(np.random.default_rng(1), True)
    arrays.quantity[:2] = 1.0
    before = arrays.balance.copy()
    slots, change, price = np.array([0, 1]), np.full(2, -1.0), np.array([100.0, np.inf])
    assert not kernel(arrays, sums, ACCOUNTS, slots, change, price, np.empty(2), np.zeros(2))
    np.testing.assert_array_equal(arrays.balance, before)


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize("row", [-1, ROWS])
def test_a_row_that_is_not_there_is_refused(tracked, row):
    arrays, sums = ledger(np.random.default_rng(1), tracked)
    with pytest.raises(IndexError, match="no such row"):
        credit(arrays.balance, sums, np.array([0, row]), 0, np.ones(2))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.data())
def test_slots_of_rows_agree(counts, data):
    start = np.concatenate([[0], np.cumsum(counts)])
    rows = np.array(data.draw(st.lists(st.integers(0, len(counts) - 1))), dtype=np.int64)
    slots, owner = slots_of(start, rows)
    expected, expected_owner = slots_numpy(start, rows)
    assert slots.tolist() == expected.tolist()
    assert owner.tolist() == expected_owner.tolist()
    assert slots.tolist() == [s for r in rows for s in range(start[r], start[r + 1])]
