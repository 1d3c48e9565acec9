"""Funding: premiums are sampled once per tick, and longs and shorts pay each other by the clock.

Formulas in `sim.models.funding`. A sample is taken at the opening of a tick's marks, before the
forced orders of the tick; at tick 0 none. At the end of an interval everybody who holds a
perpetual of the venue pays or receives through the market's clearing row: accounts,
arbitrageurs, outside liquidity. The margin check of the same tick sees it.

While a venue is down it takes no samples, but its clock runs on. A payment that falls into an
outage is made in the first tick in which the venue is up again, once, however many intervals have
gone by, from the samples since the last one; later payments keep their times.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.engine.mechanism import NEVER, Mechanism, Series
from sim.kernels.price_state import (
    CARRY,
    LEFT,
    PERPETUAL,
    PREMIUM,
    RATE,
    RISING,
    SAMPLES,
    TICKS,
)
from sim.models.funding import funding_payments, funding_rate, premium

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.schema.funding import Funding as FundingTerms

REASON = "funding"
"""Reason of the transfers."""


class FundingState(NamedTuple):
    """Samples of the premium, in place; rows in `sim.kernels.price_state`.

    Attributes
    ----------
    clock : (4, V) int64
        Rows `TICKS`, `RISING`, `LEFT`, `SAMPLES`.
    weight : (V,) float64 [1]
        Sum of the weights of the samples of the present interval.
    market : (4, M) float64 [1]
        Rows `PERPETUAL`, `PREMIUM`, `RATE`, `CARRY`.
    """

    clock: IntArray
    weight: FloatArray
    market: FloatArray


class Funding(Mechanism):
    """Samples and payments of all venues that have funding.

    Parameters
    ----------
    world : World

    Attributes
    ----------
    state : FundingState
    paid : (M,) float64 [quote]
        What those who paid have paid so far.
    """

    phases: ClassVar[tuple[str, ...]] = ("mark",)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.terms = [venue.funding for venue in world.scenario.venues.values()]
        self.state = _opening(world, self.terms)
        self.funded = np.flatnonzero(self.state.market[PERPETUAL])
        self.paid = np.zeros(len(world.board.ids))
        self._premium = np.zeros(len(world.board.ids))

    def act(self, phase: str) -> None:
        """Make the payments that are due, of venues that are up."""
        clock = self.state.clock
        due = (clock[TICKS] > 0) & (clock[LEFT] <= 0) & self.world.board.up
        for venue in np.flatnonzero(due).tolist():
            self._pay(venue)

    def quiet_until(self, tick: int) -> int:
        """Return the tick of the next payment; see `Mechanism.quiet_until`.

        A venue that is down pays when it returns, in a tick that no calm stretch goes through.
        """
        counting = (self.state.clock[TICKS] > 0) & self.world.board.up
        if not counting.any():
            return NEVER
        return max(tick, tick - 1 + int(self.state.clock[LEFT, counting].min()))

    def series(self) -> list[Series]:
        """Return premium, rate and payments of every perpetual with funding."""
        found = []
        for m in self.funded.tolist():
            venue = int(self.world.board.venue[m])
            found += [
                Series("premium", venue, m, partial(self.premium, m)),
                Series("funding_rate", venue, m, partial(self.state.market.item, RATE, m)),
                Series("funding_paid", venue, m, partial(self.paid.item, m)),
            ]
        return found

    def premium(self, market: int) -> float:
        """Return the mean premium [1] of the interval so far; at its start, of the one before."""
        weight = self.state.weight[self.world.board.venue[market]]
        if weight == 0.0:
            return float(self._premium[market])
        return float(self.state.market[PREMIUM, market] / weight)

    def _pay(self, venue: int) -> None:
        terms, state = self.terms[venue], self.state
        assert terms is not None
        for m in self.funded[self.world.board.venue[self.funded] == venue].tolist():
            self._premium[m] = self.premium(m)
            state.market[RATE, m] = _rate(terms, self._premium[m])
            self._settle(m, terms.reference)
            state.market[PREMIUM, m] = 0.0
        state.weight[venue] = 0.0
        state.clock[SAMPLES, venue] = 0
        ticks, late = int(state.clock[TICKS, venue]), -int(state.clock[LEFT, venue])
        state.clock[LEFT, venue] += ticks * (1 + late // ticks)

    def _settle(self, market: int, reference: str) -> None:
        """Move what each holder of a perpetual pays or receives through its clearing row."""
        ledger, board = self.world.ledger, self.world.board
        price = float((board.mark if reference == "mark" else board.index)[market])
        held = np.flatnonzero((ledger.market == market) & (ledger.quantity != 0.0))
        rate = float(self.state.market[RATE, market])
        multiplier = float(board.multiplier[market])
        payment = funding_payments(ledger.quantity[held], multiplier, price, rate)
        row: IntArray = ledger.position_row[held].astype(np.int64)
        clearing, column = self.world.plan.first_clearing + market, int(ledger.quote_column[market])
        pays, receives = payment > 0.0, payment < 0.0
        ledger.transfer(row[pays], clearing, column, payment[pays], REASON)
        ledger.transfer(clearing, row[receives], column, -payment[receives], REASON)
        self.paid[market] += payment[pays].sum()


def build_funding(world: World) -> list[Mechanism]:
    """Return the funding of a world; nothing where no venue has any."""
    any_terms = any(venue.funding is not None for venue in world.scenario.venues.values())
    return [Funding(world)] if any_terms else []


def funding_of(world: World) -> FundingState:
    """Return the samples of the premiums of a world; nothing is sampled where none has funding."""
    for mechanism in world.mechanisms:
        if isinstance(mechanism, Funding):
            return mechanism.state
    return _opening(world, [None] * len(world.venue_names))


def sample_premiums(world: World, state: FundingState, seconds: float) -> None:
    """Sample the premiums of venues that are up, and set the carry of this tick.

    Parameters
    ----------
    world : World
        Index prices are fresh.
    state : FundingState
    seconds : float
        Time since the tick before [s]; at tick 0 none has passed, and no sample is taken.
    """
    board, clock, market = world.board, state.clock, state.market
    funded = clock[TICKS] > 0
    if not funded.any():
        return
    up = funded & board.up
    mine = (market[PERPETUAL] > 0.0) & up[board.venue]
    if seconds > 0.0:
        clock[LEFT, funded] -= 1
        clock[SAMPLES, up] += 1
        weight = np.where(clock[RISING] == 1, clock[SAMPLES], 1.0)
        state.weight[up] += weight[up]
        sample = premium(board.last[mine], board.index[mine])
        market[PREMIUM, mine] += weight[board.venue[mine]] * sample
    share = np.maximum(clock[LEFT], 0) / np.where(funded, clock[TICKS], 1)
    market[CARRY, mine] = market[RATE, mine] * share[board.venue[mine]]


def _opening(world: World, terms: list[FundingTerms | None]) -> FundingState:
    """Return the state at the start, with the rates that no premium gives."""
    clock = np.zeros((4, len(terms)), dtype=np.int64)
    market = np.zeros((4, len(world.board.ids)))
    for v, one in enumerate(terms):
        if one is None:
            continue
        clock[TICKS, v] = world.clock.span(one.interval)
        clock[RISING, v] = one.sampling == "rising"
        clock[LEFT, v] = world.clock.span(one.first_payment)
        for m in np.flatnonzero(world.board.venue == v).tolist():
            if world.scenario.markets[m].kind == "perpetual":
                market[PERPETUAL, m], market[RATE, m] = 1.0, _rate(one, 0.0)
    return FundingState(clock, np.zeros(len(terms)), market)


def _rate(terms: FundingTerms, mean: float) -> float:
    """Return the rate of an interval at a mean premium."""
    found = funding_rate(
        np.array([mean]),
        interest=terms.interest,
        clamp=terms.clamp,
        intervals_per_period=terms.period / terms.interval,
        cap=math.inf if terms.cap is None else terms.cap,
    )
    return float(found[0])
