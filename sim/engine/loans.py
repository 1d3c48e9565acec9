"""What keepers and protocols tell each other about loans that can be liquidated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sim.core.arrays import BoolArray, FloatArray, IntArray
from sim.engine.mechanism import Series


@dataclass(frozen=True)
class Lots:
    """Collateral of the loans (N) that keepers may take now, by position (S).

    Attributes
    ----------
    rows : (N,) int64
    slots, owner, market : (S,) int64
    size : (S,) float64 [base]
        All that is there.
    worth : (S,) float64 [numeraire/quote]
    mark : (S,) float64 [quote/base]
    value, debt : (N,) float64 [numeraire]
        At the marks.
    """

    rows: IntArray
    slots: IntArray
    owner: IntArray
    market: IntArray
    size: FloatArray
    worth: FloatArray
    mark: FloatArray
    value: FloatArray
    debt: FloatArray


@dataclass(frozen=True)
class Offer:
    """Terms on which a protocol lets keepers take collateral.

    Attributes
    ----------
    share : (N,) float64 [1]
        Largest share of each loan's collateral.
    claim, fee : (S,) float64 [quote/base]
        What the account and the protocol get per unit.
    """

    share: FloatArray
    claim: FloatArray
    fee: FloatArray


class LoanRule(Protocol):
    """What a way of liquidating loans is asked."""

    margin: float
    gas: float
    bounded: bool
    once: bool

    def offer(self, lots: Lots) -> Offer:
        """Return the terms for loans of this protocol."""

    def trim(self, lots: Lots, offer: Offer, share: FloatArray) -> FloatArray:
        """Return shares (N,) that the protocol accepts, at most those wanted."""

    def paid(self, rows: IntArray, owed: FloatArray) -> None:
        """Note what keepers have paid for the collateral of accounts (N,) [numeraire]."""

    def series(self, venue: int) -> list[Series]:
        """Return what is recorded of it."""


@dataclass
class Deal:
    """What keepers agreed to take in a batch.

    Attributes
    ----------
    served : (N,) bool
        Accounts of the batch that are loans.
    claim, fee : (S,) float64 [quote/base]
        By position of the batch; 0 for what is no collateral of a loan.
    gas : (N,) float64 [numeraire]
    """

    served: BoolArray
    claim: FloatArray
    fee: FloatArray
    gas: FloatArray
