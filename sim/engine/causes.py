"""Every move of a price, booked to its cause.

In log-price the causes of a market add up to its move exactly; beside it the same moves are
kept in price, so that a share of the whole fall can be named in the unit in which margin is
lost.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from sim.core.arrays import FloatArray

Booking = tuple[str, int | None]
"""A cause, and the generation of the forced orders behind it; None outside a cascade."""

CauseRow = tuple[int, int, int, str, float]
"""Tick, generation, market, cause, log move."""

PriceMove = tuple[int, str, int, int]
"""Market that moved, cause, generation and tick of the forced orders behind it or -1."""

FORCED = "liquidation:"
"""How the causes begin that are forced orders."""


class CauseBook:
    """Moves by market and cause, and the rows not yet written.

    Attributes
    ----------
    tick : int
        Present tick, set by the model; the moves of a cascade are kept by tick.
    names : list of str
        Causes in order of first appearance: ``exogenous``, ``liquidation:<venue>``,
        ``trade:<behaviour>``, ``backstop:<venue>``, ``arbitrage:<from venue>``, ``reversion``.
    """

    def __init__(self, markets: int) -> None:
        self.markets = markets
        self.tick = 0
        self.names: list[str] = []
        self._index: dict[str, int] = {}
        self._log = np.zeros((0, markets))
        self._price = np.zeros((0, markets))
        self._cascade: dict[tuple[int, int, int, int], float] = defaultdict(float)
        self._calm = np.zeros((0, markets))
        self._forced: list[tuple[PriceMove, float]] = []
        self._keeps, self._dropped = False, 0
        self._forced_causes: set[int] = set()

    def index(self, cause: str) -> int:
        """Return the number of a cause, opening it at first sight."""
        known = self._index.get(cause)
        if known is not None:
            return known
        self._index[cause] = len(self.names)
        self.names.append(cause)
        if cause.startswith(FORCED):
            self._forced_causes.add(self._index[cause])
        row = np.zeros((1, self.markets))
        self._log = np.concatenate([self._log, row])
        self._price = np.concatenate([self._price, row])
        self._calm = np.concatenate([self._calm, row])
        return self._index[cause]

    def book(self, booking: Booking, market: int, log_move: float, move: float) -> None:
        """Book one move: `log_move` [1] and `move` [quote/base] of a market."""
        cause, generation = booking
        k = self.index(cause)
        self._log[k, market] += log_move
        self._price[k, market] += move
        if generation is None:
            self._calm[k, market] += log_move
        else:
            self._cascade[self.tick, generation, market, k] += log_move
            if self._keeps and k in self._forced_causes:
                self._forced.append(((market, cause, generation, self.tick), move))

    def book_all(self, cause: str, log_moves: FloatArray, moves: FloatArray) -> None:
        """Book a move of every market (M,) outside a cascade."""
        k = self.index(cause)
        self._log[k] += log_moves
        self._price[k] += moves
        self._calm[k] += log_moves

    def book_series(self, cause: str, log_moves: FloatArray) -> None:
        """Book the log moves (T, M) of successive ticks outside a cascade; not those in price."""
        k = self.index(cause)
        for book in (self._log, self._calm):
            book[k] = np.add.accumulate(np.vstack([book[k], log_moves]), axis=0)[-1]

    def open(self, *causes: str) -> None:
        """Make sure that these causes have a row each, so that rows stay where they are."""
        for cause in causes:
            self.index(cause)

    def price_row(self, cause: str) -> FloatArray:
        """Return the price moves (M,) booked to an open cause, to be changed in place."""
        row: FloatArray = self._price[self._index[cause]]
        return row

    def keep_forced(self) -> None:
        """Keep the price moves of forced orders one by one from now on."""
        self._keeps = True

    @property
    def forced_moves(self) -> int:
        """How many moves by forced orders there were so far."""
        return self._dropped + len(self._forced)

    def price_state(self) -> FloatArray:
        """Return the price moves (C, M) [quote/base] so far; a copy."""
        return self._price.copy()

    def forget_forced(self, forced: int) -> None:
        """Forget all but those after so many of the moves by forced orders."""
        del self._forced[: forced - self._dropped]
        self._dropped = forced

    def calm_between(self, then: FloatArray, now: FloatArray) -> FloatArray:
        """Return the moves (C, M) [quote/base] by other causes than forced orders.

        Parameters
        ----------
        then, now : (C, M) float64 [quote/base]
            From `price_state`.
        """
        moves = now.copy()
        moves[: len(then)] -= then
        for k in self._forced_causes:
            if k < len(moves):
                moves[k] = 0.0
        return moves

    def forced_until(self, forced: int) -> dict[PriceMove, float]:
        """Return the moves [quote/base] by forced orders so far, sorted, and forget them.

        Parameters
        ----------
        forced : int
            `forced_moves` at the end of the period.
        """
        found: dict[PriceMove, float] = {}
        for key, move in self._forced[: forced - self._dropped]:
            found[key] = found.get(key, 0.0) + move
        self.forget_forced(forced)
        return {key: found[key] for key in sorted(found)}

    def price_move(self, cause: str) -> FloatArray:
        """Return the total move (M,) [quote/base] booked to a cause so far."""
        k = self._index.get(cause)
        return np.zeros(self.markets) if k is None else self._price[k].copy()

    def log_move_of(self, cause: str) -> FloatArray:
        """Return the total log move (M,) booked to a cause so far."""
        k = self._index.get(cause)
        return np.zeros(self.markets) if k is None else self._log[k].copy()

    def log_move(self) -> FloatArray:
        """Return the total log move (M,) over all causes."""
        return np.asarray(self._log.sum(axis=0))

    def flush(self) -> list[CauseRow]:
        """Return and forget the rows since the last flush.

        The moves of a cascade keep the tick and generation in which they happened; all others
        are summed up to the present tick, as generation 0.
        """
        causes, markets = self._calm.nonzero()
        moves = self._calm[causes, markets]
        rows = [
            (self.tick, 0, market, self.names[k], move)
            for k, market, move in zip(
                causes.tolist(), markets.tolist(), moves.tolist(), strict=True
            )
        ]
        rows += [
            (tick, generation, market, self.names[k], move)
            for (tick, generation, market, k), move in self._cascade.items()
            if move != 0.0
        ]
        self._calm[:] = 0.0
        self._cascade.clear()
        return sorted(rows)


def split_log_move(before: float, after: float, moves: list[float]) -> list[float]:
    """Split ``log(after / before)`` over additive price moves, in proportion to them.

    The price moves must add up to ``after - before``; the shares then add up to the log move.
    """
    total = after - before
    if total == 0.0:
        return [0.0] * len(moves)
    scale = math.log(after / before) / total
    return [move * scale for move in moves]
