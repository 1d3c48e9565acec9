"""The log of forced trades, kept as columns and turned into a table at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.core.arrays import BoolArray, FloatArray, Int32Array, IntArray

if TYPE_CHECKING:
    import pandas as pd

    from sim.engine.world import World

KINDS = ("market", "backstop", "auction", "adl", "socialise")
"""Kinds of forced trade, in the order of their codes."""

COLUMNS: dict[str, type[np.generic]] = {
    "generation": np.int32,
    "clearer": np.int16,
    "market": np.int16,
    "row": np.int32,
    "quantity": np.float64,
    "mark_price": np.float64,
    "close_out_price": np.float64,
    "bankruptcy_price": np.float64,
    "notional": np.float64,
    "fee": np.float64,
    "shortfall": np.float64,
}
"""Columns that every event brings, and how they are kept."""

STORED = {**COLUMNS, "tick": np.int32, "kind": np.int8}

CHUNK = 1 << 17
"""Events that are stored together."""

MARKETS = 1 << 16
"""More than the codes of markets that fit into an event."""

Column = NDArray[Any]


class EventLog:
    """Forced trades in the order in which they happened.

    Attributes
    ----------
    count : int
        Events so far.
    """

    def __init__(self) -> None:
        self._chunks: list[dict[str, Column]] = []
        self.count = 0
        self._named = np.empty(0, dtype=np.int64), _texts([""]), _texts([""])
        self._tick = -1
        self._tick_start = 0

    def add(self, tick: int, kind: str, **columns: FloatArray | IntArray | Int32Array) -> None:
        """Append events of one kind; `columns` are the arrays (N,) named in `COLUMNS`."""
        if tick != self._tick:
            self._tick, self._tick_start = tick, self.count
        code, size, done = KINDS.index(kind), len(columns["row"]), 0
        while done < size:
            place = self.count % CHUNK
            if place == 0:
                self._chunks.append({name: np.empty(CHUNK, kept) for name, kept in STORED.items()})
            taken = min(size - done, CHUNK - place)
            chunk, stop = self._chunks[-1], place + taken
            for name in COLUMNS:
                chunk[name][place:stop] = columns[name][done : done + taken]
            chunk["tick"][place:stop] = tick
            chunk["kind"][place:stop] = code
            done += taken
            self.count += taken

    def assign_shortfall(
        self, tick: int, rows: IntArray, loss: FloatArray
    ) -> tuple[IntArray, FloatArray]:
        """Add shortfalls to the last event of their accounts in this tick; return the others.

        Parameters
        ----------
        tick : int
        rows : (N,) int64
            Accounts, each at most once.
        loss : (N,) float64 [numeraire], >= 0
        """
        left = self._add_to_last(tick, "shortfall", rows, loss)
        return rows[left], loss[left]

    def assign_fees(self, tick: int, rows: IntArray, market: IntArray, fee: FloatArray) -> None:
        """Add fees to the last events of their accounts in their markets in this tick.

        Parameters
        ----------
        tick : int
        rows, market : (N,) int64
            Accounts and markets, each pair at most once.
        fee : (N,) float64 [quote], >= 0
        """
        self._add_to_last(tick, "fee", rows, fee, market)

    def _add_to_last(
        self,
        tick: int,
        name: str,
        rows: IntArray,
        amount: FloatArray,
        market: IntArray | None = None,
    ) -> BoolArray:
        """Add amounts to a column of the last fitting events; return which found none."""
        left = amount > 0.0
        if tick != self._tick or not left.any():
            return left
        keys = rows if market is None else rows * MARKETS + market
        wanted = dict(zip(keys[left].tolist(), np.flatnonzero(left).tolist(), strict=True))
        for number in range(len(self._chunks) - 1, self._tick_start // CHUNK - 1, -1):
            chunk = self._chunks[number]
            first = max(self._tick_start - number * CHUNK, 0)
            part = slice(first, min(self.count - number * CHUNK, CHUNK))
            listed = chunk["row"][part]
            if market is not None:
                listed = listed.astype(np.int64) * MARKETS + chunk["market"][part]
            found = np.flatnonzero(np.isin(listed, keys[left]))
            last = dict(zip(listed[found].tolist(), (found + first).tolist(), strict=True))
            for key, place in last.items():
                if key in wanted:
                    k = wanted.pop(key)
                    chunk[name][place] += amount[k]
                    left[k] = False
        return left

    def column(self, name: str) -> Column:
        """Return one column (N,) over all events, as it is kept."""
        parts = list(self._parts(name))
        return np.concatenate(parts) if parts else np.empty(0, STORED[name])

    def _parts(self, name: str) -> Iterator[Column]:
        for number, chunk in enumerate(self._chunks):
            yield chunk[name][: self.count - number * CHUNK]

    def _taken(self, name: str) -> Column:
        """Return a column and forget it."""
        column = self.column(name)
        for chunk in self._chunks:
            del chunk[name]
        return column

    def names_of(self, world: World, rows: IntArray | Int32Array) -> tuple[Column, Column]:
        """Return the ids of accounts (N,), ascending, and of their owners; "" where there is none.

        The texts of accounts in a table that has been made are those of the table.
        """
        known, ids, owners = self._named
        place = np.minimum(np.searchsorted(known, rows), max(len(known) - 1, 0))
        found = known[place] == rows if len(known) else np.zeros(len(rows), dtype=bool)
        new = _names_of(world, rows[~found])
        both = tuple(np.empty(max(len(rows), 1), dtype=object) for _ in range(2))
        for names, old, fresh in zip(both, (ids, owners), new, strict=True):
            names[:] = ""
            names[: len(rows)][found] = old[place[found]]
            names[: len(rows)][~found] = fresh[: len(rows) - int(found.sum())]
        return both[0], both[1]

    def table(self, world: World) -> pd.DataFrame:
        """Return the ``liquidations`` table and forget the events, whose memory it takes over."""
        import pandas as pd

        tick, generation = (self._taken(name).astype(np.int64) for name in ("tick", "generation"))
        row, market, clearer = (self._taken(name) for name in ("row", "market", "clearer"))
        rows, inverse = np.unique(row, return_inverse=True)
        ids, owners = self.names_of(world, rows)
        self._named = rows, ids, owners
        markets = world.scenario.markets
        # A socialised loss belongs to no market; its code is -1.
        of_market = _texts([*(m.venue for m in markets), ""])
        venue = _texts([*world.venue_names, ""])[clearer]
        table: dict[str, Column] = {
            "event_id": np.arange(self.count, dtype=np.int64),
            "tick": tick,
            "time": tick * world.clock.seconds,
            "generation": generation,
            "kind": _texts(KINDS)[self._taken("kind")],
            "clearer": venue,
            "venue": np.where(market >= 0, of_market[market], venue),
            "symbol": _texts([*(m.symbol for m in markets), ""])[market],
            "account_id": ids[inverse],
            "trader_id": owners[inverse],
            "cohort": _texts([roster.name for roster in world.rosters] or [""])[world.cohort[row]],
        }
        for name, kept in COLUMNS.items():
            if kept is np.float64:
                table[name] = self._taken(name)
        self._chunks.clear()
        self.count = 0
        # Named so, texts stay what they are in every version of pandas.
        return pd.DataFrame(
            {
                name: pd.Series(kept, dtype=object, copy=False) if kept.dtype == object else kept
                for name, kept in table.items()
            },
            copy=False,
        )


def _texts(texts: Any) -> NDArray[Any]:
    return np.array(texts, dtype=object)


def _names_of(world: World, rows: IntArray) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the ids of accounts and of their owners."""
    ids = _texts([world.account_id(row) for row in rows.tolist()] or [""])
    owners = _texts([world.trader_id(row) for row in rows.tolist()] or [""])
    return ids, owners
