"""The behaviour socket: from what a cohort sees to the orders it sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from sim.core.arrays import FloatArray, IntArray, sums
from sim.core.registry import Registry


@dataclass(frozen=True)
class CohortView:
    """What the traders of one cohort see when they may trade.

    Attributes
    ----------
    quantity, entry_price : (S,) float64 [contracts], [quote/base]
        Their positions, empty slots included.
    owner : (S,) int64
        Account of each position, 0 .. N - 1.
    market : (S,) int64
    equity : (N,) float64 [numeraire]
        At last prices.
    last_price, mark_price, initial_price, exogenous_price : (M,) float64 [quote/base]
        The exogenous price is the initial one moved by exogenous returns alone.
    contract_value : (M,) float64 [numeraire per contract at price 1]
        Multiplier times value of the quote asset.
    """

    quantity: FloatArray
    entry_price: FloatArray
    owner: IntArray
    market: IntArray
    equity: FloatArray
    last_price: FloatArray
    mark_price: FloatArray
    initial_price: FloatArray
    exogenous_price: FloatArray
    contract_value: FloatArray

    def notional(self) -> FloatArray:
        """Return the notional of each position (S,) [numeraire] at last prices."""
        m = self.market
        return np.asarray(np.abs(self.quantity) * self.contract_value[m] * self.last_price[m])

    def gross_notional(self) -> FloatArray:
        """Return the gross notional of each account (N,) [numeraire] at last prices."""
        return sums(self.owner, self.notional(), len(self.equity))


class Orders(NamedTuple):
    """Orders of a cohort: positions (indices into the view) and signed contracts."""

    slots: IntArray
    change: FloatArray

    @classmethod
    def none(cls) -> Orders:
        """Return no orders."""
        return cls(np.empty(0, dtype=np.int64), np.empty(0))


class Behaviour(Protocol):
    """A cohort's rule; one instance per cohort, so that it may remember."""

    needs_equity: bool
    """Whether `CohortView.equity` must be up to date."""

    idle: bool
    """Whether it never sends an order."""

    rests: bool
    """Whether it only closes positions whose mark has gone by the `trigger` of its configuration
    against them, so that accounts far from that need not be asked."""

    def __init__(self, config: Any, view: CohortView) -> None:
        """Prepare the rule from its configuration and the view at the start."""

    def decide(self, view: CohortView) -> Orders:
        """Return the orders to send now."""


behaviours: Registry[type[Behaviour]] = Registry("behaviour")
