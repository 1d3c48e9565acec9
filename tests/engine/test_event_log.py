"""The log of forced trades keeps what it is given, over the borders of its chunks."""

from __future__ import annotations

import numpy as np
import pytest

from sim.engine import events
from sim.engine.events import COLUMNS, EventLog


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "CHUNK", 4)


def add(log: EventLog, tick: int, rows: list[int], kind: str = "market") -> None:
    columns = {name: np.arange(len(rows)) + 0.5 * (kept is np.float64)
               for name, kept in COLUMNS.items()}  # fmt: skip
    log.add(tick, kind, **{**columns, "row": np.array(rows), "shortfall": np.zeros(len(rows))})


def test_columns_come_back_as_they_went_in() -> None:
    log = EventLog()
    batches = [(0, [5, 6, 7]), (0, []), (2, [1, 2, 3, 4, 5, 6, 7, 8, 9]), (3, [0])]
    for tick, rows in batches:
        add(log, tick, rows)
    assert log.count == 13
    assert log.column("row").tolist() == [row for _, rows in batches for row in rows]
    assert log.column("tick").tolist() == [0] * 3 + [2] * 9 + [3]
    assert log.column("fee").tolist() == [i + 0.5 for _, rows in batches for i in range(len(rows))]
    assert log.column("generation").tolist() == [i for _, rows in batches for i in range(len(rows))]
    assert set(log.column("kind").tolist()) == {events.KINDS.index("market")}


def test_empty_log() -> None:
    assert EventLog().column("row").tolist() == []
    rows, loss = EventLog().assign_shortfall(0, np.array([3]), np.array([1.0]))
    assert (rows.tolist(), loss.tolist()) == ([3], [1.0])


def test_shortfalls_go_to_the_last_event_of_the_tick() -> None:
    log = EventLog()
    add(log, 0, [1, 2])
    add(log, 1, [2, 3, 2])
    add(log, 1, [4, 3, 5])
    rows, loss = log.assign_shortfall(
        1, np.array([1, 2, 3, 4, 9]), np.array([10.0, 20.0, 30.0, 0.0, 90.0])
    )
    # 1 traded in the tick before only, 9 never; 4 lost nothing.
    assert (rows.tolist(), loss.tolist()) == ([1, 9], [10.0, 90.0])
    assert log.column("row").tolist() == [1, 2, 2, 3, 2, 4, 3, 5]
    assert log.column("shortfall").tolist() == [0.0, 0.0, 0.0, 0.0, 20.0, 0.0, 30.0, 0.0]
    # A later loss of the same account adds up; in a tick without events nobody has one.
    log.assign_shortfall(1, np.array([2]), np.array([5.0]))
    assert log.column("shortfall")[4] == 25.0
    rows, _ = log.assign_shortfall(2, np.array([2]), np.array([5.0]))
    assert rows.tolist() == [2]


def test_fees_go_to_the_last_event_of_the_account_in_the_market() -> None:
    log = EventLog()
    add(log, 1, [2, 2, 3])  # in the markets 0, 1 and 2
    add(log, 1, [2, 1, 2])
    before = log.column("fee").copy()
    rows, market = np.array([2, 2, 3, 3]), np.array([0, 1, 2, 0])
    log.assign_fees(1, rows, market, np.array([10.0, 20.0, 30.0, 40.0]))
    gained = log.column("fee") - before
    assert gained.tolist() == [0.0, 20.0, 30.0, 10.0, 0.0, 0.0]
    log.assign_fees(2, rows, market, np.array([1.0, 1.0, 1.0, 1.0]))
    assert (log.column("fee") - before).tolist() == gained.tolist()
