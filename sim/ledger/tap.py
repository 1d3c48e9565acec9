"""What was moved and filled of late, for whoever has to explain why an account is worth less."""

from __future__ import annotations

from typing import NamedTuple

from sim.core.arrays import FloatArray, IntArray


class Transferred(NamedTuple):
    """One transfer.

    Attributes
    ----------
    source, destination : int or (N,) int64
        Ledger rows.
    column : int
        Balance column.
    amount : () or (N,) float64 [asset units], >= 0
    reason : str
    """

    source: IntArray | int
    destination: IntArray | int
    column: int
    amount: FloatArray
    reason: str


class Filled(NamedTuple):
    """Fills of one moment.

    Attributes
    ----------
    slot : (N,) int64
        Position slots.
    change : (N,) float64 [contracts]
    price : (N,) float64 [quote/base]
    realised : (N,) float64 [quote]
    reason : str
    """

    slot: IntArray
    change: FloatArray
    price: FloatArray
    realised: FloatArray
    reason: str


class Tap:
    """Transfers and fills since it was last cleared.

    Amounts are copied, rows are not: nobody changes them in place.
    """

    def __init__(self) -> None:
        self.transfers: list[Transferred] = []
        self.fills: list[Filled] = []

    def clear(self) -> None:
        """Forget everything."""
        self.transfers.clear()
        self.fills.clear()
