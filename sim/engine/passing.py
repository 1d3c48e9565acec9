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

from sim.core.arrays import BoolArray, FloatArray
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

KEPT = 512
"""Causes, markets and batches at most of which marks remember what they have not passed on."""


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
    up : (V,) bool
    tick : int
    """

    last: FloatArray
    index: FloatArray
    mark: FloatArray
    asset: FloatArray
    value: FloatArray
    causes: FloatArray
    up: BoolArray
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
        self.then = self.now()

    def now(self) -> Prices:
        """Return the present prices."""
        world, board = self.world, self.world.board
        value = np.concatenate(
            [board.mark * world.quote_price, world.asset_price, world.local.own_price]
        )
        return Prices(
            board.last.copy(), board.index.copy(), board.mark.copy(), world.asset_price.copy(),
            value, board.causes.price_state(), board.up.copy(), world.tick,
        )  # fmt: skip

    def close(self, wanted: bool) -> Moves | None:
        """Go on to the present instant; return what moved values since the last one if `wanted`."""
        then, now = self.then, self.now()
        self.then = now
        idle = not self._remembers and not self._keys
        if not wanted and idle and bool(then.up.all() and now.up.all()):
            self.world.board.causes.forget_forced()
            return None
        return self._split(then, now)

    def _split(self, then: Prices, now: Prices) -> Moves:
        quote = self.world.board.quote
        found = self.world.board.causes.moves_since(then.causes)
        moved = [(m, c, g, now.tick if g >= 0 else -1) for m, c, g, _ in found]
        keys = sorted({*self._keys, *moved, REST, FREE})
        place = {key: k for k, key in enumerate(keys)}
        rest = place[REST]
        last = np.zeros((len(then.last), len(keys)))
        for key, (m, _, _, move) in zip(moved, found, strict=True):
            last[m, place[key]] += move
        settle(last, now.last - then.last, now.last, rest)
        asset = self._assets(then, now, last, place)
        index = self._indices(then, now, last, asset, rest)
        waiting = np.zeros((3, *last.shape))
        if self._keys:
            waiting[:, :, [place[key] for key in self._keys]] = self._waiting
        mark = self._marks(then, now, last, index, waiting, rest)
        self._keep(keys, waiting, now.mark)
        worth = now.asset[quote][:, None]
        market = worth * mark + then.mark[:, None] * asset[quote]
        own = self.world.local.own_market
        book = worth[own] * last[own] + then.last[own, None] * asset[quote[own]]
        move = np.concatenate([market, asset, book])
        settle(move, now.value - then.value, now.value, rest)
        return Moves(keys, move)

    def _assets(
        self, then: Prices, now: Prices, last: FloatArray, place: dict[Key, int]
    ) -> FloatArray:
        """Return the moves (N, K) [numeraire] of the values of assets."""
        board = self.world.board
        live = self.world.board.live
        moves = np.zeros((len(then.asset), last.shape[1]))
        moves[:, place[FREE]] = now.asset - then.asset
        for asset, group in self.valued_by:
            usable = group[live[group]]
            chosen = usable if len(usable) else group
            quote = board.quote[chosen]
            scale = board.opening_price[asset] / (len(chosen) * board.opening_value[chosen])
            part = now.asset[quote][:, None] * last[chosen]
            part += then.last[chosen][:, None] * moves[quote]
            row = (scale[:, None] * part).sum(axis=0)
            fit(row, float(now.asset[asset] - then.asset[asset]), float(now.asset[asset]),
                place[REST])  # fmt: skip
            moves[asset] = row
        return moves

    def _indices(
        self, then: Prices, now: Prices, last: FloatArray, asset: FloatArray, rest: int
    ) -> FloatArray:
        """Return the moves (M, K) [quote/base] of the indices."""
        board, moves = self.world.board, np.zeros_like(last)
        if not self._of_index.any():
            return moves
        live, quote = board.live, board.quote
        before, after = then.asset[quote], now.asset[quote]
        for g, (method, outlier, weights) in enumerate(self.groups):
            markets = np.array(list(weights), dtype=np.int64)
            weight = np.array(list(weights.values()))
            usable = live[markets]
            mine = np.flatnonzero(self.group == g)
            if not usable.any():
                continue
            markets, weight = markets[usable], weight[usable]
            value = now.last[markets] * after[markets]
            share = index_shares(value, weight, method, outlier)[:, None]
            row = share * after[markets][:, None] * last[markets]
            row = (row + share * then.last[markets][:, None] * asset[quote[markets]]).sum(axis=0)
            m = mine[0]
            level = float(now.index[m] * after[m])
            fit(row, level - float(then.index[m] * before[m]), level, rest)
            moves[mine] = (row - then.index[mine][:, None] * asset[quote[mine]]) / after[mine][:, None]
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
        """Remember what marks have not passed on, but for what is next to nothing."""
        size = (np.abs(waiting) / mark[:, None]).max(axis=(0, 1))
        kept = np.flatnonzero(size > SPENT)
        if len(kept) > KEPT:
            kept = np.sort(kept[np.argsort(-size[kept], kind="stable")[:KEPT]])
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


def fit(row: FloatArray, total: float, level: float, rest: int) -> None:
    """Make moves (K,) add up to `total`, in place, where the make-up of a mean may have changed.

    The moves are then cut in proportion if they make more than the total, or make the contrary.
    """
    net = float(row.sum())
    if abs(total - net) > ROUNDING * abs(level):
        row *= min(max(total / net, 0.0), 1.0) if net != 0.0 else 0.0
    settle(row[None, :], np.array([total]), np.array([level]), rest)
