"""The cascade that a shock sets off at a state, as if all of it happened at once.

Starting from the exogenous move, accounts below their margin sell together as one batch, prices,
marks and values of collateral follow, and accounts are looked at again, until nobody sells:

    D_0 = s,    D_{k+1} = s + impact(orders of all batches so far)

This is the batch-round map of a run without time. It has no latency, no recovery of books, no
top-ups, voluntary trades, fees, funds or deleveraging, and no halts. A run with these is milder,
but for auto-deleveraging and socialised losses, which break others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim.cascade.direction import Move
from sim.cascade.static_book import Forced, Standing, StaticBook
from sim.cascade.static_books import StaticBooks
from sim.cascade.static_prices import Levels, StaticPrices
from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.core.errors import RunError

if TYPE_CHECKING:
    from sim.schema import Scenario

RUNAWAY = 1e9
"""Multiple of its price at the state beyond which a market has run away [1]."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Where a cascade comes to rest.

    Attributes
    ----------
    last, anchor : (M,) float64 [quote/base]
    free : (N,) float64 [numeraire]
        Values of assets without markets.
    standing : Standing
        What accounts hold at the end.
    sold : (P,) float64 [contracts]
        What was closed of each position, >= 0.
    broken : (A,) bool
        Accounts that sold.
    rounds : int
        Batches.
    share, first_share : float [1]
        Notional closed in all, and in the first batch, over all notional; both at the marks of
        the state.
    """

    last: FloatArray
    anchor: FloatArray
    free: FloatArray
    standing: Standing
    sold: FloatArray
    broken: BoolArray
    rounds: int
    share: float
    first_share: float

    @property
    def induced(self) -> float:
        """Share [1] of all notional that later batches than the first closed."""
        return self.share - self.first_share


class StaticCascade:
    """The batch-round map of a state.

    Parameters
    ----------
    tables : mapping of pandas.DataFrame
        From `sim.cascade.state_tables.checked_tables`.
    scenario : Scenario
    """

    def __init__(self, tables: Mapping[str, pd.DataFrame], scenario: Scenario) -> None:
        self.prices = StaticPrices(tables, scenario)
        self.book = StaticBook(tables, scenario, self.prices)
        self.books = StaticBooks(tables["markets"], scenario, self.prices)
        self.most_rounds = scenario.engine.max_generations
        self.notional = np.abs(self.book.start.quantity) * self.book.unit
        self.open_notional = float(self.notional.sum())

    def moved(self, move: Move) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return last prices (M,), anchors (M,) and values of assets (N,) after a move."""
        growth = np.exp(np.where(self.prices.live, move.markets, 0.0))
        free = self.prices.free * np.exp(move.assets)
        return self.prices.last * growth, self.prices.anchor * growth, free

    def at_rest(self) -> Outcome:
        """Return the state as it is, before anybody sells."""
        last, anchor, free = self.prices.last, self.prices.anchor, self.prices.free
        nothing = np.zeros(len(self.notional))
        broken = np.zeros(self.book.accounts, dtype=bool)
        return Outcome(last, anchor, free, self.book.start.copy(), nothing, broken, 0, 0.0, 0.0)

    def run(self, move: Move) -> Outcome:
        """Return where the cascade after a move comes to rest.

        Raises
        ------
        RunError
            It did not within ``engine.max_generations`` batches, or a price ran away.
        """
        last, anchor, free = self.moved(move)
        standing = self.book.start.copy()
        sold = np.zeros(len(self.notional))
        broken = np.zeros(self.book.accounts, dtype=bool)
        first = 0.0
        for number in range(self.most_rounds):
            levels = self.prices.at(last, free)
            forced = self._round(levels, standing)
            if forced is None:
                share = self._share(sold)
                return Outcome(last, anchor, free, standing, sold, broken, number, share, first)
            slot, row, change = forced
            sold[slot] += np.abs(change)
            broken[row] = True
            first = first if number else self._share(sold)
            market = self.book.market[slot]
            size = len(last)
            heard = self.book.heard(forced)
            net, gross = sums(market, heard, size), sums(market, np.abs(heard), size)
            last, average = self.books.batch(last, anchor, levels.worth, net, gross)
            if not (last <= RUNAWAY * self.prices.last).all():
                raise RunError("a price ran away in the cascade at the state")
            self.book.settle(standing, forced, average)
        raise RunError(
            f"the cascade at the state did not settle within engine.max_generations = "
            f"{self.most_rounds} batches"
        )

    def forced_at(self, move: Move) -> tuple[IntArray, FloatArray]:
        """Return the positions (S,) that are sold in the first batch, and the contracts (S,)."""
        last, _, free = self.moved(move)
        forced = self._round(self.prices.at(last, free), self.book.start.copy())
        if forced is None:
            return np.empty(0, dtype=np.int64), np.empty(0)
        return forced.slot, forced.change

    def _round(self, levels: Levels, standing: Standing) -> Forced | None:
        """Return the orders of the accounts that must sell now, or None where nobody must."""
        out, rows = self.book.margin(levels, standing, self.book.everybody)
        self.book.turn_episodes(standing, out, rows)
        if not len(rows):
            return None
        forced = self.book.forced(levels, standing, out, rows)
        return forced if len(forced.slot) else None

    def _share(self, sold: FloatArray) -> float:
        if self.open_notional == 0.0:
            return 0.0
        return float((sold * self.book.unit).sum()) / self.open_notional
