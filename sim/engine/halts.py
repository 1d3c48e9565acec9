"""Which markets are halted, until when, and how they come back.

A halt goes through these states:

    PAUSED    nothing trades, the last price stands, exogenous returns are held back
    CALLED    the same, while orders for the auction are called for
    OPENING   the tick of the auction: what was held back is in the price, voluntary orders are
              collected and fill with the forced ones in the first batch of the liquidate phase
    TRADING   as ever

Without an auction a market goes from PAUSED to TRADING. Pauses and calls run on during an
outage, but nothing re-opens before its venue is up. Where a second breaker halts a halted
market, the later end and the longer auction hold.

A halt stops trading and not the clock. Marks and oracles go on from the last price that stands and
from an index that leaves the market out; premiums are sampled and funding is paid; risk models and
stress indices sample that index and set margins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.schema.breaker import LimitBand, MarketWide

TRADING, PAUSED, CALLED, OPENING = range(4)
"""States of a market."""


class Halts:
    """Halts of the markets (M) of a world.

    Attributes
    ----------
    state : (M,) int64
    until : (M,) int64
        First tick at which the present state may end.
    resumed : (M,) bool
        Markets that come back in this tick.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        size = len(world.board.ids)
        self.state = np.full(size, TRADING)
        self.until = np.zeros(size, dtype=np.int64)
        self.resumed = np.zeros(size, dtype=bool)
        self._call = np.zeros(size, dtype=np.int64)
        self._stops = np.zeros(size, dtype=bool)

    @property
    def any(self) -> bool:
        """Whether a market is halted, or came back in this tick."""
        return bool(self.state.any() or self.resumed.any())

    def halt(self, markets: BoolArray, until: int, breaker: MarketWide | LimitBand) -> None:
        """Halt markets (M,) up to a tick, and then as long as the breaker's auction takes."""
        world, board = self.world, self.world.board
        call = (
            0 if breaker.reopening is None else max(world.clock.span(breaker.reopening.auction), 1)
        )
        again = markets & (self.state == PAUSED)
        fresh = markets & ~again
        self.until[again] = np.maximum(self.until[again], until)
        self._call[again] = np.maximum(self._call[again], call)
        self.until[fresh], self._call[fresh] = until, call
        self.state[markets] = PAUSED
        self._stops[markets] |= breaker.margin_stops
        board.shut[markets] = board.frozen[markets] = True
        world.auction.calling[markets] = False
        self._let_clearers_go_on()

    def begin_tick(self) -> None:
        """Take markets whose time has come one state further, before anything happens."""
        self.resumed[:] = False
        self.world.auction.calling[:] = False
        if not self.state.any():
            return
        world, board = self.world, self.world.board
        up = ~world.exogenous.outage(world.tick)[board.venue]
        over = (self.state != TRADING) & (self.until <= world.tick) & up
        opening = over & (self.state == CALLED)
        called = over & (self.state == PAUSED) & (self._call > 0)
        trading = over & (self.state == PAUSED) & (self._call == 0)
        self.state[called] = CALLED
        self.until[called] = world.tick + self._call[called]
        self.state[opening] = OPENING
        board.frozen[opening | trading] = False
        self.resumed |= opening | trading
        self._open(trading)
        world.auction.call(opening)

    def open_auctions(self) -> None:
        """Let the markets trade whose auction is in this tick."""
        opening = self.state == OPENING
        if opening.any():
            self._open(opening)

    def _open(self, markets: BoolArray) -> None:
        if markets.any():
            self.state[markets] = TRADING
            self._stops[markets] = False
            self.world.board.shut[markets] = False
            self._let_clearers_go_on()

    def _let_clearers_go_on(self) -> None:
        """Let every clearer call and liquidate but those whose breakers stop that too."""
        board = self.world.board
        board.margining[:] = True
        board.margining[board.venue[board.shut & self._stops]] = False
