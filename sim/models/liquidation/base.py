"""The liquidation socket: from distressed accounts to the share of each position sold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

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
    owner : (S,) int64
        For each position, the index of its account in 0 .. N - 1.
    clearer, market : (S,) int64
    notional : (S,) float64 [quote], at the mark
    size : (S,) float64 [base], >= 0
    worth : (S,) float64 [numeraire/quote]
    tradable : (S,) bool
        Whether the position's market can take an order now.
    """

    equity: FloatArray
    maintenance: FloatArray
    required: FloatArray
    step: IntArray
    owner: IntArray
    clearer: IntArray
    market: IntArray
    notional: FloatArray
    size: FloatArray
    worth: FloatArray
    tradable: BoolArray

    def margin_at(self, tables: MarginTables, kept: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return maintenance margin of each account, and its slope, at a kept share.

        Parameters
        ----------
        kept : (N,) float64
            Share of every tradable position kept; the others are kept whole.

        Returns
        -------
        (N,) float64 [numeraire], (N,) float64
            Maintenance margin, and its derivative with respect to the kept share; one of its
            slopes where it has a kink. The margin is convex in the share.
        """
        share = np.where(self.tradable, kept[self.owner], 1.0)
        notional = self.notional * share
        tier = tables.tier(self.clearer, self.market, notional)
        rate = tables.rate[self.clearer, self.market, tier]
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


SaleRule: TypeAlias = Callable[[Distressed, "MarginTables", Any], FloatArray]
"""``rule(distressed, tables, config) -> (N,)`` share of every tradable position to sell."""

sale_rules: Registry[SaleRule] = Registry("liquidation")

SMALLEST_SALE = 1e-6
"""Smallest share sold in one batch, so that a cascade of shrinking sales comes to an end."""
