"""The shares with which last prices enter the values of assets and the indices.

Formulas stand in `sim.engine.passing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray
from sim.kernels.passing import Instant
from sim.models.mark import index_shares

if TYPE_CHECKING:
    from sim.engine.pricing import Pricing
    from sim.engine.world import World


class Means:
    """Shares of markets in assets and indices of a world.

    Parameters
    ----------
    world : World
    pricing : Pricing

    Attributes
    ----------
    group : (M,) int64
        Index of each market.
    first : (G,) int64
        First market of each index.
    order : (O,) int64
        Assets that markets value, each after the quote assets of its markets.
    """

    def __init__(self, world: World, pricing: Pricing) -> None:
        self.world = world
        self.valued_by = pricing.valued_by
        self.group, self._groups = pricing.group, pricing.groups
        found = [int(np.flatnonzero(self.group == g)[0]) for g in range(len(self._groups))]
        self.first = np.array(found, dtype=np.int64)
        self.order = np.array([asset for asset, _ in self.valued_by], dtype=np.int64)
        self._live, self._asset_share = b"", np.zeros((0, 0))
        self._index_share = np.zeros((len(self._groups), len(world.board.ids)))
        self._weights = [
            (np.array(list(g.weights), dtype=np.int64), np.array(list(g.weights.values())))
            for g in self._groups
        ]
        self._varying = [
            k for k, g in enumerate(self._groups) if g.method != "mean" or g.outlier != np.inf
        ]
        self._usable: list[tuple[list[int], list[float]]] = []

    def shares(self, live: BoolArray, at: Instant) -> tuple[FloatArray, FloatArray]:
        """Return what a move of the value of a market by 1 adds to assets, and to indices.

        Parameters
        ----------
        live : (M,) bool
            Markets whose price counts.
        at : Instant

        Returns
        -------
        asset_share : (N, M) float64 [1/base]
        index_share : (G, M) float64 [1]
            Zeros where no market counts. Changed by the next call.
        """
        if live.tobytes() != self._live:
            self._refresh(live)
        price = (at.last * at.asset[self.world.board.quote]).tolist()
        for g in self._varying:
            markets, weight = self._usable[g]
            if markets:
                method, outlier, _ = self._groups[g]
                share = index_shares([price[m] for m in markets], weight, method, outlier)
                self._index_share[g, markets] = share
        return self._asset_share, self._index_share

    def _refresh(self, live: BoolArray) -> None:
        """Take the shares anew where other markets count."""
        self._live = live.tobytes()
        board = self.world.board
        self._asset_share = np.zeros((len(self.world.asset_price), len(live)))
        for asset, group in self.valued_by:
            counted = group[live[group]]
            chosen = counted if len(counted) else group
            whole = len(chosen) * board.opening_value[chosen]
            self._asset_share[asset, chosen] = board.opening_price[asset] / whole
        self._index_share[:] = 0.0
        counts = [live[markets] for markets, _ in self._weights]
        self._usable = [
            (markets[usable].tolist(), weight[usable].tolist())
            for (markets, weight), usable in zip(self._weights, counts, strict=True)
        ]
        for g, (markets, weight) in enumerate(self._usable):
            if g not in self._varying and markets:
                self._index_share[g, markets] = index_shares(weight, weight, "mean")
