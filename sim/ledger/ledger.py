"""Balances and positions of everybody, and the two ways in which they change.

`transfer` is the way money moves. `fill` changes positions and moves the profit that they realise
through the market's clearing row; `trade` books both sides of every fill.

A position of q contracts entered at average price e has cost ``c q e`` (multiplier c). A fill
of d contracts at price f that reduces it realises ``r = sign(q) min(|d|, |q|) c (f - e)``.
The clearing row of a market holds exactly what the market owes its members,

    clearing balance + sum over rows of c q e = 0,

so money is conserved although profit is only paid when it is realised.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.core.arrays import FloatArray, Int16Array, Int32Array, IntArray, add_to, blocks, sums
from sim.core.errors import ConservationError
from sim.kernels.credits import CellSums, credit, credit_one
from sim.kernels.fills import LedgerArrays, fill
from sim.kernels.slots import slots_of
from sim.ledger.changed import ChangedRows
from sim.ledger.rows import RowPlan
from sim.ledger.tap import Filled, Tap, Transferred
from sim.ledger.totals import Totals


@dataclass
class Ledger:
    """Struct-of-arrays ledger.

    Attributes
    ----------
    plan : RowPlan
        Meaning of the rows.
    balance : (R, K) float64 [asset units]
        Money by row and asset column; negative = owed.
    position_start : (R + 1,) int64
        Positions of row r are ``position_start[r] : position_start[r + 1]``.
    position_row : (P,) int32
        Owner of each position.
    market : (P,) int16
        Market of each position.
    quantity, entry_price : (P,) float64 [contracts], [quote/base]
        Signed size (long > 0) and average entry price (0 when flat).
    multiplier : (M,) float64
        Contract multiplier of each market.
    quote_column : (M,) int64
        Balance column in which each market settles.
    outside_position : (M,) int64
        Position slot of each market's outside liquidity.
    reasons : dict
        Gross amount moved by reason and asset column, for audits.
    volume, turnover : (M,) float64 [contracts], [quote]
        Everything ever opened or traded, the scale against which rounding is judged.
    totals : Totals or None
        Sums over groups of accounts, kept up to date from `track` on.
    tap : Tap or None
        Where transfers and fills are noted beside, if anybody asks for them.
    """

    plan: RowPlan
    balance: FloatArray
    position_start: IntArray
    position_row: Int32Array
    market: Int16Array
    quantity: FloatArray
    entry_price: FloatArray
    multiplier: FloatArray
    quote_column: IntArray
    outside_position: IntArray
    reasons: dict[tuple[str, int], float] = field(default_factory=lambda: defaultdict(float))
    volume: FloatArray = field(init=False)
    turnover: FloatArray = field(init=False)
    totals: Totals | None = field(default=None, init=False)
    tap: Tap | None = field(default=None, init=False)
    _changed: ChangedRows = field(init=False, repr=False)
    _sums: CellSums = field(init=False, repr=False)

    def __post_init__(self) -> None:
        markets = len(self.multiplier)
        self.volume, self.turnover = np.zeros(markets), np.zeros(markets)
        for part in blocks(len(self.quantity)):
            market, size = self.market[part], np.abs(self.quantity[part])
            add_to(self.volume, market, size)
            add_to(self.turnover, market, size * np.abs(self.entry_price[part]))
        self.turnover *= self.multiplier
        self._changed = ChangedRows(self.plan.total)
        self._sums = CellSums.zero(np.empty(0, dtype=np.int32), 0, 0, 0)

    def track(self, cell: NDArray[Any], cells: int) -> None:
        """Keep the sums over groups of accounts, `totals`, from now on.

        Parameters
        ----------
        cell : (R,) integer
            Group of each row, in ``0 .. cells - 1``; -1 for a row that is no account.
        cells : int
            Number of groups.
        """
        self.totals = Totals(self, cell, cells)
        self._sums = self.totals.sums

    def take_changed(self) -> IntArray:
        """Return the rows (N,) int64 whose money or positions changed since the last call.

        Ascending, each once. All rows count as changed at the start.
        """
        return self._changed.take()

    def note_changed(self, rows: IntArray) -> None:
        """Have rows (N,) int64 count as changed, as where the rules that they are under changed."""
        self._changed.note(rows)

    def transfer(
        self,
        source: IntArray | int,
        destination: IntArray | int,
        column: int,
        amount: FloatArray | float,
        reason: str,
    ) -> None:
        """Move money from `source` rows to `destination` rows.

        Parameters
        ----------
        source, destination : int or (N,) int64
            Ledger rows; a single row stands for all, a row may occur several times.
        column : int
            Balance column of the asset.
        amount : float or (N,) float64 [asset units], >= 0
            A single amount moves between each pair of rows.
        reason : str
            Why; gross amounts are kept by reason.

        Raises
        ------
        ConservationError
            An amount is negative or not finite.
        """
        many = next((r for r in (source, destination) if isinstance(r, np.ndarray)), None)
        amounts = np.asarray(amount, dtype=np.float64)
        if many is not None and amounts.ndim == 0:
            amounts = np.full(len(many), amounts)
        if amounts.size == 0:
            return
        # Not a number is neither.
        if not (amounts.min() >= 0.0 and amounts.max() < math.inf):
            raise ConservationError(f"transfer for {reason!r}: amounts must be finite and >= 0")
        total = float(amounts.sum())
        self._credit(source, column, -1.0, amounts, total)
        self._credit(destination, column, 1.0, amounts, total)
        self.reasons[reason, column] += total
        if self.tap is not None and total > 0.0:
            moved = Transferred(source, destination, column, amounts.copy(), reason)
            self.tap.transfers.append(moved)

    def _credit(
        self,
        rows: IntArray | int,
        column: int,
        sign: float,
        amounts: FloatArray,
        total: float,
    ) -> None:
        """Add signed amounts to the balances of rows, or their sum to that of a single one."""
        if isinstance(rows, np.ndarray):
            rows = np.ascontiguousarray(rows, dtype=np.int64)
            signed = np.ascontiguousarray(amounts if sign > 0.0 else -amounts)
            self._changed.note(rows)
            credit(self.balance, self._sums, rows, column, signed)
        else:
            self._changed.note_one(int(rows))
            credit_one(self.balance, self._sums, int(rows), column, sign * total)

    def fill(
        self, positions: IntArray, change: FloatArray, price: FloatArray, reason: str
    ) -> FloatArray:
        """Apply fills to position slots, one fill per slot, and settle realised profit.

        Parameters
        ----------
        positions : (N,) int64
            Slots, each at most once.
        change : (N,) float64 [contracts]
            Signed change of the position.
        price : (N,) float64 [quote/base]
            Fill price.
        reason : str
            Reason booked on the settlement transfers.

        Returns
        -------
        (N,) float64 [quote]
            Realised profit of each fill.

        Raises
        ------
        ConservationError
            A realised profit is not finite.

        Notes
        -----
        The caller books the other side; `trade` does both. Formulas in `sim.kernels.fills`.
        """
        arrays = LedgerArrays(
            self.balance,
            self.quantity,
            self.entry_price,
            self.volume,
            self.turnover,
            self.market,
            self.position_row,
            self.multiplier,
            self.quote_column,
        )
        self._changed.note(self.position_row[positions].astype(np.int64))
        realised, moved = np.empty(len(positions)), np.zeros(self.balance.shape[1])
        change, price = (np.ascontiguousarray(x, dtype=np.float64) for x in (change, price))
        first = self.plan.first_clearing
        if not fill(arrays, self._sums, first, positions, change, price, realised, moved):
            raise ConservationError(f"fill for {reason!r}: a realised profit is not finite")
        for column, amount in enumerate(moved.tolist()):
            if amount:
                self.reasons[reason, column] += amount
        if self.tap is not None and len(positions):
            done = Filled(positions, change.copy(), price.copy(), realised.copy(), reason)
            self.tap.fills.append(done)
        if moved.any():
            self._changed.note(first + self.market[positions[realised != 0.0]].astype(np.int64))
        return realised

    def trade(
        self, positions: IntArray, change: FloatArray, price: FloatArray, reason: str
    ) -> FloatArray:
        """Fill positions against the outside liquidity of their markets.

        All fills of one market must share one price. Returns the realised profit (N,) [quote].
        """
        realised = self.fill(positions, change, price, reason)
        market = self.market[positions]
        net = sums(market, change, len(self.multiplier))
        paid = np.zeros(len(self.multiplier))
        paid[market] = price
        traded = np.flatnonzero(net)
        if len(traded):
            self.fill(self.outside_position[traded], -net[traded], paid[traded], reason)
        return realised

    def slots(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Return the position slots of `rows` and, for each slot, the index into `rows`."""
        return slots_of(self.position_start, rows)
