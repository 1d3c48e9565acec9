"""What came into and went out of accounts since an instant, and what that was worth then.

A fill of d contracts (multiplier c) at price p that realises r changes the value of a position at
the prices of the instant, mark P and quote asset worth x, by

    c d (P - p) x - r x        and the balance by r, which counts at its weight w.

Money counts at the weight of its asset at that instant: at what a clearer counts when it is held,
in full when it is owed, and at the slope between the two where a balance changed its sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.ledger.tap import Filled, Tap, Transferred

if TYPE_CHECKING:
    from sim.engine.world import World

CAUSES = ("own_trade", "fees", "funding", "transfer", "socialised", "adl")
"""Causes of flows, in the order of their codes."""

OF_REASON = {
    "funding": "funding",
    "liquidation fee": "fees",
    "protocol fee": "fees",
    "conversion fee": "fees",
    "liquidation penalty": "fees",
    "keeper": "fees",
    "bankruptcy price": "fees",
    "remainder of closed accounts": "fees",
    "socialised loss": "socialised",
    "gains haircut": "socialised",
    "tear up": "socialised",
    "adl": "adl",
}
"""Cause by reason of a transfer or a fill."""

NOWHERE = -1
"""Code of money, which is in no market."""


class Flows(NamedTuple):
    """Changes of accounts.

    Attributes
    ----------
    row : (N,) int64
    cause : (N,) int64
        Codes of `CAUSES`.
    market : (N,) int64
        Of a fill, else `NOWHERE`.
    column : (N,) int64
        Balance column.
    amount : (N,) float64 [asset units]
        What the balance gained.
    size, cost : (N,) float64 [base], [quote]
        What the position and its cost at entry gained.
    window : (N,) int64
        Number of the window.
    """

    row: IntArray
    cause: IntArray
    market: IntArray
    column: IntArray
    amount: FloatArray
    size: FloatArray
    cost: FloatArray
    window: IntArray

    @classmethod
    def joined(cls, parts: list[Flows]) -> Flows:
        """Return some flows as one."""
        if not parts:
            none, nothing = np.empty(0, dtype=np.int64), np.empty(0)
            return cls(none, none, none, none, nothing, nothing, nothing, none)
        rows: list[Any] = [
            np.concatenate([getattr(one, name) for one in parts]) for name in cls._fields
        ]
        return cls(*rows)

    def only(self, chosen: BoolArray) -> Flows:
        """Return the chosen ones (N,)."""
        parts: list[Any] = [one[chosen] for one in self]
        return Flows(*parts)


def touches_accounts(world: World, tap: Tap) -> bool:
    """Return whether an account is among those that money or positions moved to or from."""
    accounts, slots = world.accounts, int(world.ledger.position_start[world.accounts])
    if tap.fills and (np.concatenate([one.slot for one in tap.fills]) < slots).any():
        return True
    ends = (end for one in tap.transfers for end in (one.source, one.destination))
    return any(
        end < accounts if isinstance(end, int) else bool((end < accounts).any()) for end in ends
    )


def flows_of(world: World, tap: Tap, chosen: BoolArray, window: int) -> Flows:
    """Return what a tap holds of the chosen rows (L,) of the ledger."""
    parts: list[Flows] = []
    for moved in tap.transfers:
        parts += _transferred(moved, chosen, window)
    for filled in tap.fills:
        mine = np.flatnonzero(chosen[world.ledger.position_row[filled.slot]])
        if len(mine):
            parts.append(_filled(world, filled, mine, window))
    return Flows.joined(parts)


def _code(reason: str, default: str) -> int:
    return CAUSES.index(OF_REASON.get(reason, default))


def _transferred(moved: Transferred, chosen: BoolArray, window: int) -> list[Flows]:
    found = []
    for end, sign in ((moved.source, -1.0), (moved.destination, 1.0)):
        mine = np.flatnonzero(chosen[end])
        size, none = len(mine), np.zeros(len(mine))
        if not size:
            continue
        code, amount = _code(moved.reason, "transfer"), np.atleast_1d(moved.amount)
        if isinstance(end, np.ndarray):
            row, gained = end.astype(np.int64, copy=False), sign * amount
        else:
            row, gained = np.array([end], dtype=np.int64), np.array([sign * amount.sum()])
        found.append(Flows(
            row[mine], np.full(size, code), np.full(size, NOWHERE), np.full(size, moved.column),
            gained[mine], none, none, np.full(size, window),
        ))  # fmt: skip
    return found


def _filled(world: World, filled: Filled, mine: IntArray, window: int) -> Flows:
    ledger = world.ledger
    row = ledger.position_row[filled.slot].astype(np.int64)
    market = ledger.market[filled.slot[mine]].astype(np.int64)
    size = filled.change[mine] * ledger.multiplier[market]
    realised, count = filled.realised[mine], len(mine)
    return Flows(
        row[mine], np.full(count, _code(filled.reason, "own_trade")), market,
        ledger.quote_column[market], realised, size, size * filled.price[mine] + realised,
        np.full(count, window),
    )  # fmt: skip


class Worth(NamedTuple):
    """What things were worth at an instant.

    Attributes
    ----------
    held : (V, K) float64 [numeraire]
        A unit of each balance asset that is held, by clearer.
    owed : (K,) float64 [numeraire]
        One that is owed.
    market, quote : (M,) float64 [numeraire]
        Mark in the numeraire, and quote asset.
    """

    held: FloatArray
    owed: FloatArray
    market: FloatArray
    quote: FloatArray


def losses_of(world: World, flows: Flows, worth: Worth) -> FloatArray:
    """Return what each flow (N,) cost [numeraire] its account at the prices of an instant.

    All flows of an account since the instant must be there.
    """
    ledger, columns = world.ledger, len(world.columns)
    owner, place = np.unique(flows.row * columns + flows.column, return_inverse=True)
    row, column = np.divmod(owner, columns)
    clearer = world.clearer[row].astype(np.int64)
    held, owed = worth.held[clearer, column], worth.owed[column]
    after = ledger.balance[row, column]
    change = sums(place, flows.amount, len(owner))
    before = after - change
    value_after = np.where(after > 0.0, held, owed) * after
    value_before = np.where(before > 0.0, held, owed) * before
    same = (after > 0.0) == (before > 0.0)
    slope = np.where(
        same, np.where(after > 0.0, held, owed),
        (value_after - value_before) / np.where(same, 1.0, change),
    )  # fmt: skip
    m = np.maximum(flows.market, 0)
    position = flows.size * worth.market[m] - flows.cost * worth.quote[m]
    return np.asarray(-(slope[place] * flows.amount + position))
