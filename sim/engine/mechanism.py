"""What a venue does by the clock beside margining: the hooks of a mechanism.

Funding, recalibrated margin, backstops, breakers and the like are mechanisms. Each acts after the
phases that it names, tells until when ticks may be gone through without it, and may show series
that are recorded with every row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from sim.engine.world import World

NEVER = int(np.iinfo(np.int64).max)
"""Tick that no run reaches."""

NO_MARKET = -1
"""Market of a series that belongs to a whole venue."""


class Series(NamedTuple):
    """One number that is recorded with every row of a run.

    Attributes
    ----------
    name : str
        What it is, such as ``funding_rate``; declared in `sim.core.series`.
    venue : int
    market : int
        Or `NO_MARKET`.
    read : callable
        Returns the present value.
    """

    name: str
    venue: int
    market: int
    read: Callable[[], float]


class OwnOrders(NamedTuple):
    """What a mechanism trades on its own account.

    Attributes
    ----------
    slots : (N,) int64
        Position slots of ledger rows that are no accounts, each once.
    change : (N,) float64 [contracts]
        Signed orders, which only reduce what is held there.
    cause : str
        What the move of the price is booked to.
    """

    slots: IntArray
    change: FloatArray
    cause: str


class Mechanism:
    """Something that acts by the clock; a subclass says in which phases, and does it.

    Parameters
    ----------
    world : World

    Attributes
    ----------
    phases : tuple of str
        Phases of a tick after which `act` is called. Beside them there are ``begin``, before the
        first phase of a tick that is not begun by a calm stretch, and ``batch``, after each batch
        of forced orders when marks have followed.
    follows : bool
        Whether it is told of calm ticks by `follow`.
    """

    phases: ClassVar[tuple[str, ...]] = ()
    follows: ClassVar[bool] = False

    def __init__(self, world: World) -> None:
        self.world = world

    def act(self, phase: str) -> None:
        """Do what has to be done after a phase of the present tick."""
        raise NotImplementedError

    def quiet_until(self, tick: int) -> int:
        """Return the first tick from `tick` on whose phases it may have something to do in.

        Ticks before it are gone through without it where they are calm otherwise; `tick` itself
        means that it has to be asked now.
        """
        return tick

    def follow(self, last: FloatArray, begun: int) -> None:
        """Take note of ticks that were gone through without it, up to the present one.

        Parameters
        ----------
        last : (T, M) float64 [quote/base]
            Last prices at the end of each tick that is over.
        begun : int
            T, or T + 1 where the present tick goes on with its phases.
        """

    def orders(self) -> list[OwnOrders]:
        """Return what it trades in the trade phase, in one batch with everybody's orders."""
        return []

    def series(self) -> list[Series]:
        """Return what is recorded of it."""
        return []
