"""Which generation of a cascade an account belongs to.

An account broken by the shock itself is of generation 0; one broken by the forced orders of
generation g is of generation g + 1. Between two margin checks every market collects what moved
it, in log-price: other causes (``other``), and forced orders with their generation (``forced``
and the mean generation of its parts, weighted by size). A newly liquidatable account is of
generation 0 unless forced moves cost it more than all others; then it is of the mean generation
of those moves, rounded, plus 1.

A mark that averages over time passes moves on slowly, so what a market collected fades with the
mark's half-life instead of being forgotten after the check. What waits for an oracle to post it is
kept until what was collected reaches the oracle's deviation, or its heartbeat has gone by; where
the oracle has a lag, it fades with the lag and half of the heartbeat. A venue that marks at an
index collects the moves of all markets of the asset on its side of a ring fence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.fences import common_markets, peers
from sim.kernels.price_state import ON_TIME

if TYPE_CHECKING:
    from sim.engine.world import World


def mark_half_life(mark: Any) -> float:
    """Return the time [s] in which a mark takes over half of a move; 0 if at once."""
    if mark.kind == "ema":
        return float(mark.half_life)
    if mark.kind == "twap":
        return float(mark.window) / 2.0
    if mark.kind == "oracle" and mark.lag > 0.0:
        return float(mark.lag + mark.heartbeat / 2.0)
    if mark.kind == "median_of":
        return float(np.median([mark_half_life(part) for part in mark.of]))
    return 0.0


def post_terms(mark: Any) -> tuple[float, float]:
    """Return deviation [1] and heartbeat [s] of a mark that is an oracle without lag, else 0, 0."""
    posts = mark.kind == "oracle" and mark.lag == 0.0
    return (float(mark.deviation), float(mark.heartbeat)) if posts else (0.0, 0.0)


def follows_index(mark: Any) -> bool:
    """Return whether a mark follows the index rather than the venue's own last price.

    A median does if any of its parts does: it leaves the index only by the basis.
    """
    if mark.kind == "median_of":
        return any(follows_index(part) for part in mark.of)
    return mark.kind in ("index", "funded_index") or getattr(mark, "of", "last") != "last"


class GenerationTracker:
    """Collects what moved each market since it was last looked at, and labels accounts.

    Attributes
    ----------
    other, forced, weight, generation : (M,) float64
        Log moves by other causes and by forced orders; gross forced log moves, and the same
        weighted by generation.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        marks = [venue.mark for venue in world.scenario.venues.values()]
        venue = world.board.venue
        self.half_life = np.array([mark_half_life(mark) for mark in marks])[venue]
        base = world.board.base
        indexed = np.array([follows_index(mark) for mark in marks])[venue]
        own = np.eye(len(base))
        alike = (base[:, None] == base[None, :]) & peers(world.scenario)
        share = alike / alike.sum(axis=1, keepdims=True)
        self.mixing = np.where(indexed[:, None], share, own)
        size = len(base)
        self.other, self.forced = np.zeros(size), np.zeros(size)
        self.weight, self.generation = np.zeros(size), np.zeros(size)
        self.seen = world.board.last.copy()
        self.deviation, self.heartbeat = np.array([post_terms(mark) for mark in marks])[venue].T
        self.posts = self.deviation > 0.0
        self._oracles = bool(self.posts.any())
        self.quick = (self.half_life == 0.0) & ~self.posts
        self.remembers = not self.quick.all()
        self._seconds = 0.0
        self._age = np.zeros(size)
        self._posted = np.zeros(size, dtype=bool)
        self._fade: dict[float, FloatArray] = {}

    def begin_tick(self, seconds: float) -> None:
        """Let what averaging marks have taken over fade."""
        if not self.remembers:
            return
        self._seconds = seconds
        if seconds not in self._fade:
            slow = self.half_life > 0.0
            share = 2.0 ** (-seconds / np.where(slow, self.half_life, 1.0))
            self._fade[seconds] = np.where(slow, share, 1.0)
        fade = self._fade[seconds]
        for values in (self.other, self.forced, self.weight, self.generation):
            np.multiply(values, fade, out=values)

    def note_other(self) -> None:
        """Book price moves since the last note to causes other than forced orders."""
        self.other += self.mixing @ self._moves()
        self._note_posts()

    def _note_posts(self) -> None:
        """Find the oracles that have posted in this tick what was collected."""
        if not self._oracles or not self._seconds > 0.0:
            return
        self._age += self._seconds
        moved = np.abs(np.expm1(self.other + self.forced))
        reached = moved >= self.deviation * (1.0 - ON_TIME)
        self._posted = self.posts & (reached | (self._age >= self.heartbeat * (1.0 - ON_TIME)))
        self._age[self._posted] = 0.0

    def pass_calm_ticks(self, prices: FloatArray, seconds: float) -> None:
        """Do what a tick and its check do, for ticks of `seconds` at last prices (T, M)."""
        if self.remembers:
            for last in prices:
                self.begin_tick(seconds)
                self.other += self.mixing @ np.log(last / self.seen)
                self._note_posts()
                self.checked()
                self.seen = last
        if len(prices):
            self.seen = prices[-1].copy()

    def note_forced(self, generation: FloatArray, voluntary: FloatArray) -> None:
        """Book price moves since the last note to forced orders of these generations (M,).

        But for the shares (M,) of them that voluntary orders in the same batch made.
        """
        moves = self._moves()
        self.other += self.mixing @ (moves * voluntary)
        own = moves * (1.0 - voluntary)
        self.forced += self.mixing @ own
        self.weight += self.mixing @ np.abs(own)
        self.generation += self.mixing @ (np.abs(own) * generation)

    def _moves(self) -> FloatArray:
        last = self.world.board.last
        moves = np.log(last / self.seen)
        self.seen = last.copy()
        return np.asarray(moves)

    def checked(self) -> None:
        """Forget what marks without memory, or posts of this tick, have passed on in full."""
        passed = self.quick | self._posted if self._oracles else self.quick
        for values in (self.other, self.forced, self.weight, self.generation):
            values[passed] = 0.0
        if self._oracles:
            self._posted[:] = False

    def label(self, rows: IntArray) -> IntArray:
        """Return the generation (N,) of newly liquidatable accounts."""
        if not self.forced.any():
            return np.zeros(len(rows), dtype=np.int64)
        world, count = self.world, len(rows)
        ledger, board = world.ledger, world.board
        slots, owner = ledger.slots(rows)
        market = ledger.market[slots].astype(np.int64)
        value = ledger.quantity[slots] * board.multiplier[market] * board.last[market]
        exposure = value * world.quote_price[market]
        other = -sums(owner, exposure * self.other[market], count)
        loss = -exposure * self.forced[market]
        forced = sums(owner, loss, count)
        blame = np.maximum(loss, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(self.weight > 0.0, self.generation / self.weight, 0.0)
        parents, blamed = sums(owner, blame * mean[market], count), sums(owner, blame, count)
        for column in range(len(world.columns)):
            for worth, mine in self._collateral(rows, column):
                if not mine.any():
                    continue
                held = np.maximum(ledger.balance[rows, column], 0.0) * worth
                other -= held * self.other[mine].mean()
                lost = np.maximum(-held * self.forced[mine].mean(), 0.0)
                forced -= held * self.forced[mine].mean()
                parents += lost * mean[mine].mean()
                blamed += lost
        caused = (forced > np.maximum(other, 0.0)) & (blamed > 0.0)
        parent = np.rint(parents / np.where(blamed > 0.0, blamed, 1.0))
        return np.where(caused, parent.astype(np.int64) + 1, 0)

    def _collateral(self, rows: IntArray, column: int) -> list[tuple[FloatArray, BoolArray]]:
        """Return what a unit of a balance asset is worth to accounts, by what moves it.

        Returns
        -------
        list of ((N,) float64 [numeraire], (M,) bool)
            Worth, 0 to accounts whose clearers value the asset otherwise, and the markets that
            move it. What counts at par is not moved and is left out.
        """
        world, local = self.world, self.world.local
        asset = world.columns[column]
        markets = np.zeros(len(world.board.base), dtype=bool)
        markets[common_markets(world.scenario, np.flatnonzero(world.board.base == asset))] = True
        clearer = world.clearer[rows]
        own, par = local.own_column == column, local.par_column == column
        elsewhere = np.isin(clearer, [*local.own_clearer[own], *local.par_clearer[par]])
        found = [(np.where(elsewhere, 0.0, world.asset_price[asset]), markets)]
        for c in np.flatnonzero(own):
            worth = np.where(clearer == local.own_clearer[c], local.own_price[c], 0.0)
            found.append((worth, np.arange(len(markets)) == local.own_market[c]))
        return found
