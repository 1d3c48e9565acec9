"""The orders of one batch: what each liquidatable account sells, and what that is per market."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.board import Flow
from sim.models.liquidation import Distressed, sale_rules
from sim.models.liquidation.full import full

if TYPE_CHECKING:
    from sim.engine.world import World


@dataclass
class ForcedOrders:
    """Orders of one batch.

    Attributes
    ----------
    rows : (N,) int64
        Accounts, ascending.
    clearer : (N,) int64
        Their clearers.
    equity : (N,) float64 [numeraire]
        At the marks before the batch.
    slots, owner, market : (S,) int64
        Open positions of those accounts, the index of each one's account, and its market.
    change : (S,) float64 [contracts]
        Signed order; 0 where the market cannot trade.
    """

    rows: IntArray
    clearer: IntArray
    equity: FloatArray
    slots: IntArray
    owner: IntArray
    market: IntArray
    change: FloatArray


def distinct(codes: IntArray) -> list[int]:
    """Return the distinct of small numbers >= 0, ascending."""
    present: list[int] = np.bincount(codes).nonzero()[0].tolist()
    return present


def forced_orders(world: World, rows: IntArray) -> ForcedOrders:
    """Size the orders of liquidatable accounts (N,), ascending, by their clearers' rules."""
    ledger = world.ledger
    slots, owner = ledger.slots(rows)
    quantity = ledger.quantity[slots]
    held = quantity != 0.0
    if not held.all():
        slots, owner, quantity = slots[held], owner[held], quantity[held]
    market = ledger.market[slots].astype(np.int64)
    tradable = world.board.tradable[market]
    clearer = world.clearer[rows].astype(np.int64)
    orders = ForcedOrders(
        rows, clearer, world.out.equity[rows], slots, owner, market, np.negative(quantity)
    )
    share: FloatArray | None = None
    for v in distinct(clearer):
        rule = world.rules[v]
        if sale_rules[rule.kind] is full:
            continue  # needs no look at the positions
        share = np.ones(len(rows)) if share is None else share
        mine = clearer == v
        part = _distressed(world, orders, mine, tradable)
        share[mine] = sale_rules[rule.kind](part, world.tables, rule)
    if share is not None:
        sold = share[owner]
        orders.change = np.where(sold >= 1.0, orders.change, orders.change * sold)
    if not tradable.all():
        orders.change[~tradable] = 0.0
    return orders


def _distressed(
    world: World, orders: ForcedOrders, mine: BoolArray, tradable: BoolArray
) -> Distressed:
    number = np.cumsum(mine) - 1
    kept = mine[orders.owner]
    board, ledger = world.board, world.ledger
    m, owner = orders.market[kept], number[orders.owner[kept]]
    size = np.abs(ledger.quantity[orders.slots[kept]] * board.multiplier[m])
    chosen = orders.rows[mine]
    return Distressed(
        equity=orders.equity[mine],
        maintenance=world.out.maintenance[chosen],
        required=world.required[chosen],
        step=world.step[chosen].astype(np.int64),
        owner=owner,
        clearer=orders.clearer[mine][owner],
        market=m,
        notional=size * board.mark[m],
        size=size,
        worth=world.quote_price[m],
        tradable=tradable[kept],
    )


def order_flow(world: World, orders: ForcedOrders) -> Flow:
    """Return the net contracts of a batch by market, clearer and generation."""
    flow: Flow = defaultdict(dict)
    names = world.venue_names
    label = world.label[orders.rows]
    generations, of_account = [label.item(0)], orders.clearer
    if (label != label[0]).any():
        found, place = np.unique(label, return_inverse=True)
        generations = found.tolist()
        of_account = orders.clearer * len(generations) + place.ravel()
    width = len(names) * len(generations)
    code = orders.market * width + of_account[orders.owner]
    size = len(world.board.ids) * width
    net = sums(code, orders.change, size)
    # Orders may cancel; a market with orders is there even if they do.
    sent = np.bincount(code, orders.change != 0.0, size).nonzero()[0]
    for key, quantity in zip(sent.tolist(), net[sent].tolist(), strict=True):
        market, rest = divmod(key, width)
        v, g = divmod(rest, len(generations))
        flow[market][f"liquidation:{names[v]}", generations[g]] = quantity
    return flow
