"""Prices held in a band around their recent mean, and orders cut to what a band lets through.

The limits of a tick stand from its beginning to its end. The mean goes on while a price is
within its band; while it stands at a limit the band stands too, and after `limit_time` the
market is halted. The tick in which a market comes back has no band, whatever halted it, and the
price at its end begins the mean anew.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.ahead import AHEAD, first_true, prices_ahead
from sim.engine.board import CANCELLED
from sim.models.breaker.limit_band import NEAR, at_limit, band_limits

if TYPE_CHECKING:
    from sim.engine.board import MarketBoard
    from sim.engine.halts import Halts
    from sim.engine.world import World
    from sim.schema.breaker import LimitBand

FAR = 1e-6
"""Relative distance from a limit beyond which no rounding of the mean takes a price to it."""

NOT_THERE = -1
"""First tick at a limit of a price that stands at none."""


class BandKeeper:
    """Keeps the bands of one breaker.

    Parameters
    ----------
    world : World
    config : LimitBand
    markets : (J,) int64
        Markets that it holds.
    halts : Halts
    """

    def __init__(self, world: World, config: LimitBand, markets: IntArray, halts: Halts) -> None:
        self.world, self.config, self.markets, self.halts = world, config, markets, halts
        clock = world.clock
        self.patience = clock.span(config.limit_time)
        self.wide = [
            (clock.tick_at(one.at), clock.tick_at(one.at + one.duration), one.factor)
            for one in config.widened
        ]
        self.window = max(clock.span(config.window), 1)
        # What a longer window would hold beside is the price at which it began.
        rows = min(self.window, clock.ticks)
        self._prices = np.tile(world.board.last[markets], (rows, 1))
        self._origin = world.board.last[markets].copy()
        self._excess = np.zeros(len(markets))
        self._next = 0
        self._since = np.full(len(markets), NOT_THERE, dtype=np.int64)
        world.board.banded = True

    def begin_tick(self, resumed: BoolArray) -> None:
        """Set the limits of the tick; markets that are halted or come back now have none."""
        board, tick = self.world.board, self.world.tick
        factor = max([wide for at, end, wide in self.wide if at <= tick < end], default=1.0)
        low, high = band_limits(self.reference(), self.config.band * factor)
        moving = self._since == NOT_THERE
        board.low[self.markets] = np.where(moving, low, board.low[self.markets])
        board.high[self.markets] = np.where(moving, high, board.high[self.markets])
        free = resumed | board.shut
        board.low[free], board.high[free] = 0.0, math.inf

    def reference(self) -> FloatArray:
        """Return the mean prices (J,) [quote/base] over the window."""
        return np.asarray(self._origin + self._excess / self.window)

    def quiet_until(self, tick: int) -> int:
        """Return the first tick from `tick` on at which a price could reach a limit."""
        board, mine = self.world.board, self.markets
        if (self._since != NOT_THERE).any() or board.waits(mine):
            return tick
        low, high = (
            prices[:, mine] for prices in prices_ahead(self.world, tick, min(AHEAD, self.window))
        )
        gone = self._prices[(self._next + np.arange(len(low))) % len(self._prices)]
        nothing = np.zeros((1, len(mine)))
        band = self.config.band * min([1.0, *(factor for _, _, factor in self.wide)])
        # What the mean has before a tick lies between what it has if all prices are low, or high.
        least, most = (
            self._origin
            + (self._excess + np.cumsum(np.vstack([nothing, prices - gone])[:-1], axis=0))
            / self.window
            for prices in (low, high)
        )
        below, above = band_limits(most, band)[0], band_limits(least, band)[1]
        near = (low <= below * (1.0 + FAR)) | (high >= above * (1.0 - FAR))
        return first_true(near, tick)

    def follow(self, last: FloatArray, begun: int, resumed: BoolArray) -> None:
        """Let the mean follow calm ticks; set the limits of the last that was begun."""
        rows = last[:, self.markets]
        for row in rows[: begun - 1]:
            self._remember(row, resumed[self.markets])
        self.begin_tick(resumed)
        for row in rows[begun - 1 :]:
            self._remember(row, resumed[self.markets])

    def end_tick(self, resumed: BoolArray) -> None:
        """Halt markets that have stood at a limit for too long, and remember the prices."""
        board, mine, tick = self.world.board, self.markets, self.world.tick
        last = board.last[mine]
        there = board.open[mine] & at_limit(last, board.low[mine], board.high[mine])
        self._since = np.where(
            there, np.where(self._since == NOT_THERE, tick, self._since), NOT_THERE
        )
        late = there & (tick - self._since >= self.patience)
        if late.any():
            halted = np.zeros(len(board.ids), dtype=bool)
            halted[mine[late]] = True
            until = tick + max(self.world.clock.span(self.config.pause), 1)
            self.halts.halt(halted, until, self.config)
            self._since[late] = NOT_THERE
        self._remember(last, resumed[mine])

    def _remember(self, last: FloatArray, resumed: BoolArray) -> None:
        """Let the last prices of the tick take the place of the oldest in the mean."""
        if resumed.any():
            self._prices[:, resumed] = self._origin[resumed] = last[resumed]
            self._excess[resumed] = 0.0
        self._excess += last - self._prices[self._next]
        self._prices[self._next] = last
        self._next += 1
        if self._next == len(self._prices):  # no rounding is carried on for longer than a window
            self._next = 0
            self._excess = (self._prices - self._origin).sum(axis=0)


def fit_to_bands(board: MarketBoard, market: IntArray, change: FloatArray) -> FloatArray:
    """Return orders (S,) cut to what the bands of their markets let through.

    Orders of one market are netted. Where the net would walk through a limit, those on its side
    fill in part, all in the same proportion, and the others entirely.

    Parameters
    ----------
    board : MarketBoard
    market : (S,) int64
    change : (S,) float64 [contracts]
    """
    if not board.banded or not len(change):
        return change
    size = len(board.ids)
    bought = sums(market, np.maximum(change, 0.0), size)
    sold = sums(market, np.maximum(-change, 0.0), size)
    crossing = np.abs(bought - sold) > CANCELLED * (bought + sold)
    share = np.ones((2, size))
    for m in np.flatnonzero(board.tradable & crossing).tolist():
        side = int(bought[m] > sold[m])
        more, less = max(bought.item(m), sold.item(m)), min(bought.item(m), sold.item(m))
        room = contracts_to_limit(board, m, 1.0 if side else -1.0)
        if more - less > room:
            share[side, m] = (less + room) / more
    if (share == 1.0).all():
        return change
    return np.asarray(change * share[(change > 0.0).astype(np.int64), market])


def contracts_to_limit(board: MarketBoard, market: int, side: float) -> float:
    """Return the net contracts that may be bought (side 1) or sold (-1) before a limit.

    A market without impact stays where it is and has no end.
    """
    price, anchor = board.last.item(market), board.anchor.item(market)
    limit = board.high.item(market) if side > 0.0 else board.low.item(market)
    liquidity, impact = board.liquidity.item(market), board.impact[market]
    if not 0.0 < limit < math.inf or impact.slope(price, anchor, liquidity) == 0.0:
        return math.inf
    if (limit - price) * side <= NEAR * price:
        return 0.0
    return abs(impact.quantity_to_reach(price, anchor, limit, liquidity))
