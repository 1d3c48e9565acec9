"""How what moved last prices passed into the values that accounts depend on.

Those values are, for market m with mark P, last price L, index I and quote asset q, for asset a
and for collateral c that a clearer takes at its own book,

    y_m = P_m x_q                               [numeraire]
    x_a = x_a(0) mean over its markets of  L_m x_q / (L_m(0) x_q(0))
    o_c = L_m x_q

Between two instants every last price has moved by ``dL_m = sum_k l_mk`` over causes k. A product
is split exactly by ``d(L x) = x(1) dL + L(0) dx``, a mean or a median by the shares with which
prices enter it at the end; what is left where these shares changed belongs to no price.

How a mark passes on what it follows is in `sim.engine.waiting`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray
from sim.engine.causes import PriceMove
from sim.engine.growing import GrowingArray
from sim.engine.means import Means
from sim.engine.waiting import mark_kind
from sim.kernels.passing import FREE, REST, Instant, Wiring, split

if TYPE_CHECKING:
    from sim.engine.pricing import Pricing
    from sim.engine.world import World

KEY = np.dtype([("market", "i2"), ("cause", "i2"), ("generation", "i4"), ("tick", "i4")])
"""What moves a value: the market whose price moved or -1, the number of the cause in the book of
causes, generation and tick of the forced orders or -1."""

NO_CAUSE = {-1: "mark", -2: "exogenous"}
"""Causes of what no price explains and of returns of assets without a market, by number in keys."""

MANY = 10_000
"""Moves by forced orders after which marks are brought up to date at the latest."""


class Moves(NamedTuple):
    """What moved values between two instants: ``move[j, k]`` [numeraire] by key ``key[k]``."""

    key: IntArray
    move: FloatArray


class Prices(NamedTuple):
    """Prices at one instant, and what had moved them by then.

    Attributes
    ----------
    at : Instant
    causes : (C, M) float64 [quote/base]
        Moves of last prices since the start, by cause.
    forced : int
        Number of moves by forced orders so far.
    live : (M,) bool
        Markets whose price counts for assets and indices.
    tick : int
    """

    at: Instant
    causes: FloatArray
    forced: int
    live: BoolArray
    tick: int

    @property
    def value(self) -> FloatArray:
        """The values (J,) [numeraire]: ``y`` of all markets, ``x`` of all assets, ``o``."""
        return self.at.value


class Waiting(NamedTuple):
    """What marks have not passed on of the moves by some keys.

    Attributes
    ----------
    key : (K,) int64
    market : (F,) int64
        Markets with something waiting of what their mark follows first.
    part : (F + 2B, K) float64 [quote/base]
        That by market; what is left of the basis by market with one; what was taken of that.
    """

    key: IntArray
    market: IntArray
    part: FloatArray


class Passing:
    """Splits the moves of all values of a world from instant to instant.

    Parameters
    ----------
    world : World
    pricing : Pricing
        Which markets value an asset, and what indices are made of.

    Attributes
    ----------
    then : Prices
        At the last instant.
    keys : GrowingArray
        What moved values so far, records of type `KEY`.
    """

    def __init__(self, world: World, pricing: Pricing) -> None:
        self.world, self.means = world, Means(world, pricing)
        kinds = [mark_kind(venue.mark) for venue in world.scenario.venues.values()]
        of_index, basis, at_once, half_life = (np.array(x) for x in zip(*kinds, strict=True))
        venue = world.board.venue
        self._basis = np.flatnonzero(basis[venue])
        self._of_index, self._slow = of_index[venue], ~at_once[venue]
        self._half_life = half_life[venue]
        self._any_slow = bool(self._slow.any())
        self._remembers = bool((~at_once | basis).any())
        self.keys = GrowingArray((), KEY)
        self.keys.extend(2)[:] = [(-1, -1, -1, -1), (-1, -2, -1, -1)]
        self._number = np.zeros((0, len(venue)), dtype=np.int64)
        none = np.empty(0, dtype=np.int64)
        self._waiting = Waiting(none, none, np.zeros((2 * len(self._basis), 0)))
        self._by_time: dict[int, FloatArray] = {}
        world.board.causes.keep_forced()
        self.then = self._caught_up = self.now()

    def now(self) -> Prices:
        """Return the present prices."""
        world, board = self.world, self.world.board
        value = np.concatenate(
            [board.mark * world.quote_price, world.asset_price, world.local.own_price]
        )
        at = Instant(
            board.last.copy(), board.index.copy(), board.mark.copy(), world.asset_price.copy(),
            value, board.up[board.venue],
        )  # fmt: skip
        causes = board.causes
        return Prices(at, causes.price_state(), causes.forced_moves, board.live, world.tick)

    def close(self, wanted: bool) -> Moves | None:
        """Go on to the present instant; return what moved values since the last one if `wanted`.

        What marks have not passed on is brought up to the beginning of a window only if somebody
        wants to know what moved values in it.
        """
        then, now = self.then, self.now()
        self.then = now
        if wanted:
            self._catch_up(then)
            self._caught_up = now
            return self._split(then, now)
        if now.forced - self._caught_up.forced > MANY:
            self._catch_up(now)
        return None

    def _catch_up(self, now: Prices) -> None:
        """Bring what marks have not passed on up to an instant."""
        then = self._caught_up
        if then is now:
            return
        if self._remembers or len(self._waiting.key) or not now.at.up.all():
            self._split(then, now)
        else:
            self.world.board.causes.forget_forced(now.forced)
        self._caught_up = now

    def _split(self, then: Prices, now: Prices) -> Moves:
        key, last = self._last_moves(then, now)
        lagging = self._lagging(then.at.up, now.at.up)
        waiting = self._laid_out(key, lagging)
        by_time = self._shares_by_time(now.tick - then.tick)
        move = split(self._wiring(now), then.at, now.at, last, lagging, by_time, waiting)
        self._waiting = _kept(key, lagging, waiting)
        return Moves(key, move)

    def _wiring(self, now: Prices) -> Wiring:
        means, world = self.means, self.world
        asset_share, index_share = means.shares(now.live, now.at)
        return Wiring(
            world.board.quote, means.group, means.first, means.order, asset_share, index_share,
            world.local.own_market, self._of_index, self._slow, self._basis,
        )  # fmt: skip

    def _laid_out(self, key: IntArray, lagging: IntArray) -> FloatArray:
        """Return what waits (F + 2B, K) of moves by some keys, in rows of the markets (F,)."""
        waiting, both = self._waiting, 2 * len(self._basis)
        part = np.zeros((len(lagging) + both, len(key)))
        if len(waiting.key):
            row = np.arange(len(part) - len(waiting.part), len(part))
            row[: len(waiting.market)] = np.searchsorted(lagging, waiting.market)
            part[row[:, None], np.searchsorted(key, waiting.key)] = waiting.part
        return part

    def _last_moves(self, then: Prices, now: Prices) -> tuple[IntArray, FloatArray]:
        """Return the numbers (K,) of keys, and by how much each moved last prices (M, K)."""
        causes = self.world.board.causes
        calm = causes.calm_between(then.causes, now.causes)
        cause, market = calm.nonzero()
        forced = causes.forced_until(now.forced)
        calm_key, forced_key = self._numbers(cause, market), self._new_keys(forced)
        key = np.sort(np.concatenate([[REST, FREE], calm_key, self._waiting.key, forced_key]))
        key = key[np.concatenate([[True], key[1:] != key[:-1]])]
        last = np.zeros((len(then.at.last), len(key)))
        last[market, np.searchsorted(key, calm_key)] = calm[cause, market]
        where = [one[0] for one in forced]
        last[where, np.searchsorted(key, forced_key)] = list(forced.values())
        return key, last

    def _numbers(self, cause: IntArray, market: IntArray) -> IntArray:
        """Return the numbers (N,) of the keys of moves outside a cascade."""
        names = self.world.board.causes.names
        if len(names) > len(self._number):
            room = len(names) - len(self._number), self._number.shape[1]
            self._number = np.concatenate([self._number, np.zeros(room, dtype=np.int64)])
        number: IntArray = self._number[cause, market]
        new = np.flatnonzero(number == 0)
        if not len(new):
            return number
        # In an order that does not depend on which cause was seen first.
        for k in sorted(new.tolist(), key=lambda k: (market[k], names[cause[k]])):
            self._number[cause[k], market[k]] = self.keys.size
            self.keys.append((market[k], cause[k], -1, -1))
        return np.asarray(self._number[cause, market])

    def _new_keys(self, forced: dict[PriceMove, float]) -> IntArray:
        """Return numbers (N,) for the keys of forced moves."""
        first = self.keys.size
        index = self.world.board.causes.index
        new = self.keys.extend(len(forced))
        if forced:
            new[:] = [(m, index(cause), g, tick) for m, cause, g, tick in forced]
        return np.arange(first, self.keys.size)

    def _lagging(self, up_then: BoolArray, up_now: BoolArray) -> IntArray:
        """Return the markets (F,) whose mark may keep waiting what it follows first."""
        waiting = self._waiting.market
        if not self._any_slow and not len(waiting) and up_now.all() and up_then.all():
            return waiting
        lags = self._slow | ~up_now | ~up_then
        lags[waiting] = True
        return np.flatnonzero(lags)

    def _shares_by_time(self, ticks: int) -> FloatArray:
        """Return the share (M,) [1] of what waits that marks pass on in so many ticks."""
        if ticks not in self._by_time:
            slow = self._half_life > 0.0
            seconds = ticks * self.world.clock.seconds
            fading = np.log(2.0) * seconds / np.where(slow, self._half_life, 1.0)
            self._by_time[ticks] = np.where(slow, -np.expm1(-fading), 1.0)
        return self._by_time[ticks]


def _kept(key: IntArray, lagging: IntArray, part: FloatArray) -> Waiting:
    """Return what waits, without rows of markets (F,) and without keys of which nothing does."""
    kept = np.flatnonzero(part.any(axis=0))
    part = part[:, kept]
    if not len(lagging):
        return Waiting(key[kept], lagging, part)
    waits = part[: len(lagging)].any(axis=1)
    rows = np.concatenate([waits, np.ones(len(part) - len(lagging), dtype=bool)])
    return Waiting(key[kept], lagging[waits], part[rows])
