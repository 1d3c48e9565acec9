"""The liquidation socket: from distressed accounts to the share of each position sold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.core.registry import Registry

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
            Maintenance margin, and its derivative with respect to the kept share.
        """
        share = np.where(self.tradable, kept[self.owner], 1.0)
        notional = self.notional * share
        tier = tables.tier(self.clearer, self.market, notional)
        rate = tables.rate[self.clearer, self.market, tier]
        margin = notional * rate - tables.deduction[self.clearer, self.market, tier]
        n = len(self.equity)
        slope = np.where(self.tradable, self.notional * rate, 0.0)
        return (
            sums(self.owner, margin * self.worth, n),
            sums(self.owner, slope * self.worth, n),
        )


SaleRule: TypeAlias = Callable[[Distressed, "MarginTables", Any], FloatArray]
"""``rule(distressed, tables, config) -> (N,)`` share of every tradable position to sell."""

sale_rules: Registry[SaleRule] = Registry("liquidation")

SMALLEST_SALE = 1e-6
"""Smallest share sold in one batch, so that a cascade of shrinking sales comes to an end."""
