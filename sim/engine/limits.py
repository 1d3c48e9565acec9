"""What fills of a batch of forced orders with limit prices.

Orders of all clearers in a market meet in one call auction (`sim.models.liquidation.call_auction`);
orders without a limit, a venue's own or of others, take part in it at any price. What does not
fill waits for the next tick, or the next batch of a clearer with latency.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray
from sim.core.errors import RunError
from sim.engine.board import CANCELLED
from sim.models.liquidation.call_auction import fill_within_limits

if TYPE_CHECKING:
    from sim.engine.orders import ForcedOrders
    from sim.engine.world import World


def cut_to_limits(world: World, orders: ForcedOrders) -> None:
    """Set the orders of a batch to what fills of those wanted; nothing where none has a limit."""
    if orders.limit is None:
        return
    filled = orders.wanted.copy()
    bound = (orders.limit > 0.0) & np.isfinite(orders.limit) & (orders.wanted != 0.0)
    silenced = orders.silenced(world)
    for market in np.unique(orders.market[bound]).tolist():
        here = (orders.market == market) & (orders.wanted != 0.0)
        mine = here & ~silenced
        change = orders.wanted[mine]
        gross = math.fsum(np.abs(change).tolist())
        price = average_price(world, market, gross)
        filled[mine] = fill_within_limits(change, orders.limit[mine], price)
        quiet = here & silenced
        if quiet.any():
            made = price(math.fsum(filled[mine].tolist()))
            filled[quiet] = _at_price(orders.wanted[quiet], orders.limit[quiet], made)
    orders.change = filled


def _at_price(change: FloatArray, limit: FloatArray, price: float) -> FloatArray:
    """Return what fills of orders (S,) with limits (S,) at a price that they do not make."""
    filled = np.where(change > 0.0, price <= limit, price >= limit)
    return np.where(filled, change, 0.0)


def average_price(world: World, market: int, gross: float) -> Callable[[float], float]:
    """Return the average price of a net order [contracts] in a market, nothing being moved.

    Parameters
    ----------
    world : World
    market : int
    gross : float [contracts]
        Size of all orders; a net order that is only rounding beside it pays the last price.
    """
    board = world.board
    impact = board.impact[market]
    last, anchor = board.last.item(market), board.anchor.item(market)
    liquidity, floor = board.liquidity.item(market), board.floor.item(market)

    def price(net: float) -> float:
        if abs(net) <= CANCELLED * gross:
            return last
        try:
            return impact.execute(last, anchor, net, liquidity, floor).average_price
        except RunError:  # so large a buy that no finite price fills it
            return math.inf

    return price
