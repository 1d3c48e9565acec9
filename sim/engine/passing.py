"""How what moved last prices passed into the values that accounts depend on.

Those values are, for market m with mark P, last price L, index I and quote asset q, for asset a
and for collateral c that a clearer takes at its own book,

    y_m = P_m x_q                               [numeraire]
    x_a = x_a(0) mean over its markets of  L_m x_q / (L_m(0) x_q(0))
    o_c = L_m x_q

Between two instants every last price has moved by ``dL_m = sum_k l_mk`` over causes k. A product
is split exactly by ``d(L x) = x(1) dL + L(0) dx``, a mean or a median by the shares with which
prices enter it at the end; what is left where these shares changed belongs to no price.

A mark that follows its source at once passes all of it on. Any other keeps what it has not passed
on yet, ``G_k``: when it moves by d, it passes on ``(d / g) G_k`` with ``g = sum_k G_k``, at most
all and at least nothing. Where the parts of G cancel, the half-life of the mark says how much. A
mark made of the index and of (an average of) the basis takes the index at once, and the basis as
above; what of the basis it had taken it gives back in the same proportion. What is left of d has
the cause ``mark``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray
from sim.engine.generations import mark_half_life
from sim.models.mark import index_shares
from sim.schema.mark import parts_of

if TYPE_CHECKING:
    from sim.engine.pricing import Pricing
    from sim.engine.world import World

Key = tuple[int, str, int, int]
"""Market whose price moved or -1, cause, generation and tick of the forced orders or -1."""

REST: Key = (-1, "mark", -1, -1)
"""What no price explains."""

FREE: Key = (-1, "exogenous", -1, -1)
"""Returns of assets that have no market."""

ROUNDING = 1e-12
"""Difference of a sum of moves, as a share of the level, that is rounding."""

CANCELLED = 1e-3
"""Net of what a mark has not passed on, as a share of the gross, below which it says nothing."""

SPENT = 1e-13
"""What a mark has not passed on, as a share of the mark, that is forgotten."""

MANY = 10_000
"""Moves by forced orders after which marks are brought up to date at the latest."""

LEAST = 1e-3
"""Part of what a mark has not passed on, as a share of the largest, that counts to the others."""


class Prices(NamedTuple):
    """Prices at one instant.

    Attributes
    ----------
    last, index, mark : (M,) float64 [quote/base]
    asset : (N,) float64 [numeraire]
    value : (J,) float64 [numeraire]
        ``y`` of all markets, ``x`` of all assets, ``o``.
    causes : (C, M) float64 [quote/base]
        Moves of last prices since the start, by cause.
    forced : int
        Number of moves by forced orders so far.
    up : (V,) bool
    live : (M,) bool
        Markets whose price counts for assets and indices.
    tick : int
    """

    last: FloatArray
    index: FloatArray
    mark: FloatArray
    asset: FloatArray
    value: FloatArray
    causes: FloatArray
    forced: int
    up: BoolArray
    live: BoolArray
    tick: int


class Moves(NamedTuple):
    """What moved values between two instants: ``move[j, k]`` [numeraire] by ``keys[k]``."""

    keys: list[Key]
    move: FloatArray


class MarkKind(NamedTuple):
    """How the mark of a market follows prices.

    Attributes
    ----------
    of_index : bool
        Whether it follows the index first.
    basis : bool
        Whether it takes something of the basis beside.
    at_once : bool
        Whether it takes what it follows first without delay.
    half_life : float [s]
    """

    of_index: bool
    basis: bool
    at_once: bool
    half_life: float


def mark_kind(mark: Any) -> MarkKind:
    """Return how a mark of this configuration follows prices."""
    parts = parts_of(mark)
    sources = {"index" if p.kind in ("index", "funded_index") else getattr(p, "of", "last")
               for p in parts}  # fmt: skip
    of_index = sources != {"last"}
    quick = [p.kind in ("last", "index", "funded_index") for p in parts]
    if of_index:
        first = [p.kind in ("index", "funded_index") or getattr(p, "of", "") == "basis"
                 for p in parts]  # fmt: skip
        mixed = sources != {"index"}
        return MarkKind(True, mixed, any(first) if mixed else all(quick), mark_half_life(mark))
    return MarkKind(False, False, all(quick), mark_half_life(mark))


class Passing:
    """Splits the moves of all values of a world from instant to instant.

    Parameters
    ----------
    world : World
    pricing : Pricing
        Which markets value an asset, and what indices are made of.
    """

    def __init__(self, world: World, pricing: Pricing) -> None:
        self.world = world
        self.valued_by = pricing.valued_by
        self.group, self.groups = pricing.group, pricing.groups
        kinds = [mark_kind(venue.mark) for venue in world.scenario.venues.values()]
        of_index, basis, at_once, half_life = (np.array(x) for x in zip(*kinds, strict=True))
        venue = world.board.venue
        self._of_index, self._basis = of_index[venue], basis[venue]
        self._at_once, self._half_life = at_once[venue], half_life[venue]
        self._remembers = bool((~at_once | basis).any())
        size = len(world.board.ids)
        self._keys: list[Key] = []
        self._waiting = np.zeros((3, size, 0))  # first source, basis not taken, basis taken
        world.board.causes.keep_forced()
        self._live, self._shares = b"", np.zeros((0, 0))
        self._rounds = rounds_of(self.valued_by, world.board.quote)
        self._weights = [
            (np.array(list(g.weights), dtype=np.int64), np.array(list(g.weights.values())))
            for g in self.groups
        ]
        first = [int(np.flatnonzero(self.group == g)[0]) for g in range(len(self.groups))]
        self._first_of_group = np.array(first, dtype=np.int64)
        self.then = self._caught_up = self.now()

    def now(self) -> Prices:
        """Return the present prices."""
        world, board = self.world, self.world.board
        value = np.concatenate(
            [board.mark * world.quote_price, world.asset_price, world.local.own_price]
        )
        return Prices(
            board.last.copy(), board.index.copy(), board.mark.copy(), world.asset_price.copy(),
            value, board.causes.price_state(), board.causes.forced_moves, board.up.copy(),
            board.live, world.tick,
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
        if self._remembers or self._keys or not now.up.all():
            self._split(then, now)
        else:
            self.world.board.causes.forget_forced(now.forced)
        self._caught_up = now

    def _split(self, then: Prices, now: Prices) -> Moves:
        quote = self.world.board.quote
        found = self.world.board.causes.moves_between(then.causes, now.causes, now.forced)
        keys = sorted({*self._keys, *(key for key, _ in found), REST, FREE})
        place = {key: k for k, key in enumerate(keys)}
        rest = place[REST]
        last = np.zeros((len(then.last), len(keys)))
        for key, move in found:
            last[key[0], place[key]] += move
        settle(last, now.last - then.last, now.last, rest)
        asset = self._assets(then, now, last, place)
        of_quote = asset[quote]
        worth = now.asset[quote][:, None]
        value = worth * last + then.last[:, None] * of_quote
        index = self._indices(then, now, value, of_quote, rest)
        waiting = np.zeros((3, *last.shape))
        if self._keys:
            waiting[:, :, [place[key] for key in self._keys]] = self._waiting
        mark = self._marks(then, now, last, index, waiting, rest)
        self._keep(keys, waiting, now.mark)
        market = worth * mark + then.mark[:, None] * of_quote
        move = np.concatenate([market, asset, value[self.world.local.own_market]])
        settle(move, now.value - then.value, now.value, rest)
        return Moves(keys, move)

    def _assets(
        self, then: Prices, now: Prices, last: FloatArray, place: dict[Key, int]
    ) -> FloatArray:
        """Return the moves (N, K) [numeraire] of the values of assets."""
        quote, total = self.world.board.quote, now.asset - then.asset
        moves = np.zeros((len(total), last.shape[1]))
        moves[:, place[FREE]] = total
        shares = self._asset_shares(now.live)
        for assets in self._rounds:
            value = now.asset[quote][:, None] * last + then.last[:, None] * moves[quote]
            rows = shares[assets] @ value
            fit(rows, total[assets], now.asset[assets], place[REST])
            moves[assets] = rows
        return moves

    def _asset_shares(self, live: BoolArray) -> FloatArray:
        """Return by how much (N, M) the value of an asset goes up with that of a market."""
        if live.tobytes() != self._live:
            self._live = live.tobytes()
            board = self.world.board
            self._shares = np.zeros((len(self.world.asset_price), len(live)))
            for asset, group in self.valued_by:
                usable = group[live[group]]
                chosen = usable if len(usable) else group
                whole = len(chosen) * board.opening_value[chosen]
                self._shares[asset, chosen] = board.opening_price[asset] / whole
        return self._shares

    def _indices(
        self, then: Prices, now: Prices, value: FloatArray, of_quote: FloatArray, rest: int
    ) -> FloatArray:
        """Return the moves (M, K) [quote/base] of the indices, by the values (M, K) of markets."""
        if not self._of_index.any():
            return np.zeros_like(value)
        quote = self.world.board.quote
        before, after = then.asset[quote], now.asset[quote]
        price = now.last * after
        shares = np.zeros((len(self.groups), len(price)))
        for g, (method, outlier, weights) in enumerate(self.groups):
            markets, weight = self._weights[g]
            usable = now.live[markets]
            if usable.any():
                some = markets[usable]
                shares[g, some] = index_shares(price[some], weight[usable], method, outlier)
        m = self._first_of_group
        level = now.index[m] * after[m]
        rows = shares @ value
        fit(rows, level - then.index[m] * before[m], level, rest)
        moves = np.asarray(
            (rows[self.group] - then.index[:, None] * of_quote) / after[:, None]
        )
        moves[~shares.any(axis=1)[self.group]] = 0.0
        settle(moves, now.index - then.index, now.index, rest)
        return moves

    def _marks(
        self, then: Prices, now: Prices, last: FloatArray, index: FloatArray,
        waiting: FloatArray, rest: int,
    ) -> FloatArray:  # fmt: skip
        """Return the moves (M, K) [quote/base] of the marks; `waiting` is changed in place."""
        target = now.mark - then.mark
        up = now.up[self.world.board.venue]
        seconds = (now.tick - then.tick) * self.world.clock.seconds
        slow = self._half_life > 0.0
        by_time = np.where(slow, -np.expm1(-np.log(2.0) * seconds / np.where(slow, self._half_life, 1.0)), 1.0)
        first, left, taken = waiting
        first += np.where(self._of_index[:, None], index, last)
        share = np.where(self._at_once, 1.0, share_passed(first, target, by_time)) * up
        moves = share[:, None] * first
        first -= moves
        if self._basis.any():
            left += np.where(self._basis[:, None], last - index, 0.0)
            wanted = target - moves.sum(axis=1)
            held, given = left.sum(axis=1), taken.sum(axis=1)
            back = self._basis & up & (wanted * given < 0.0) & (wanted * held <= 0.0)
            share = share_passed(left, wanted, by_time) * (self._basis & up & ~back)
            passed = share[:, None] * left
            passed -= (np.where(back, np.clip(-wanted / np.where(back, given, 1.0), 0.0, 1.0), 0.0)[:, None] * taken)
            left -= passed
            taken += passed
            moves = moves + passed
        settle(moves, target, now.mark, rest)
        return moves

    def _keep(self, keys: list[Key], waiting: FloatArray, mark: FloatArray) -> None:
        """Remember what marks have not passed on: its net, and but for what is next to nothing."""
        net = waiting.sum(axis=2, keepdims=True)
        waiting = np.where(waiting * net > 0.0, np.abs(waiting), 0.0)
        most = waiting.max(axis=2, keepdims=True)
        waiting = np.where(waiting > np.maximum(LEAST * most, SPENT * mark[:, None]), waiting, 0.0)
        gross = waiting.sum(axis=2, keepdims=True)
        waiting = waiting * (net / np.where(gross > 0.0, gross, 1.0))
        kept = np.flatnonzero(waiting.any(axis=(0, 1)))
        self._keys = [keys[k] for k in kept.tolist()]
        self._waiting = waiting[:, :, kept]


def share_passed(waiting: FloatArray, wanted: FloatArray, by_time: FloatArray) -> FloatArray:
    """Return which share (M,) [1] of what waits (M, K) passes on when marks move as `wanted` (M,).

    Where the parts cancel, `by_time` (M,) [1] says it.
    """
    net, gross = waiting.sum(axis=1), np.abs(waiting).sum(axis=1)
    clear = np.abs(net) > CANCELLED * gross
    share = np.clip(np.where(clear, wanted, 0.0) / np.where(clear, net, 1.0), 0.0, 1.0)
    return np.asarray(np.where(clear | (wanted == 0.0), share, by_time))


def settle(moves: FloatArray, total: FloatArray, level: FloatArray, rest: int) -> None:
    """Make moves (R, K) add up to `total` (R,), in place.

    What is only rounding of the level (R,) goes to the largest move, all else to column `rest`.
    """
    if not len(moves):
        return
    size = np.abs(moves)
    largest = size.argmax(axis=1)
    here = np.arange(len(moves))
    left = total - moves.sum(axis=1)
    tiny = (np.abs(left) <= ROUNDING * np.abs(level)) & (size[here, largest] > 0.0)
    moves[here, np.where(tiny, largest, rest)] += left


def fit(rows: FloatArray, total: FloatArray, level: FloatArray, rest: int) -> None:
    """Make moves (R, K) add up to `total` (R,), in place, where a mean may have changed its parts.

    The moves are then cut in proportion if they make more than the total, or make the contrary.
    """
    net = rows.sum(axis=1)
    off = np.abs(total - net) > ROUNDING * np.abs(level)
    if off.any():
        share = np.clip(total / np.where(net != 0.0, net, np.inf), 0.0, 1.0)
        rows *= np.where(off, share, 1.0)[:, None]
    settle(rows, total, level, rest)


def rounds_of(valued_by: list[tuple[int, IntArray]], quote: IntArray) -> list[IntArray]:
    """Return the assets that markets value, those together whose quote assets come before."""
    found: list[list[int]] = []
    for asset, group in valued_by:
        if not found or set(quote[group].tolist()) & set(found[-1]):
            found.append([])
        found[-1].append(asset)
    return [np.array(some, dtype=np.int64) for some in found]
