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
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.engine.mechanism import NEVER, Mechanism, Series
from sim.kernels.price_state import FundingRules, FundingState
from sim.models.funding import funding_payments, funding_rate, premium

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.schema.funding import Funding as FundingTerms

REASON = "funding"
"""Reason of the transfers."""


class Funding(Mechanism):
    """Samples and payments of all venues that have funding.

    Parameters
    ----------
    world : World

    Attributes
    ----------
    rules : FundingRules
    state : FundingState
    paid : (M,) float64 [quote]
        What those who paid have paid so far.
    """

    phases: ClassVar[tuple[str, ...]] = ("mark",)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.terms = [venue.funding for venue in world.scenario.venues.values()]
        self.rules = _rules(world, self.terms)
        self.state = _opening(world, self.rules, self.terms)
        self.paid = np.zeros(len(world.board.ids))
        self._premium = np.zeros(len(world.board.ids))

    def act(self, phase: str) -> None:
        """Make the payments that are due, of venues that are up."""
        due = (self.rules.ticks > 0) & (self.state.left <= 0) & self.world.board.up
        for venue in np.flatnonzero(due).tolist():
            self._pay(venue)

    def quiet_until(self, tick: int) -> int:
        """Return the tick of the next payment; see `Mechanism.quiet_until`.

        A venue that is down pays when it returns, in a tick that no calm stretch goes through.
        """
        counting = (self.rules.ticks > 0) & self.world.board.up
        if not counting.any():
            return NEVER
        return max(tick, tick - 1 + int(self.state.left[counting].min()))

    def series(self) -> list[Series]:
        """Return premium, rate and payments of every perpetual with funding."""
        found = []
        for m in np.flatnonzero(self.rules.funded).tolist():
            venue = int(self.world.board.venue[m])
            found += [
                Series("premium", venue, m, partial(self.premium, m)),
                Series("funding_rate", venue, m, partial(self.state.rate.item, m)),
                Series("funding_paid", venue, m, partial(self.paid.item, m)),
            ]
        return found

    def premium(self, market: int) -> float:
        """Return the mean premium [1] of the interval so far; at its start, of the one before."""
        weight = self.state.weight[self.world.board.venue[market]]
        if weight == 0.0:
            return float(self._premium[market])
        return float(self.state.premium[market] / weight)

    def _pay(self, venue: int) -> None:
        terms, state = self.terms[venue], self.state
        assert terms is not None
        for m in np.flatnonzero(self.rules.funded & (self.world.board.venue == venue)).tolist():
            self._premium[m] = self.premium(m)
            state.rate[m] = _rate(terms, self._premium[m])
            self._settle(m, terms.reference)
            state.premium[m] = 0.0
        state.weight[venue] = 0.0
        state.samples[venue] = 0
        ticks = int(self.rules.ticks[venue])
        state.left[venue] += ticks * (1 + int(-state.left[venue]) // ticks)

    def _settle(self, market: int, reference: str) -> None:
        """Move what each holder of a perpetual pays or receives through its clearing row."""
        ledger, board = self.world.ledger, self.world.board
        price = float((board.mark if reference == "mark" else board.index)[market])
        held = np.flatnonzero((ledger.market == market) & (ledger.quantity != 0.0))
        rate = float(self.state.rate[market])
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


def funding_of(world: World) -> tuple[FundingRules, FundingState]:
    """Return how the premiums of a world are sampled, and the samples."""
    for mechanism in world.mechanisms:
        if isinstance(mechanism, Funding):
            return mechanism.rules, mechanism.state
    nothing: list[FundingTerms | None] = [None] * len(world.venue_names)
    rules = _rules(world, nothing)
    return rules, _opening(world, rules, nothing)


def sample_premiums(world: World, rules: FundingRules, state: FundingState, seconds: float) -> None:
    """Sample the premiums of venues that are up, and set the carry of this tick.

    Parameters
    ----------
    world : World
        Index prices are fresh.
    rules, state : FundingRules, FundingState
    seconds : float
        Time since the tick before [s]; at tick 0 none has passed, and no sample is taken.
    """
    board = world.board
    funded = rules.ticks > 0
    if not funded.any():
        return
    up = funded & board.up
    mine = rules.funded & up[board.venue]
    if seconds > 0.0:
        state.left[funded] -= 1
        state.samples[up] += 1
        weight = np.where(rules.rising, state.samples, 1.0)
        state.weight[up] += weight[up]
        sample = premium(board.last[mine], board.index[mine])
        state.premium[mine] += weight[board.venue[mine]] * sample
    share = np.maximum(state.left, 0) / np.where(funded, rules.ticks, 1)
    state.carry[mine] = state.rate[mine] * share[board.venue[mine]]


def _rules(world: World, terms: list[FundingTerms | None]) -> FundingRules:
    ticks = [0 if one is None else world.clock.span(one.interval) for one in terms]
    has = np.array([one is not None for one in terms])
    perpetual = np.array([market.kind == "perpetual" for market in world.scenario.markets])
    return FundingRules(
        ticks=np.array(ticks, dtype=np.int64),
        rising=np.array([one is not None and one.sampling == "rising" for one in terms]),
        funded=perpetual & has[world.board.venue],
    )


def _opening(world: World, rules: FundingRules, terms: list[FundingTerms | None]) -> FundingState:
    """Return the state at the start, with the rates that no premium gives."""
    left = [0 if one is None else world.clock.span(one.first_payment) for one in terms]
    rate: FloatArray = np.array([0.0 if one is None else _rate(one, 0.0) for one in terms])
    venues, markets = len(terms), len(world.board.ids)
    return FundingState(
        left=np.array(left, dtype=np.int64),
        samples=np.zeros(venues, dtype=np.int64),
        weight=np.zeros(venues),
        premium=np.zeros(markets),
        rate=np.where(rules.funded, rate[world.board.venue], 0.0),
        carry=np.zeros(markets),
    )


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
