"""The backstops of a world: liquidators of last resort, one for each clearer that has one.

They take accounts out of a batch before it trades. What they hold they sell in the trade phase,
in one batch with everybody's orders. The moves that this makes are nobody's forced orders: whom
they break begins a cascade of its own, of generation 0.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sim.core.arrays import BoolArray, IntArray
from sim.engine.mechanism import NEVER, NO_MARKET, Mechanism, OwnOrders, Series
from sim.engine.takeover import Backstop

if TYPE_CHECKING:
    from sim.engine.world import World


class Backstops(Mechanism):
    """The backstops of all clearers.

    Parameters
    ----------
    world : World
    desks : list of Backstop
        One for each clearer that has one, in order.
    """

    phases: ClassVar[tuple[str, ...]] = ("trade",)

    def __init__(self, world: World, desks: list[Backstop]) -> None:
        super().__init__(world)
        self.desks = desks

    def act(self, phase: str) -> None:
        """Settle up with backstops that sold all they had."""
        for desk in self.desks:
            desk.note_sales()

    def quiet_until(self, tick: int) -> int:
        """Return `tick` while one of them holds something."""
        return tick if any(desk.holding for desk in self.desks) else NEVER

    def orders(self) -> list[OwnOrders]:
        """Return what they sell."""
        return [own for desk in self.desks for own in desk.orders()]

    def within_reach(self, rows: IntArray) -> BoolArray:
        """Return which accounts (N,) one of them would take if they fit."""
        found = np.zeros(len(rows), dtype=bool)
        for desk in self.desks:
            found |= desk.candidates(rows)
        return found

    def take_over(self, rows: IntArray) -> IntArray:
        """Take accounts out of a batch (N,), ascending; return those that are left in it."""
        for desk in self.desks:
            taken = desk.choose(rows)
            if len(taken):
                desk.take(taken)
                rows = rows[~np.isin(rows, taken)]
        return rows

    def series(self) -> list[Series]:
        """Return equity and gross inventory of each, and its position in its own markets."""
        found = []
        for desk in self.desks:
            v = desk.venue
            found.append(Series("backstop_equity", v, NO_MARKET, desk.equity))
            found.append(Series("backstop_inventory", v, NO_MARKET, desk.inventory))
            for m in np.flatnonzero(self.world.board.venue == v).tolist():
                read = partial(self.world.ledger.quantity.item, int(desk.slots[m]))
                found.append(Series("backstop_position", v, m, read))
        return found


def build_backstops(world: World) -> list[Mechanism]:
    """Return the backstops of a world as one mechanism; none where no venue has one."""
    layers = [world.layer(v, "backstop") for v in range(len(world.venue_names))]
    desks = [Backstop(world, v, layer) for v, layer in enumerate(layers) if layer is not None]
    return [Backstops(world, desks)] if desks else []


def backstops_of(world: World) -> Backstops | None:
    """Return the mechanism of a world's backstops, or None."""
    return next((m for m in world.mechanisms if isinstance(m, Backstops)), None)
