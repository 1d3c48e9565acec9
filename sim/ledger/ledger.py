"""Balances and positions of everybody, and the two ways in which they change.

`transfer` is the only way money moves. `trade` changes positions: it books both sides of
every fill and moves the realised profit through the market's clearing row by `transfer`.

A position of q contracts entered at average price e has cost ``c q e`` (multiplier c). A fill
of d contracts at price f that reduces it realises ``r = sign(q) min(|d|, |q|) c (f - e)``.
The clearing row of a market holds exactly what the market owes its members,

    clearing balance + sum over rows of c q e = 0,

so money is conserved although profit is only paid when it is realised.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, Int16Array, Int32Array, IntArray, sums
from sim.core.errors import ConservationError
from sim.ledger.rows import RowPlan


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
    changed : (R,) bool
        Rows whose money or positions changed since somebody cleared the flag.
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
    quote_columns: IntArray = field(init=False)
    changed: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        cost = np.abs(self.quantity * self.entry_price * self.multiplier[self.market])
        markets = len(self.multiplier)
        self.volume = sums(self.market, np.abs(self.quantity), markets)
        self.turnover = sums(self.market, cost, markets)
        self.quote_columns = np.unique(self.quote_column)
        self.changed = np.ones(self.plan.total, dtype=bool)

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
            Ledger rows; a single row stands for all.
        column : int
            Balance column of the asset.
        amount : float or (N,) float64 [asset units], >= 0
        reason : str
            Why; gross amounts are kept by reason.

        Raises
        ------
        ConservationError
            An amount is negative or not finite.
        """
        amounts = np.asarray(amount, dtype=np.float64)
        if amounts.size == 0:
            return
        if not (np.isfinite(amounts).all() and (amounts >= 0.0).all()):
            raise ConservationError(f"transfer for {reason!r}: amounts must be finite and >= 0")
        held = self.balance[:, column]
        self.changed[source] = True
        self.changed[destination] = True
        if isinstance(source, (int, np.integer)):
            held[source] -= amounts.sum()
        else:
            np.subtract.at(held, source, amounts)
        if isinstance(destination, (int, np.integer)):
            held[destination] += amounts.sum()
        else:
            np.add.at(held, destination, amounts)
        self.reasons[reason, column] += float(amounts.sum())

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

        Notes
        -----
        The caller books the other side; `trade` does both.
        """
        held, entry = self.quantity[positions], self.entry_price[positions]
        market = self.market[positions]
        multiplier = self.multiplier[market]
        opposite = held * change < 0.0
        closed = np.where(opposite, np.minimum(np.abs(change), np.abs(held)), 0.0)
        realised = np.sign(held) * closed * (price - entry) * multiplier
        after = held + change
        flipped = opposite & (np.abs(change) > np.abs(held))
        added = ~opposite & (after != 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            average = (held * entry + change * price) / after
        new_entry = np.where(flipped, price, np.where(added, average, entry))
        new_entry[after == 0.0] = 0.0
        self.quantity[positions] = after
        self.entry_price[positions] = new_entry
        markets = len(self.multiplier)
        self.changed[self.position_row[positions]] = True
        self.volume += sums(market, np.abs(change), markets)
        self.turnover += sums(market, np.abs(change) * price * multiplier, markets)
        rows = self.position_row[positions].astype(np.int64)
        clearing = self.plan.first_clearing + market.astype(np.int64)
        columns = self.quote_column[market]
        for column in np.unique(columns):
            gain, loss = realised > 0.0, realised < 0.0
            if len(self.quote_columns) > 1:
                gain, loss = gain & (columns == column), loss & (columns == column)
            paid = int(column)
            self.transfer(clearing[gain], rows[gain], paid, realised[gain], reason)
            self.transfer(rows[loss], clearing[loss], paid, -realised[loss], reason)
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
        self.fill(self.outside_position[traded], -net[traded], paid[traded], reason)
        return realised

    def slots(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Return the position slots of `rows` and, for each slot, the index into `rows`."""
        start, stop = self.position_start[rows], self.position_start[rows + 1]
        counts = stop - start
        owner = np.repeat(np.arange(len(rows)), counts)
        offset = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(start, counts) + offset, owner
