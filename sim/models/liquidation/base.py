"""The liquidation socket: from distressed accounts to what they sell, and at what price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.core.registry import Registry
from sim.kernels.size import KEPT

if TYPE_CHECKING:
    from sim.models.margin import MarginTables


@dataclass(frozen=True)
class Distressed:
    """Liquidatable accounts of one clearer at one moment, with the positions they hold.

    Attributes
    ----------
    equity, maintenance : (N,) float64 [numeraire]
    required : (N,) float64 [1]
        Margin ratio below which the account was taken: 1, or the call level where a margin
        call ran out.
    step : (N,) int64
        Batches this account has already sold in its present episode.
    kept : (N,) float64 [1]
        Share of what it held at the start of the episode that it still holds.
    owner : (S,) int64
        For each position, the index of its account in 0 .. N - 1.
    clearer, market : (S,) int64
    notional : (S,) float64 [quote], at the mark
    size : (S,) float64 [base], >= 0
    worth : (S,) float64 [numeraire/quote]
    tradable : (S,) bool
        Whether the position's market can take an order now.
    mark : (S,) float64 [quote/base]
    side : (S,) float64
        1 for a long position, -1 for a short one.
    recent : (N,) bool
        Whether a forced order of the account was filled within ``whole_within``.
    draw : (N,) float64
        A random number in [0, 1) of each account, for rules that draw; else 0.
    """

    equity: FloatArray
    maintenance: FloatArray
    required: FloatArray
    step: IntArray
    kept: FloatArray
    owner: IntArray
    clearer: IntArray
    market: IntArray
    notional: FloatArray
    size: FloatArray
    worth: FloatArray
    tradable: BoolArray
    mark: FloatArray
    side: FloatArray
    recent: BoolArray
    draw: FloatArray

    def margin_at(
        self, tables: MarginTables, kept: FloatArray, extra: float = 0.0
    ) -> tuple[FloatArray, FloatArray]:
        """Return maintenance margin of each account, and its slope, at a kept share.

        Parameters
        ----------
        tables : MarginTables
        kept : (N,) float64
            Share of every tradable position kept; the others are kept whole.
        extra : float [1]
            Share of notional that is asked on top of the maintenance margin.

        Returns
        -------
        (N,) float64 [numeraire], (N,) float64
            Maintenance margin, and its derivative with respect to the kept share; one of its
            slopes where it has a kink. The margin is convex in the share.
        """
        share = np.where(self.tradable, kept[self.owner], 1.0)
        notional = self.notional * share
        tier = tables.tier(self.clearer, self.market, notional)
        rate = tables.rate[self.clearer, self.market, tier] + extra
        margin = notional * rate - tables.deduction[self.clearer, self.market, tier]
        n = len(self.equity)
        if tables.by_size:
            margin, rate = self._sized(tables, share, margin, rate)
        slope = np.where(self.tradable, self.notional * rate, 0.0)
        return (
            sums(self.owner, margin * self.worth, n),
            sums(self.owner, slope * self.worth, n),
        )

    def _sized(
        self, tables: MarginTables, share: FloatArray, margin: FloatArray, rate: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return margins and their slopes per notional, with what the kept sizes add."""
        place = self.clearer, self.market
        size, notional = self.size * share, self.notional * share
        root = tables.size_root[place] * np.sqrt(size)
        laid_on = (root > 0.0) & (KEPT * margin + root * notional > margin)
        # k sqrt(s B) s N and a s B s N have the slopes 3/2 k sqrt(s B) N and 2 a s B N.
        steep = np.where(laid_on, KEPT * rate + 1.5 * root, rate)
        steep = steep + 2.0 * tables.size_rate[place] * size
        return tables.sized(self.clearer, self.market, margin, notional, size), steep


class Sizes(NamedTuple):
    """What to sell of each position, and at what price.

    Attributes
    ----------
    share : (S,) float64 [1]
        Share of each position to sell; ignored where its market cannot trade.
    limit : (S,) float64 [quote/base], optional
        Worst price of each order: the lowest of a sell, the highest of a buy. None: any price.
    """

    share: FloatArray
    limit: FloatArray | None = None


SaleRule: TypeAlias = Callable[[Distressed, "MarginTables", Any], "FloatArray | Sizes"]
"""``rule(distressed, tables, config)``: the share (N,) of every tradable position of each account
to sell, or the `Sizes` of each position."""

sale_rules: Registry[SaleRule] = Registry("liquidation")

SMALLEST_SALE = 1e-6
"""Smallest share sold in one batch, so that a cascade of shrinking sales comes to an end."""


def slice_of_rest(step: IntArray, size: float) -> FloatArray:
    """Return the share (N,) of what is left that is `size` of the whole, after `step` of such.

    ``size / (1 - step size)``; 1 where no more than one slice is left.
    """
    left = 1.0 - step * size
    last = left <= size * (1.0 + 1e-9)
    return np.where(last, 1.0, size / np.maximum(left, 1e-300))
