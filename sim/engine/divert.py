"""Who is closed against other accounts instead of in the market, decided before a batch trades."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, sums
from sim.engine.board import BatchFills, Flow
from sim.engine.funds import behind_the_line
from sim.engine.layers import covered
from sim.engine.orders import ForcedOrders, distinct
from sim.models.waterfall import largest_first
from sim.schema.waterfall import Adl, Drawdown, TearUp

if TYPE_CHECKING:
    from sim.engine.world import World

ROUNDING = 1e-12
"""Share of gross notional below which a loss is rounding."""


def equity_after(world: World, orders: ForcedOrders, fills: BatchFills) -> FloatArray:
    """Return each account's equity (N,) if its orders fill at `fills`, at the present marks."""
    board = world.board
    slip = (fills.average - board.mark) * board.multiplier * world.quote_price
    gain = slip[orders.market] * orders.change
    return orders.equity - sums(orders.owner, gain, len(orders.rows))


def overvalued(world: World, orders: ForcedOrders) -> FloatArray:
    """Return what collateral counts for above its worth (N,) [numeraire], which no debt is paid by.

    That is so where a clearer goes by par or by a book that stands higher than others.
    """
    price = world.asset_price[world.columns]
    above = np.maximum(world.weight - price, 0.0)
    if not above.any():
        return np.zeros(len(orders.rows))
    held = np.maximum(world.ledger.balance[orders.rows], 0.0)
    return np.asarray((held * above[orders.clearer]).sum(axis=1))


def closing_layer(world: World, venue: int) -> Adl | TearUp:
    """Return the layer by which a venue closes positions against other accounts."""
    layers = world.waterfall.layers[venue]
    return next(layer for layer in layers if isinstance(layer, Adl | TearUp))


def divert(world: World, orders: ForcedOrders, flow: Flow) -> BoolArray | None:
    """Return which accounts (N,) are closed against others, None if nobody.

    The batch is priced without trading; the shortfalls it would leave are presented to the
    layers before, largest first, and the accounts that these cannot cover in full are diverted.
    So are bankrupt accounts with a position for which there is no book. A trigger may instead
    ask for equity below zero, or for a fund that has fallen from its peak.
    """
    clearer = orders.clearer
    closing = [v for v in distinct(clearer) if world.waterfall.deleverages(v)]
    if not closing:
        return None
    fills = world.board.execute(flow, move=False)
    loss = overvalued(world, orders) - equity_after(world, orders, fills)
    rounding = ROUNDING * world.out.notional[orders.rows]
    lost = loss > rounding
    if not lost.any():
        return None
    diverted = orders.unsellable(world) & lost & np.isin(clearer, closing)
    expected = _expect_results(world, orders, fills)
    for v in closing:
        mine = np.flatnonzero((clearer == v) & lost & ~diverted)
        mine = mine[largest_first(loss[mine])]
        layer = closing_layer(world, v)
        if isinstance(layer, Adl) and layer.trigger == "negative_equity":
            diverted[mine] = orders.equity[mine] < -rounding[mine]
            continue
        rows = orders.rows[mine]
        paid = covered(world, v, rows, loss[mine], layer.kind)
        diverted[mine] = paid < loss[mine] * (1.0 - ROUNDING)
        if isinstance(layer, Adl) and isinstance(layer.trigger, Drawdown):
            drawdown = layer.trigger.drawdown
            diverted[mine] |= behind_the_line(world, v, rows, loss[mine], drawdown)
    _restore_results(world, orders, expected)
    return diverted if diverted.any() else None


def _expect_results(world: World, orders: ForcedOrders, fills: BatchFills) -> FloatArray | None:
    """Note what the orders would realise, where a loss is split by it; return what was noted."""
    closings, ledger, board = world.waterfall.closings, world.ledger, world.board
    if closings is None:
        return None
    before: FloatArray = closings.realised[orders.slots].copy()
    m = orders.market
    gain = (fills.average[m] - ledger.entry_price[orders.slots]) * board.multiplier[m]
    closings.realised[orders.slots] += np.where(orders.change != 0.0, -orders.change * gain, 0.0)
    return before


def _restore_results(world: World, orders: ForcedOrders, before: FloatArray | None) -> None:
    if world.waterfall.closings is not None and before is not None:
        world.waterfall.closings.realised[orders.slots] = before
