"""Totals of groups of accounts: kept by increments, they stay what a fresh sum gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.core.errors import ConservationError
from sim.ledger import Ledger, RowPlan
from sim.ledger.invariants import check, totals_error
from tests.ledger.test_ledger import ledger as small_ledger
from tests.ledger.test_ledger import trade

PLAN = RowPlan(accounts=6, wallets=1, arbitrage=1, markets=2, venues=1)
CELLS = 4
CELL = np.array([0, 0, 1, 1, 1, 2] + [-1] * (PLAN.total - 6))
"""Cell 3 has no accounts; the wallet, the arbitrageur and all others have no cell."""


def book():
    """Return accounts with a slot in each of two markets, some of them open already."""
    owners = [
        *np.repeat(np.arange(6), 2),
        PLAN.first_arbitrage,
        *(PLAN.first_outside + np.arange(2)),
    ]
    rows = np.array(owners, dtype=np.int32)
    market = np.array([0, 1] * 6 + [0, 0, 1], dtype=np.int16)
    quantity = np.zeros(len(rows))
    quantity[:6] = [2.0, -1.0, 0.0, 3.0, -4.0, 0.0]
    quantity[-2:] = [-sum(quantity[market == m]) for m in range(2)]
    start = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=PLAN.total))])
    made = Ledger(
        plan=PLAN,
        balance=np.zeros((PLAN.total, 2)),
        position_start=start.astype(np.int64),
        position_row=rows,
        market=market,
        quantity=quantity,
        entry_price=np.where(quantity != 0.0, 10.0, 0.0),
        multiplier=np.array([1.0, 10.0]),
        quote_column=np.array([0, 1]),
        outside_position=np.array([13, 14]),
    )
    cost = quantity * made.entry_price * made.multiplier[market]
    for m in range(2):
        owed = -float(cost[market == m].sum())
        made.balance[PLAN.first_clearing + m, m], made.balance[PLAN.world, m] = owed, -owed
    made.transfer(PLAN.world, np.arange(6), 0, np.full(6, 50.0), "opening")
    made.transfer(np.array([0, 5]), PLAN.world, 1, np.array([20.0, 10.0]), "opening")
    made.track(CELL, CELLS)
    return made


def by_hand(made):
    """Return the totals of the ledger, each added up exactly from the accounts."""
    terms = {}

    def add(name, *place_and_value):
        terms.setdefault(name, {}).setdefault(place_and_value[:-1], []).append(place_and_value[-1])

    for row, cell in enumerate(CELL):
        for column, held in enumerate(made.balance[row].tolist() if cell >= 0 else []):
            add("balance", cell, column, held)
            add("debt", cell, column, max(-held, 0.0))
            add("holders", cell, column, int(held != 0.0))
            add("debtors", cell, column, int(held < 0.0))
    for row, market, q, e in zip(
        made.position_row, made.market, made.quantity.tolist(), made.entry_price.tolist(),
        strict=True,
    ):  # fmt: skip
        add("long", market, max(q, 0.0))
        add("longs", market, int(q > 0.0))
        for name, value in (("net", q), ("gross", abs(q)), ("cost", q * e), ("open", int(q != 0))):
            if CELL[row] >= 0:
                add(name, CELL[row], market, value)
    found = {}
    for name, places in terms.items():
        shape = (2,) if name in ("long", "longs") else (CELLS, 2)
        found[name] = np.zeros(shape)
        for place, values in places.items():
            found[name][place] = math.fsum(values)
    return found


def assert_right(made, scale):
    for name, expected in by_hand(made).items():
        kept = getattr(made.totals, name)
        assert kept.shape == expected.shape
        if name in ("open", "longs", "holders", "debtors"):
            assert kept.tolist() == expected.tolist(), name
        else:
            np.testing.assert_allclose(kept, expected, rtol=0, atol=1e-12 * scale, err_msg=name)
    kept = made.totals
    for sums in (kept.net, kept.gross, kept.cost):
        assert (sums[kept.open == 0] == 0.0).all()
    assert (kept.balance[kept.holders == 0] == 0.0).all()
    assert (kept.debt[kept.debtors == 0] == 0.0).all()
    assert (kept.long[kept.longs == 0] == 0.0).all()


# Only fills may touch the clearing rows.
FREE = [*range(PLAN.first_clearing), PLAN.first_fund, PLAN.desk, PLAN.world]
ROWS = st.one_of(
    st.sampled_from(FREE),
    st.lists(st.sampled_from(FREE), min_size=1, max_size=5),
    st.lists(st.integers(0, 1), min_size=2, max_size=5),
)
TRANSFERS = st.tuples(
    st.just("transfer"), ROWS, ROWS, st.integers(0, 1), st.lists(st.floats(0, 1e3), min_size=5)
)
CHANGES = st.one_of(
    st.sampled_from(["close", "flip", "half"]),
    st.floats(-50, 50).filter(lambda x: abs(x) > 1e-3),
)
FILLS = st.tuples(
    st.just("fill"),
    st.dictionaries(st.integers(0, 12), CHANGES, min_size=1, max_size=6),
    st.tuples(st.floats(0.1, 1e3), st.floats(0.1, 1e3)),
)


def apply(made, action):
    if action[0] == "transfer":
        _, source, destination, column, amounts = action
        lengths = [len(rows) for rows in (source, destination) if isinstance(rows, list)]
        size = min(lengths, default=1)
        ends = [
            np.array(rows[:size]) if isinstance(rows, list) else rows
            for rows in (source, destination)
        ]
        made.transfer(*ends, column, np.array(amounts[:size]), "any")
        return
    _, changes, prices = action
    slots = np.array(list(changes))
    whole = {"close": -1.0, "flip": -2.0, "half": -0.5}
    change = np.array(
        [whole[c] * made.quantity[slot] if isinstance(c, str) else c for slot, c in changes.items()]
    )
    made.trade(slots, change, np.array(prices)[made.market[slots]], "any")


@settings(max_examples=150)
@given(st.lists(st.one_of(TRANSFERS, FILLS), max_size=25))
def test_totals_follow_any_sequence_of_transfers_and_fills(actions):
    made = book()
    assert_right(made, 1.0)
    for action in actions:
        apply(made, action)
        # Nothing here is larger; rounding is judged by all that went through.
        assert_right(made, 1e3 * 50 * 10 * len(actions))
        check(made, "any")


def test_a_repeated_row_that_falls_into_debt_owes_once():
    made = book()
    debt = made.totals.debt.copy()
    made.transfer(np.array([2, 2, 3, 2]), PLAN.world, 0, np.array([30.0, 15.0, 5.0, 15.0]), "any")
    assert made.balance[2, 0] == -10.0
    assert (made.totals.debt - debt).tolist() == [[0, 0], [10, 0], [0, 0], [0, 0]]
    assert made.totals.debtors.tolist() == [[0, 1], [1, 0], [0, 1], [0, 0]]
    made.transfer(PLAN.world, np.array([2, 2]), 0, np.array([4.0, 6.0]), "any")
    assert made.totals.debt[1, 0] == 0.0
    assert made.totals.balance[1, 0] == 3 * 50.0 - 65.0 + 10.0


def test_nothing_is_left_of_what_was_paid_out():
    made = book()
    for amount in (0.1, 0.7, 1e4 / 3):
        made.transfer(PLAN.world, np.array([2, 3, 4]), 0, np.array([1.0, 3.0, 7.0]) * amount, "any")
    rows = np.array([2, 3, 4])
    made.transfer(rows, PLAN.world, 0, made.balance[rows, 0], "any")
    assert made.totals.balance[1, 0] == 0.0
    check(made, "here")


def test_nothing_is_left_of_what_was_closed():
    made = book()
    for price in (0.1, 0.7, 1e4 / 3):
        made.trade(np.arange(12), np.linspace(-1.3, 1.7, 12), np.full(12, price), "any")
    made.trade(np.arange(12), -made.quantity[:12], np.full(12, 3.3), "any")
    kept = made.totals
    assert not any(sums.any() for sums in (kept.net, kept.gross, kept.cost, kept.open))
    # Outside liquidity took the other side of what traders held net: nothing, up to rounding.
    assert kept.longs.sum() == (made.quantity > 0.0).sum()
    check(made, "here")


def test_a_ledger_that_does_not_track_works_as_well():
    tracked, plain = small_ledger(), small_ledger()
    tracked.track(np.array([0, 1, 1] + [-1] * (tracked.plan.total - 3)), 2)
    for made in (tracked, plain):
        trade(made, 0, 2.0, 100.0)
        trade(made, 2, -1.0, 90.0)
        trade(made, 0, -3.0, 80.0)
        made.transfer(np.array([0, 0]), 1, 0, np.array([1.0, 2.0]), "any")
        check(made, "here")
    assert plain.totals is None
    assert plain.balance.tolist() == tracked.balance.tolist()
    assert plain.quantity.tolist() == tracked.quantity.tolist()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda kept: kept.net.__setitem__((0, 0), 2.5),
        lambda kept: kept.gross.__setitem__((1, 1), 2.5),
        lambda kept: kept.cost.__setitem__((0, 1), 0.0),
        lambda kept: kept.balance.__setitem__((1, 0), 149.0),
        lambda kept: kept.debt.__setitem__((0, 1), 21.0),
        lambda kept: kept.long.__setitem__(0, 1.0),
        lambda kept: kept.open.__setitem__((2, 0), 1),
        lambda kept: kept.debtors.__setitem__((2, 0), 1),
        lambda kept: kept.holders.__setitem__((0, 1), 3),
        lambda kept: kept.longs.__setitem__(1, 0),
        # Dust in a cell of which nothing is left.
        lambda kept: kept.net.__setitem__((3, 0), 1e-16),
        lambda kept: kept.balance.__setitem__((3, 0), 1e-16),
        lambda kept: kept.net.__setitem__((0, 0), np.nan),
    ],
)
def test_the_invariant_notices_wrong_totals(spoil):
    made = book()
    assert totals_error(made) == 0.0
    spoil(made.totals)
    with pytest.raises(ConservationError, match="totals of accounts do not match"):
        check(made, "a test")


def test_one_amount_for_many_rows_moves_between_each_pair():
    made = book()
    made.transfer(np.array([0, 1, 1]), PLAN.first_fund, 0, 2.0, "any")
    assert made.balance[[0, 1, PLAN.first_fund], 0].tolist() == [48.0, 46.0, 6.0]
    check(made, "here")


def test_a_profit_that_is_not_a_number_is_refused():
    made = book()
    with pytest.raises(ConservationError, match="not finite"):
        made.fill(np.array([0]), np.array([-1.0]), np.array([np.inf]), "any")


@pytest.mark.parametrize("cell", [np.zeros(3), np.full(PLAN.total, 2), np.full(PLAN.total, -2)])
def test_cells_must_fit_the_rows(cell):
    made = book()
    with pytest.raises(ValueError, match="cells"):
        made.track(cell.astype(np.int64), 2)
