"""The pace of forced orders: blocks, cool-downs, and what waits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sim.core.arrays import IntArray, sums
from sim.engine.mechanism import NEVER, NO_MARKET, Mechanism, Series

if TYPE_CHECKING:
    from sim.engine.orders import ForcedOrders
    from sim.engine.world import World

UNBOUNDED = np.iinfo(np.int64).max // 2
"""Batches in a tick of a clearer that does not go by blocks."""


def blocks_in_tick(world: World) -> IntArray:
    """Return how many blocks of each clearer (V,) begin in the present tick.

    Blocks begin at multiples of their length; a tick takes in those since the tick before.
    """
    seconds, tick = world.clock.seconds, world.tick
    found = np.full(len(world.rules), UNBOUNDED, dtype=np.int64)
    for v, rule in enumerate(world.rules):
        if rule.kind == "per_block":
            found[v] = _begun(tick * seconds, rule.block)
            if tick:
                found[v] -= _begun((tick - 1) * seconds, rule.block)
    return found


def _begun(time: float, block: float) -> int:
    """Return how many blocks have begun up to a time [s], the first at 0."""
    return math.floor(time / block + 1e-9) + 1


def note_fills(world: World, rows: IntArray) -> None:
    """Remember when forced orders of accounts (N,) filled, where a cool-down follows."""
    for v in np.unique(world.clearer[rows]):
        rule = world.rules[v]
        if rule.kind == "partial" and rule.whole_within > 0.0:
            mine = rows[world.clearer[rows] == v]
            world.filled_at.update(dict.fromkeys(mine.tolist(), world.tick))


def note_sold(world: World, orders: ForcedOrders) -> None:
    """Note what share of their positions a batch left accounts, where rounds are of the start.

    Positions count at the marks, in markets that take orders.
    """
    bounded = [rule.kind == "to_target" and rule.most_share < 1.0 for rule in world.rules]
    mine = np.array(bounded)[orders.clearer]
    if not mine.any():
        return
    board, m, count = world.board, orders.market, len(orders.rows)
    unit = board.multiplier * board.mark * world.quote_price * board.tradable
    sold = sums(orders.owner, np.abs(orders.change) * unit[m], count)
    left = sums(orders.owner, np.abs(world.ledger.quantity[orders.slots]) * unit[m], count)
    some = mine & (sold > 0.0)
    world.kept[orders.rows[some]] *= left[some] / (left[some] + sold[some])


class ForcedWaiting(Mechanism):
    """Shows what is liquidatable at a venue and still held, where its rules make orders wait.

    Parameters
    ----------
    world : World
    venue : int
    """

    phases: ClassVar[tuple[str, ...]] = ()

    def __init__(self, world: World, venue: int) -> None:
        super().__init__(world)
        self.venue = venue

    def quiet_until(self, tick: int) -> int:
        """Return that it never acts."""
        return NEVER

    def series(self) -> list[Series]:
        """Return ``forced_waiting``, gross notional [numeraire] of the liquidatable accounts."""
        return [Series("forced_waiting", self.venue, NO_MARKET, self._waiting)]

    def _waiting(self) -> float:
        rows = self.world.held_up
        mine = rows[self.world.clearer[rows] == self.venue]
        return float(self.world.out.notional[mine].sum())


def waiting_series(world: World) -> list[Mechanism]:
    """Return one for each venue with a price band, blocks, or slices with a cool-down."""
    paced = [
        v
        for v, rule in enumerate(world.rules)
        if rule.price_band is not None
        or rule.kind == "per_block"
        or (rule.kind == "partial" and rule.whole_within > 0.0)
    ]
    return [ForcedWaiting(world, v) for v in paced]
