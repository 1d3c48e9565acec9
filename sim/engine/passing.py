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

from sim.core.arrays import FloatArray, IntArray
from sim.engine.causes import PriceMove
from sim.engine.growing import GrowingArray
from sim.engine.means import FREE, REST, Means, Prices, settle
from sim.engine.waiting import from_basis, mark_kind, netted, share_passed

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
        self._quotes = np.unique(world.board.quote)
        self._of_index, self._basis = of_index[venue], np.flatnonzero(basis[venue])
        self._slow, self._half_life = ~at_once[venue], half_life[venue]
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
        return Prices(
            board.last.copy(), board.index.copy(), board.mark.copy(), world.asset_price.copy(),
            value, board.causes.price_state(), board.causes.forced_moves,
            board.up[board.venue], board.live, world.tick,
        )  # fmt: skip

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
        if self._remembers or len(self._waiting.key) or not now.up.all():
            self._split(then, now)
        else:
            self.world.board.causes.forget_forced(now.forced)
        self._caught_up = now

    def _split(self, then: Prices, now: Prices) -> Moves:
        quote = self.world.board.quote
        key, last = self._last_moves(then, now)
        asset = self.means.assets(then, now, last)
        worth = now.asset[quote][:, None]
        value = worth * last
        of_quote = asset[quote] if asset[self._quotes].any() else None
        if of_quote is not None:
            value += then.last[:, None] * of_quote
        followed = index = last
        if self._of_index.any():
            index = self.means.indices(then, now, value, of_quote)
            followed = np.where(self._of_index[:, None], index, last)
        mark = self._marks(then, now, key, followed, last - index)
        market = worth * mark
        if of_quote is not None:
            market += then.mark[:, None] * of_quote
        move = np.concatenate([market, asset, value[self.world.local.own_market]])
        settle(move, now.value - then.value, now.value)
        return Moves(key, move)

    def _last_moves(self, then: Prices, now: Prices) -> tuple[IntArray, FloatArray]:
        """Return the numbers (K,) of keys, and by how much each moved last prices (M, K)."""
        causes = self.world.board.causes
        calm = causes.calm_between(then.causes, now.causes)
        cause, market = calm.nonzero()
        forced = causes.forced_until(now.forced)
        calm_key, forced_key = self._numbers(cause, market), self._new_keys(forced)
        key = np.sort(np.concatenate([[REST, FREE], calm_key, self._waiting.key, forced_key]))
        key = key[np.concatenate([[True], key[1:] != key[:-1]])]
        last = np.zeros((len(then.last), len(key)))
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

    def _marks(
        self, then: Prices, now: Prices, key: IntArray, followed: FloatArray, basis: FloatArray
    ) -> FloatArray:
        """Return the moves (M, K) [quote/base] of the marks, of which some may be left over."""
        waiting, target, b = self._waiting, now.mark - then.mark, self._basis
        by_time = self._shares_by_time(now.tick - then.tick)
        lagging = self._lagging(then, now)
        if not len(lagging) and not len(b):
            return followed
        part = np.zeros((len(lagging) + 2 * len(b), len(key)))
        place = np.searchsorted(key, waiting.key)
        if len(lagging):
            row = np.arange(len(part) - len(waiting.part), len(part))
            row[: len(waiting.market)] = np.searchsorted(lagging, waiting.market)
            part[row[:, None], place] = waiting.part
        else:
            part[:, place] = waiting.part
        end = len(lagging) + len(b)
        first, left, taken = part[: len(lagging)], part[len(lagging) : end], part[end:]
        moves = followed.copy()
        if len(first):
            first += followed[lagging]
            share = share_passed(first, target[lagging], by_time[lagging])
            share = np.where(self._slow[lagging], share, 1.0) * now.up[lagging]
            moves[lagging] = share[:, None] * first
            first -= moves[lagging]
        if len(b):
            left += basis[b]
            quick = moves[b]
            wanted = target[b] - quick.sum(axis=1)
            passed = from_basis(left, taken, wanted, by_time[b])
            if not now.up.all():
                passed *= now.up[b, None]
            left -= passed
            taken += passed
            moves[b] = quick + passed
        level = now.mark[np.concatenate([lagging, b, b])]
        self._waiting = _kept(key, lagging, netted(part, level))
        return moves

    def _lagging(self, then: Prices, now: Prices) -> IntArray:
        """Return the markets (F,) whose mark may keep waiting what it follows first."""
        waiting = self._waiting.market
        if not self._any_slow and not len(waiting) and now.up.all() and then.up.all():
            return waiting
        lags = self._slow | ~now.up | ~then.up
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
