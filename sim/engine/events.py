"""The log of forced trades, kept as columns and turned into a table at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

    from sim.engine.world import World

KINDS = ("market", "backstop", "auction", "adl", "socialise")
"""Kinds of forced trade, in the order of their codes."""

COLUMNS = (
    "generation",
    "clearer",
    "market",
    "row",
    "quantity",
    "mark_price",
    "close_out_price",
    "bankruptcy_price",
    "notional",
    "fee",
    "shortfall",
)


class EventLog:
    """Forced trades in the order in which they happened."""

    def __init__(self) -> None:
        self._parts: list[dict[str, FloatArray | IntArray]] = []
        self.count = 0

    def add(self, tick: int, kind: str, **columns: FloatArray | IntArray) -> None:
        """Append events of one kind; `columns` are the arrays named in `COLUMNS`."""
        size = len(columns["row"])
        if size == 0:
            return
        part: dict[str, FloatArray | IntArray] = {
            name: np.array(columns[name], dtype=np.float64) for name in COLUMNS
        }
        part["tick"] = np.full(size, tick)
        part["kind"] = np.full(size, KINDS.index(kind))
        self._parts.append(part)
        self.count += size

    def assign_shortfall(self, tick: int, borne: dict[int, float]) -> dict[int, float]:
        """Add shortfalls to the last event of their accounts in this tick; return the others."""
        left = {row: loss for row, loss in borne.items() if loss > 0.0}
        for part in reversed(self._parts):
            if not left or part["tick"][0] != tick:
                break
            for row in [row for row in left if (part["row"] == row).any()]:
                place = int(np.flatnonzero(part["row"] == row)[-1])
                part["shortfall"][place] += left.pop(row)
        return left

    def column(self, name: str) -> FloatArray | IntArray:
        """Return one column over all events; empty float64 if there were none."""
        if not self._parts:
            return np.empty(0)
        return np.concatenate([part[name] for part in self._parts])

    def table(self, world: World) -> pd.DataFrame:
        """Return the ``liquidations`` table."""
        import pandas as pd

        codes = {name: self.column(name) for name in (*COLUMNS, "tick", "kind")}
        markets = world.scenario.markets
        whole = {name: codes[name].astype(np.int64) for name in ("tick", "generation", "row")}
        # A socialised loss belongs to no market; its code is -1.
        market = codes["market"].astype(np.int64)
        rows, inverse = np.unique(whole["row"], return_inverse=True)
        ids = np.array([world.account_id(int(r)) for r in rows] or [""], dtype=object)
        owners = np.array([world.trader_id(int(r)) for r in rows] or [""], dtype=object)
        names = np.array([draft.name for draft in world.drafts] or [""], dtype=object)
        venues = np.array([*world.venue_names, ""], dtype=object)
        of_market = np.array([*(m.venue for m in markets), ""], dtype=object)
        symbols = np.array([*(m.symbol for m in markets), ""], dtype=object)
        kinds = np.array(KINDS, dtype=object)
        clearer = venues[codes["clearer"].astype(np.int64)]
        return pd.DataFrame(
            {
                "event_id": np.arange(self.count, dtype=np.int64),
                "tick": whole["tick"],
                "time": whole["tick"] * world.clock.seconds,
                "generation": whole["generation"],
                "kind": kinds[codes["kind"].astype(np.int64)],
                "clearer": clearer,
                "venue": np.where(market >= 0, of_market[market], clearer),
                "symbol": symbols[market],
                "account_id": ids[inverse],
                "trader_id": owners[inverse],
                "cohort": names[world.cohort[whole["row"]]] if self.count else names[:0],
                "quantity": codes["quantity"].astype(np.float64),
                "mark_price": codes["mark_price"].astype(np.float64),
                "close_out_price": codes["close_out_price"].astype(np.float64),
                "bankruptcy_price": codes["bankruptcy_price"].astype(np.float64),
                "notional": codes["notional"].astype(np.float64),
                "fee": codes["fee"].astype(np.float64),
                "shortfall": codes["shortfall"].astype(np.float64),
            }
        )
