"""Which rows changed since somebody last asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.ledger import changed
from sim.ledger.changed import ChangedRows
from tests.ledger.test_ledger import PLAN, ledger, trade


def taken(book):
    return book.take_changed().tolist()


def test_at_the_start_all_rows_count_as_changed():
    book = ledger()
    assert taken(book) == list(range(PLAN.total))
    assert taken(book) == []


def test_money_and_positions_are_noted_on_both_sides():
    book = ledger()
    book.take_changed()
    book.transfer(np.array([2, 0, 2]), PLAN.first_fund, 0, np.ones(3), "fee")
    book.transfer(1, 0, 1, 5.0, "gift")
    assert taken(book) == [0, 1, 2, PLAN.first_fund]
    # Nobody gains or loses: the owner and outside liquidity changed, no clearing row did.
    trade(book, 2, 1.0, 100.0)
    assert taken(book) == [1, PLAN.first_outside]
    trade(book, 2, -1.0, 110.0)
    assert taken(book) == [1, PLAN.first_clearing, PLAN.first_outside]
    book.transfer(np.empty(0, dtype=np.int64), 0, 0, np.empty(0), "nothing")
    assert taken(book) == []


def test_what_a_caller_does_with_its_rows_later_does_not_matter():
    book, rows = ledger(), np.array([1, 2])
    book.take_changed()
    book.transfer(rows, PLAN.first_fund, 0, np.ones(2), "fee")
    rows[:] = 0
    assert taken(book) == [1, 2, PLAN.first_fund]


NOTES = st.lists(st.one_of(st.none(), st.integers(0, 19), st.lists(st.integers(0, 19), max_size=9)))


@given(NOTES, st.integers(1, 12))
def test_every_noted_row_is_taken_once(notes, patience):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changed, "PATIENCE", patience)
        rows, waiting = ChangedRows(20), set(range(20))
        for note in [*notes, None]:
            if note is None:
                assert rows.take().tolist() == sorted(waiting)
                waiting = set()
            elif isinstance(note, int):
                rows.note_one(note)
                waiting.add(note)
            else:
                rows.note(np.array(note, dtype=np.int64))
                waiting |= set(note)


def test_rows_that_nobody_takes_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(changed, "PATIENCE", 50)
    rows = ChangedRows(20)
    rows.take()
    for k in range(1000):
        rows.note(np.arange(k % 20, 20))
        rows.note_one(k % 20)
        assert sum(map(len, rows._parts)) + len(rows._singles) <= 50 + 21
    assert rows.take().tolist() == list(range(20))
