"""Breakers at work: they watch prices, halt markets, and let them come back.

All breakers of a world share one set of `Halts`. They look at last prices after the shock phase,
after the trade phase, after each batch of forced orders and at the end of the tick, so that a
market-wide halt stops a cascade between two of its generations. A limit band acts on every move
(`sim.engine.board`), and halts at the end of a tick.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray
from sim.engine.ahead import SLACK, first_true, prices_ahead
from sim.engine.halts import Halts
from sim.engine.limit_bands import BandKeeper
from sim.engine.mechanism import NEVER, Mechanism, Series
from sim.models.breaker import level_reached, mean_fall
from sim.schema.breaker import MarketWide, Window, member_names

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.schema import Scenario


def member_markets(scenario: Scenario, venue: str, of: str | list[str] | None) -> IntArray:
    """Return the markets of a venue that symbols and bases name; all of them for None."""
    names = member_names(of)
    return np.array(
        [
            number
            for number, market in enumerate(scenario.markets)
            if market.venue == venue
            and (names is None or market.symbol in names or market.base in names)
        ],
        dtype=np.int64,
    )


class LevelWatch:
    """Halts the markets of a venue when their mean fall reaches a level.

    Parameters
    ----------
    world : World
    config : MarketWide
    venue : int
    halts : Halts
    """

    def __init__(self, world: World, config: MarketWide, venue: int, halts: Halts) -> None:
        self.world, self.config, self.halts = world, config, halts
        self.halted: BoolArray = world.board.venue == venue
        self.venue = venue
        self.watched = member_markets(world.scenario, world.venue_names[venue], config.of)
        self.reference = world.board.last[self.watched].copy()
        self.levels = np.array([level.fall for level in config.levels])
        self.rests = np.array([level.seconds is None for level in config.levels])
        self.fired = np.zeros(len(self.levels), dtype=bool)
        span = world.clock.span
        self.pauses = [max(span(level.seconds or 0.0), 1) for level in config.levels]
        self.window = (
            round(config.reference.window / world.clock.seconds)
            if isinstance(config.reference, Window)
            else None
        )
        self.last_call = NEVER if config.not_after is None else span(config.not_after)

    def begin_tick(self) -> None:
        """Take the last prices as the new reference where a window begins."""
        tick = self.world.tick
        if self.window is not None and tick and tick % self.window == 0:
            self.reference = self.world.board.last[self.watched].copy()
            self.fired[:] = False

    def _able(self, tick: int) -> BoolArray:
        """Return the levels (L,) that may still halt at a tick."""
        since = tick if self.window is None else tick % self.window
        return np.asarray(~self.fired & (self.rests | (since < self.last_call)))

    def look(self) -> None:
        """Halt if a level is reached; in a halt of all markets there is nothing to see."""
        board, tick = self.world.board, self.world.tick
        if not board.up[self.venue] or board.shut[self.halted].all():
            return
        fall = mean_fall(board.last[self.watched], self.reference)
        level = level_reached(fall, self.levels, self._able(tick))
        if level is None:
            return
        self.fired[: level + 1] = True
        until = tick + self.pauses[level]
        if self.rests[level]:
            until = NEVER if self.window is None else (tick // self.window + 1) * self.window
        self.halts.halt(self.halted, until, self.config)

    def quiet_until(self, tick: int) -> int:
        """Return the first tick from `tick` on at which a level could be reached in calm ticks.

        See `sim.engine.ahead`.
        """
        mine = self.watched
        stop = NEVER if self.window is None else -(-tick // self.window) * self.window
        left = ~self.fired
        if stop <= tick or not left.any() or not self.world.board.up[self.venue]:
            return stop
        share = (prices_ahead(self.world, tick)[0][:, mine] / self.reference).mean(axis=1)
        near = share <= (1.0 - self.levels[left][0]) * (1.0 + SLACK)
        return min(stop, first_true(near[:, None], tick))


class Breakers(Mechanism):
    """All breakers of a world."""

    phases: ClassVar[tuple[str, ...]] = ("begin", "shock", "trade", "margin", "batch", "breaker")
    follows = True

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.halts = Halts(world)
        self.levels: list[LevelWatch] = []
        self.bands: list[BandKeeper] = []
        self._quiet = 0
        for v, (name, venue) in enumerate(world.scenario.venues.items()):
            for breaker in venue.breakers:
                if isinstance(breaker, MarketWide):
                    self.levels.append(LevelWatch(world, breaker, v, self.halts))
                else:
                    markets = member_markets(world.scenario, name, breaker.of)
                    self.bands.append(BandKeeper(world, breaker, markets, self.halts))

    def act(self, phase: str) -> None:
        """Begin a tick, open auctions, look at prices, or end a tick."""
        self._quiet = 0
        if phase == "begin":
            self.halts.begin_tick()
            for level in self.levels:
                level.begin_tick()
            for band in self.bands:
                band.begin_tick(self.halts.resumed)
        elif phase == "margin":
            self.halts.open_auctions()
        else:
            for level in self.levels:
                level.look()
        if phase == "breaker":
            for band in self.bands:
                band.end_tick(self.halts.resumed)

    def quiet_until(self, tick: int) -> int:
        """Return `tick` during a halt, else when a level or a limit could be reached."""
        if self.halts.any:
            return tick
        if self._quiet <= tick:
            # It holds until a tick that is not calm, in which `act` forgets it.
            levels = [level.quiet_until(tick) for level in self.levels]
            self._quiet = min(levels + [band.quiet_until(tick) for band in self.bands])
        return self._quiet

    def follow(self, last: FloatArray, begun: int) -> None:
        """Let the means of the bands follow calm ticks; see `Mechanism.follow`."""
        for band in self.bands:
            band.follow(last, begun, self.halts.resumed)

    def series(self) -> list[Series]:
        """Return halts, indicative prices and limits of the markets concerned."""
        board = self.world.board
        venues = {level.venue for level in self.levels}
        banded = sorted(int(m) for band in self.bands for m in band.markets)
        venues |= {int(board.venue[m]) for m in banded}
        found = []
        for m in np.flatnonzero(np.isin(board.venue, list(venues))).tolist():
            found += self._shown(m, {"halted": self._halted, "indicative_price": self._indicative})
        for m in banded:
            found += self._shown(m, {"band_low": self._low, "band_high": self._high})
        return found

    def _shown(self, market: int, readers: Mapping[str, Callable[[int], float]]) -> list[Series]:
        venue = int(self.world.board.venue[market])
        return [
            Series(name, venue, market, partial(read, market)) for name, read in readers.items()
        ]

    def _halted(self, market: int) -> float:
        return float(self.world.board.shut[market])

    def _indicative(self, market: int) -> float:
        return self.world.board.indicative.item(market)

    def _low(self, market: int) -> float:
        low = self.world.board.low.item(market)
        return low if low > 0.0 else math.nan  # no band in this tick

    def _high(self, market: int) -> float:
        high = self.world.board.high.item(market)
        return high if high < math.inf else math.nan


def build_breakers(world: World) -> list[Mechanism]:
    """Return the breakers of a world as one mechanism; none where no venue has any."""
    if not any(venue.breakers for venue in world.scenario.venues.values()):
        return []
    return [Breakers(world)]
