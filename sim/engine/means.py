"""How the values of assets and the indices follow the last prices, split over what moved those.

Formulas stand in `sim.engine.passing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray
from sim.models.mark import index_shares

if TYPE_CHECKING:
    from sim.engine.pricing import Pricing
    from sim.engine.world import World

REST, FREE = 0, 1
"""Columns of what no price explains, and of returns of assets without a market."""

ROUNDING = 1e-12
"""Difference of a sum of moves, as a share of the level, that is rounding."""


class Prices(NamedTuple):
    """Prices at one instant.

    Attributes
    ----------
    last, reference, mark : (M,) float64 [quote/base]
    asset : (N,) float64 [numeraire]
    value : (J,) float64 [numeraire]
        ``y`` of all markets, ``x`` of all assets, ``o``.
    causes : (C, M) float64 [quote/base]
        Moves of last prices since the start, by cause.
    forced : int
        Number of moves by forced orders so far.
    up : (M,) bool
        Markets whose venue is up.
    live : (M,) bool
        Markets whose price counts for assets and indices.
    tick : int
    """

    last: FloatArray
    reference: FloatArray
    mark: FloatArray
    asset: FloatArray
    value: FloatArray
    causes: FloatArray
    forced: int
    up: BoolArray
    live: BoolArray
    tick: int


class Means:
    """Values of assets and indices of a world.

    Parameters
    ----------
    world : World
    pricing : Pricing
    """

    def __init__(self, world: World, pricing: Pricing) -> None:
        self.world = world
        self.valued_by = pricing.valued_by
        self.group, self.groups = pricing.group, pricing.groups
        self._live, self._asset_share = b"", np.zeros((0, 0))
        self._index_share = np.zeros((len(self.groups), len(world.board.ids)))
        self._rounds = rounds_of(self.valued_by, world.board.quote)
        self._weights = [
            (np.array(list(g.weights), dtype=np.int64), np.array(list(g.weights.values())))
            for g in self.groups
        ]
        self._fixed = [g.method == "mean" and g.outlier == np.inf for g in self.groups]
        first = [int(np.flatnonzero(self.group == g)[0]) for g in range(len(self.groups))]
        self._first_of_group = np.array(first, dtype=np.int64)

    def assets(self, then: Prices, now: Prices, last: FloatArray) -> FloatArray:
        """Return the moves (N, K) [numeraire] of the values of assets.

        Parameters
        ----------
        then, now : Prices
        last : (M, K) float64 [quote/base]
            Moves of last prices.
        """
        quote, total = self.world.board.quote, now.asset - then.asset
        self._refresh(now)
        moves = np.zeros((len(total), last.shape[1]))
        moves[:, FREE] = total
        value = now.asset[quote][:, None] * last
        for number, assets in enumerate(self._rounds):
            if number or total[quote].any():
                value = now.asset[quote][:, None] * last + then.last[:, None] * moves[quote]
            rows = self._asset_share[assets] @ value
            fit(rows, total[assets], now.asset[assets])
            moves[assets] = rows
        return moves

    def indices(
        self, then: Prices, now: Prices, value: FloatArray, of_quote: FloatArray | None
    ) -> FloatArray:
        """Return the moves (M, K) [quote/base] of the indices.

        Parameters
        ----------
        then, now : Prices
        value : (M, K) float64 [numeraire]
            Moves of last prices times the values of quote assets.
        of_quote : (M, K) float64 [numeraire], optional
            Moves of the values of quote assets; None where these stood still.
        """
        quote = self.world.board.quote
        before, after = then.asset[quote], now.asset[quote]
        self._weigh(now, now.last * after)
        m = self._first_of_group
        level = now.reference[m] * after[m]
        rows = self._index_share @ value
        fit(rows, level - then.reference[m] * before[m], level)
        moves = rows[self.group]
        if of_quote is not None:
            moves -= then.reference[:, None] * of_quote
        moves /= after[:, None]
        known = np.asarray(self._index_share.any(axis=1))
        moves[~known[self.group]] = 0.0
        return moves

    def _refresh(self, now: Prices) -> None:
        """Take the shares anew where other markets count."""
        live = now.live
        if live.tobytes() == self._live:
            return
        self._live = live.tobytes()
        board = self.world.board
        self._asset_share = np.zeros((len(now.asset), len(live)))
        for asset, group in self.valued_by:
            counted = group[live[group]]
            chosen = counted if len(counted) else group
            whole = len(chosen) * board.opening_value[chosen]
            self._asset_share[asset, chosen] = board.opening_price[asset] / whole
        self._index_share[:] = 0.0
        for g, (markets, weight) in enumerate(self._weights):
            usable = live[markets]
            if self._fixed[g] and usable.any():
                self._index_share[g, markets[usable]] = weight[usable] / weight[usable].sum()

    def _weigh(self, now: Prices, price: FloatArray) -> None:
        """Find the shares of the indices that depend on the values of markets (M,)."""
        for g, (markets, weight) in enumerate(self._weights):
            if self._fixed[g]:
                continue
            usable = now.live[markets]
            self._index_share[g] = 0.0
            if usable.any():
                some, (method, outlier, _) = markets[usable], self.groups[g]
                share = index_shares(price[some], weight[usable], method, outlier)
                self._index_share[g, some] = share


def settle(moves: FloatArray, total: FloatArray, level: FloatArray) -> None:
    """Make moves (R, K) add up to `total` (R,), in place.

    What is only rounding of the level (R,) goes to the largest move, all else to column `REST`.
    """
    here = np.arange(len(moves))
    largest = np.abs(moves).argmax(axis=1)
    left = total - moves.sum(axis=1)
    tiny = (np.abs(left) <= ROUNDING * np.abs(level)) & (moves[here, largest] != 0.0)
    moves[here, np.where(tiny, largest, REST)] += left


def fit(rows: FloatArray, total: FloatArray, level: FloatArray) -> None:
    """Make moves (R, K) add up to `total` (R,), in place, where a mean may have changed its parts.

    The moves are then cut in proportion if they make more than the total, or make the contrary.
    """
    net = rows.sum(axis=1)
    off = np.abs(total - net) > ROUNDING * np.abs(level)
    if off.any():
        share = np.clip(total / np.where(net != 0.0, net, np.inf), 0.0, 1.0)
        rows *= np.where(off, share, 1.0)[:, None]
        settle(rows, total, level)


def rounds_of(valued_by: list[tuple[int, IntArray]], quote: IntArray) -> list[IntArray]:
    """Return the assets that markets value, those together whose quote assets come before."""
    found: list[list[int]] = []
    for asset, group in valued_by:
        if not found or set(quote[group].tolist()) & set(found[-1]):
            found.append([])
        found[-1].append(asset)
    return [np.array(some, dtype=np.int64) for some in found]
