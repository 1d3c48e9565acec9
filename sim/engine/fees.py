"""What clearers take from liquidated accounts, and what a fund adds to orders below bankruptcy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.funds import fee_receivers, fund_of
from sim.engine.orders import distinct
from sim.models.liquidation.per_block import cushion
from sim.models.waterfall.insurance_fund import cover_in_order, largest_first

if TYPE_CHECKING:
    from sim.engine.board import BatchFills
    from sim.engine.orders import ForcedOrders
    from sim.engine.world import World


def surplus(world: World, orders: ForcedOrders, fills: BatchFills) -> FloatArray | None:
    """Return what each active order (A,) gained over its bankruptcy price [numeraire].

    Only for clearers of kind ``per_block``; 0 for the others, None where there are none.
    Called after the orders have filled; formulas in `sim.models.liquidation.per_block`.
    """
    by_block = [v for v in distinct(orders.clearer) if world.rules[v].kind == "per_block"]
    if not by_block:
        return None
    board, active = world.board, orders.change != 0.0
    owner, market, change = orders.owner[active], orders.market[active], orders.change[active]
    clearer, row = orders.clearer[owner], orders.rows[owner]
    left = world.ledger.quantity[orders.slots[active]]
    mark, size = board.mark[market], board.multiplier[market]
    worth = world.quote_price[market]
    before, after = (
        world.tables.maintenance_margin(clearer, market, held * mark, held)
        for held in (np.abs(left - change) * size, np.abs(left) * size)
    )
    freed = (before - after) * worth
    lost = (fills.average[market] - mark) * change * size * worth
    gained = cushion(orders.equity[owner], world.out.maintenance[row], freed) - lost
    return np.where(np.isin(clearer, by_block), gained, 0.0)


def block_fees(
    world: World, orders: ForcedOrders, owner: IntArray, value: FloatArray, gained: FloatArray
) -> FloatArray:
    """Return the fee (A,) [numeraire] of orders of a value (A,) that gained this much (A,)."""
    most = np.array([getattr(rule, "most_fee", 0.0) for rule in world.rules])
    rate = most[orders.clearer[owner]]
    return np.asarray(np.clip(gained, 0.0, rate * value))


def pay_below_bankruptcy(
    world: World, orders: ForcedOrders, owner: IntArray, market: IntArray, gained: FloatArray
) -> FloatArray:
    """Let funds pay the accounts of orders that filled below their bankruptcy prices.

    Largest first, as far as the fund goes; what it cannot pay stays with the account.

    Returns
    -------
    (A,) float64 [numeraire]
        What was paid for each order.
    """
    paid = np.zeros(len(owner))
    below = np.flatnonzero(gained < 0.0)
    if not len(below):
        return paid
    clearer, rows = orders.clearer[owner], orders.rows[owner]
    fund = fund_of(world, clearer[below], market[below])
    for row in np.unique(fund).tolist():
        mine = below[fund == row]
        v = int(clearer[mine[0]])
        if world.layer(v, "insurance_fund") is None:
            continue
        mine = mine[largest_first(-gained[mine])]
        # Only the settlement asset is at hand; other assets are turned into it for real debts.
        column = int(world.settlement[v])
        price = float(world.asset_price[world.columns[column]])
        held = max(float(world.ledger.balance[row, column]), 0.0) * price
        part = cover_in_order(-gained[mine], held)
        world.ledger.transfer(row, rows[mine], column, part / price, "bankruptcy price")
        paid[mine] = part
        world.flows.paid_by("insurance_fund")[v] += part.sum()
        world.flows.shortfall[v] += part.sum()
    return paid


def remainder_fees(
    world: World,
    rows: IntArray,
    closed: BoolArray,
    owner: IntArray,
    market: IntArray,
    weight: FloatArray,
) -> FloatArray:
    """Take what is left of closed accounts, as a fee on the orders that closed them.

    Parameters
    ----------
    world : World
    rows : (N,) int64
        Accounts.
    closed : (N,) bool
        Those that were closed out entirely.
    owner, market : (S,) int64
        Index into `rows` and market of each order.
    weight : (S,) float64
        Size of each order, in one unit for all markets.

    Returns
    -------
    (S,) float64 [quote of the order's market]
    """
    taken = np.zeros(len(rows))
    largest = np.zeros(len(rows), dtype=np.int64)
    order = np.lexsort((weight, owner))
    largest[owner[order]] = market[order]
    taken[closed] = take_remainders(world, rows[closed], largest[closed])
    return by_weight(taken, owner, weight) / world.quote_price[market]


def by_weight(amount: FloatArray, owner: IntArray, weight: FloatArray) -> FloatArray:
    """Split an amount of each account (N,) over its orders (S,) by their weights (S,)."""
    total = sums(owner, weight, len(amount))
    return np.asarray((amount / np.where(total > 0.0, total, 1.0))[owner] * weight)


def take_remainders(world: World, closed: IntArray, market: IntArray) -> FloatArray:
    """Move what is left of closed accounts (N,) to where their clearers' fees go, if they take it.

    An account that owes anything keeps what it has.

    Parameters
    ----------
    world : World
    closed : (N,) int64
    market : (N,) int64
        Market of the largest order that closed each, whose fund receives what is left.

    Returns
    -------
    (N,) float64 [numeraire]
        What was taken of each, at the prices of its assets.
    """
    ledger = world.ledger
    taken = np.zeros(len(closed))
    takes = np.array([rule.takes_remainder for rule in world.rules])
    clearer = world.clearer[closed].astype(np.int64)
    giving = np.flatnonzero(takes[clearer])
    giving = giving[~(ledger.balance[closed[giving]] < 0.0).any(axis=1)]
    if not len(giving):
        return taken
    receiver = fee_receivers(world, clearer[giving], market[giving])
    for column, asset in enumerate(world.columns):
        held = ledger.balance[closed[giving], column].copy()
        if held.any():
            ledger.transfer(closed[giving], receiver, column, held, "remainder of closed accounts")
            taken[giving] += held * world.asset_price[asset]
    world.flows.fees += sums(clearer, taken, len(world.rules))
    return taken
