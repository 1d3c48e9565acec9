"""Voluntary orders that wait for the auction in which a halted market re-opens.

In the tick of the auction the orders of the trade phase are collected instead of filled. They
join the forced orders of the first batch in the liquidate phase: all are netted and fill at one
price. Where nobody is liquidated, or a backstop takes everybody over, they have a batch of their
own. An account that is liquidatable by then sends only its forced orders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.losses import note_fills, record_losses, settle_closed

if TYPE_CHECKING:
    from sim.engine.board import BatchFills, Flow, MarketBoard
    from sim.engine.world import World


class VoluntaryOrders(NamedTuple):
    """Orders (N,) of traders.

    ``slot`` are position slots, ``change`` signed contracts, ``cause`` the number of each one's
    cause, ``held`` what the position was when the order was sent.
    """

    slot: IntArray
    change: FloatArray
    cause: IntArray
    held: FloatArray

    def only(self, mask: BoolArray) -> VoluntaryOrders:
        """Return those orders of which `mask` (N,) is true."""
        return VoluntaryOrders(
            self.slot[mask], self.change[mask], self.cause[mask], self.held[mask]
        )

    @classmethod
    def none(cls) -> VoluntaryOrders:
        """Return no orders."""
        nobody = np.empty(0, dtype=np.int64)
        return cls(nobody, np.empty(0), nobody, np.empty(0))


class Auction:
    """Orders that wait for the auctions of this tick.

    Attributes
    ----------
    calling : (M,) bool
        Markets whose auction is in this tick.
    """

    def __init__(self, markets: int) -> None:
        self.calling = np.zeros(markets, dtype=bool)
        self.waiting = VoluntaryOrders.none()
        self.causes: list[str] = []

    def call(self, markets: BoolArray) -> None:
        """Collect the orders of this tick for these markets (M,)."""
        self.calling[:] = markets

    def accepting(self, board: MarketBoard) -> BoolArray:
        """Return the markets (M,) that take voluntary orders now: to fill them, or to wait."""
        if not self.calling.any():
            return board.tradable
        book = board.fillable & (board.liquidity > 0.0)
        return np.asarray(board.tradable | (self.calling & book))

    def collect(
        self, orders: VoluntaryOrders, market: IntArray, causes: list[str]
    ) -> VoluntaryOrders:
        """Take the orders for auctions out of `orders`; return the others."""
        mine = self.calling[market]
        if not mine.any():
            return orders
        self.waiting, self.causes = orders.only(mine), causes
        return orders.only(~mine)

    def join(self, world: World, flow: Flow) -> None:
        """Add the waiting orders to the flow of a batch.

        Those of accounts that are liquidatable by now, or whose position somebody else has
        changed (ADL), are dropped, and so are those of markets that were halted again.
        """
        if not len(self.waiting.slot):
            return
        slot, ledger = self.waiting.slot, world.ledger
        row = ledger.position_row[slot]
        # Rows beyond the accounts are mechanisms, which are never liquidated.
        free = (row >= world.accounts) | (world.label[np.minimum(row, world.accounts - 1)] < 0)
        free &= world.board.tradable[ledger.market[slot]]
        self.waiting = self.waiting.only(free & (ledger.quantity[slot] == self.waiting.held))
        market = ledger.market[self.waiting.slot].astype(np.int64)
        add_flow(flow, market, self.waiting, self.causes)

    def settle(self, world: World, fills: BatchFills) -> IntArray:
        """Book the fills of the waiting orders; return the rows that traded."""
        orders, self.waiting = self.waiting, VoluntaryOrders.none()
        self.calling[:] = False
        rows = book_fills(world, orders, fills)
        settle_losses(world, rows)
        return rows


def add_flow(flow: Flow, market: IntArray, orders: VoluntaryOrders, causes: list[str]) -> None:
    """Add the net contracts of voluntary orders (N,) to a flow by market and cause."""
    codes, where = np.unique(market * len(causes) + orders.cause, return_inverse=True)
    for code, net in zip(codes, sums(where, orders.change, len(codes)), strict=True):
        parts = flow.setdefault(int(code // len(causes)), {})
        booking = causes[code % len(causes)], None
        parts[booking] = parts.get(booking, 0.0) + float(net)


def book_fills(world: World, orders: VoluntaryOrders, fills: BatchFills) -> IntArray:
    """Book voluntary orders at the prices of their batch; return the accounts that traded."""
    ledger = world.ledger
    # A trader may send several orders for one position; they fill as one.
    places, inverse = np.unique(orders.slot, return_inverse=True)
    total = sums(inverse, orders.change, len(places))
    price = fills.average[ledger.market[places]]
    note_fills(world, places, total, ledger.trade(places, total, price, "trade"))
    rows = np.unique(ledger.position_row[places].astype(np.int64))
    return rows[: np.searchsorted(rows, world.accounts)]


def settle_losses(world: World, rows: IntArray) -> None:
    """Settle and record what those of `rows` owe that hold nothing any more."""
    record_losses(world, settle_closed(world, rows, by_force=False), "market", 0)
