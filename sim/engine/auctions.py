"""Dutch auctions of collateral: started, gone through by the clock, bought from, ended.

An account that is liquidatable is put up at once and stays in its auction, whatever prices do,
until its tab is raised or its collateral is gone; formulas in `sim.models.lending.auction`. Its
required ratio is raised meanwhile, so that every margin check looks at it. Keepers buy what pays
them (`sim.engine.keepers`), at most once a tick in each auction, on ticks on which their
transactions get through. An auction that has to start anew waits for such a tick too.

The penalty is paid when an auction ends, out of what was raised beyond the debt. Whoever starts
an auction is paid by the venue itself.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.funds import fee_receivers
from sim.engine.loans import LoanRule, Lots, Offer
from sim.engine.mechanism import NO_MARKET, Series
from sim.models.lending.auction import (
    must_restart,
    price_left,
    start_reward,
    starting_price,
    tab,
)

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.schema.lending import AuctionLiquidation

IN_AUCTION = 1e9
"""Required margin ratio of an account in an auction: none has so much."""

CLOSED = -1
"""Start of an auction that is not open."""

ROUNDING = 1e-9
"""Share of a tab that is only rounding."""


class AuctionHouse(LoanRule):
    """Auctions of one venue.

    Parameters
    ----------
    world : World
    venue : int
    rule : AuctionLiquidation

    Attributes
    ----------
    start : (A,) int64
        Tick at which the auction of an account started last, or `CLOSED`.
    tab, raised, debt : (A,) float64 [numeraire]
        What an auction has to raise, what it has raised, and the debt behind it.
    market : (A,) int64
        Market of the largest collateral of an account when its auction began.
    top : (P,) float64 [quote/base]
        Starting price of each position; 0 where none was set in its present auction.
    """

    once = True
    bounded = True

    def __init__(self, world: World, venue: int, rule: AuctionLiquidation) -> None:
        self.world, self.venue, self.rule = world, venue, rule
        self.gas, self.margin = rule.keepers.gas, rule.keepers.margin
        self.bounded = rule.keepers.capital is not None
        self.start = np.full(world.accounts, CLOSED, dtype=np.int64)
        self.market = np.zeros(world.accounts, dtype=np.int64)
        self.tab, self.raised, self.debt = np.zeros((3, world.accounts))
        self.top = np.zeros(int(world.ledger.position_start[world.accounts]))
        name = f"keepers.{world.venue_names[venue]}"
        chance = world.streams.generator(name).random(world.clock.ticks)
        self.through: BoolArray = chance < rule.keepers.active
        self.open: IntArray = np.empty(0, dtype=np.int64)

    def offer(self, lots: Lots) -> Offer:
        """Start auctions, and return the terms on which keepers can buy from them now."""
        rule, tick = self.rule, self.world.tick
        self._start(lots, self.start[lots.rows] == CLOSED, fresh=True)
        age = self._age(lots.rows)
        over = must_restart(age, rule.cut, rule.step, rule.tail, rule.cusp)
        if self.through[tick] and over.any():
            self._start(lots, over, fresh=False)
            age = self._age(lots.rows)
            over = np.zeros(len(over), dtype=bool)
        self._let_join(lots)
        price = self.top[lots.slots] * price_left(age, rule.cut, rule.step)[lots.owner]
        worth = sums(lots.owner, lots.size * lots.worth * price, len(lots.rows))
        left = np.maximum(self.tab[lots.rows] - self.raised[lots.rows], 0.0)
        share = np.minimum(left / np.where(worth > 0.0, worth, 1.0), 1.0)
        share[over | (worth == 0.0)] = 0.0
        if not self.through[tick]:
            share[:] = 0.0
        return Offer(share, price, np.zeros(len(price)))

    def trim(self, lots: Lots, offer: Offer, share: FloatArray) -> FloatArray:
        """Return the shares as they are: auctions have no dust."""
        return share

    def _age(self, rows: IntArray) -> FloatArray:
        world = self.world
        return np.asarray((world.tick - self.start[rows]) * world.clock.seconds)

    def _start(self, lots: Lots, chosen: BoolArray, fresh: bool) -> None:
        """Start auctions of the chosen loans (N,), for the first time or anew."""
        if not chosen.any():
            return
        world, rows = self.world, lots.rows[chosen]
        if fresh:
            self.debt[rows] = lots.debt[chosen]
            self.tab[rows] = tab(lots.debt[chosen], self.rule.penalty)
            self.raised[rows] = 0.0
            order = np.argsort(lots.size * lots.worth * lots.mark, kind="stable")
            order = order[chosen[lots.owner[order]]]
            self.market[lots.rows[lots.owner[order]]] = lots.market[order]  # the last one stays
            self.open = np.sort(np.concatenate([self.open, rows]))
            world.required[rows] = IN_AUCTION
        self.start[rows] = world.tick
        self.top[world.ledger.slots(rows)[0]] = 0.0
        of_chosen = chosen[lots.owner]
        self.top[lots.slots[of_chosen]] = starting_price(lots.mark[of_chosen], self.rule.buffer)
        due = start_reward(self.tab[rows] - self.raised[rows], self.rule.tip, self.rule.chip)
        column, plan = int(world.settlement[self.venue]), world.plan
        price = float(world.asset_price[world.columns[column]])
        house, keeper = plan.first_house + self.venue, plan.first_keeper + self.venue
        world.ledger.transfer(house, keeper, column, float(due.sum()) / price, "auction started")

    def _let_join(self, lots: Lots) -> None:
        """Start collateral that could not be sold when its auction began at the mark of now.

        Its price goes on with the clock of the auction, like that of all the rest.
        """
        late = self.top[lots.slots] == 0.0
        self.top[lots.slots[late]] = starting_price(lots.mark[late], self.rule.buffer)

    def paid(self, rows: IntArray, owed: FloatArray) -> None:
        """Note what keepers have paid, and end the auctions that are over."""
        world, ledger = self.world, self.world.ledger
        self.raised[rows] += owed
        slots, owner = ledger.slots(rows)
        holding = sums(owner, ledger.quantity[slots] != 0.0, len(rows)) > 0.0
        covered = self.raised[rows] >= self.tab[rows] * (1.0 - ROUNDING)
        ended = rows[covered | ~holding]
        if not len(ended):
            return
        self._take_penalty(ended, holding[covered | ~holding])
        self.start[ended] = CLOSED
        self.open = np.setdiff1d(self.open, ended)
        world.required[ended] = world.least_ratio(ended)

    def _take_penalty(self, rows: IntArray, holding: BoolArray) -> None:
        """Move what was raised beyond the debt to the protocol, at most the penalty."""
        world = self.world
        due = np.clip(self.raised[rows] - self.debt[rows], 0.0, self.rule.penalty * self.debt[rows])
        # Rounding of the sums must not leave a debt to who has nothing else.
        cash = np.maximum(world.ledger.balance[rows] @ world.asset_price[world.columns], 0.0)
        due = np.where(holding, due, np.minimum(due, cash))
        earner = fee_receivers(world, np.full(len(rows), self.venue), self.market[rows])
        column = int(world.settlement[self.venue])
        price = float(world.asset_price[world.columns[column]])
        world.ledger.transfer(rows, earner, column, due / price, "liquidation penalty")
        world.flows.fees[self.venue] += due.sum()

    def series(self, venue: int) -> list[Series]:
        """Return how many auctions are open, and how low the lowest price has gone."""
        return [
            Series("auctions_open", venue, NO_MARKET, lambda: float(len(self.open))),
            *(
                Series("auction_price", venue, m, partial(self.lowest_price, m))
                for m in np.flatnonzero(
                    self.world.board.long_only & (self.world.board.venue == venue)
                ).tolist()
            ),
        ]

    def lowest_price(self, market: int) -> float:
        """Return the lowest price of the open auctions in a market, 0 where there are none."""
        slots, owner = self.world.ledger.slots(self.open)
        mine = (self.world.ledger.market[slots] == market) & (self.top[slots] > 0.0)
        if not mine.any():
            return 0.0
        left = price_left(self._age(self.open), self.rule.cut, self.rule.step)
        return float((self.top[slots] * left[owner])[mine].min())
