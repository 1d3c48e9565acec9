"""Which loans of a batch keepers serve: all orders of a market fill at one average price.

Voluntary orders that wait for the auction of a market are among them.

Loans are served in the order of what they earn per value at the last prices, those that earn the
same together: as many as can be served with everybody earning enough, and of the next ones the
largest share with which that is so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray, sums
from sim.engine.loans import Deal, LoanRule, Lots, Offer
from sim.engine.orders import ForcedOrders, order_flow
from sim.models.liquidation.base import SMALLEST_SALE

if TYPE_CHECKING:
    from sim.engine.world import World

ALIKE = 10
"""Digits of a relative gain by which two loans are told apart."""

HALVINGS = 32
"""Bisections for the share of the loans that can just be served."""

ROUNDING = 1e-12
"""Loss per money paid that is only rounding."""


class Match:
    """Finds which loans of a batch are served, and how far.

    Parameters
    ----------
    world : World
    rules : dict
        Rule of each clearer that has keepers.
    capital : callable
        Returns what the keepers of a clearer have [numeraire].
    orders : ForcedOrders
        Cut to what is served by `settle`.
    deal : Deal
    wanted : (N,) float64 [1]
        Largest share of each loan.
    books : list
        Per clearer: its number, its places in the batch, its lots and its offer.
    """

    def __init__(
        self,
        world: World,
        rules: dict[int, LoanRule],
        capital: Callable[[int], float],
        orders: ForcedOrders,
        deal: Deal,
        wanted: FloatArray,
        books: list[tuple[int, IntArray, Lots, Offer]],
    ) -> None:
        self.world, self.rules, self.orders, self.deal = world, rules, orders, deal
        self.whole, self.wanted, self.books = orders.change, wanted, books
        per_price = world.board.multiplier * world.quote_price
        self.size = -self.whole * per_price[orders.market] * deal.served[orders.owner]
        count = len(orders.rows)
        self.repaid = sums(orders.owner, self.size * deal.claim, count)
        self.cost = sums(orders.owner, self.size * (deal.claim + deal.fee), count)
        for v, places, _, _ in books:
            self.cost[places] *= 1.0 + rules[v].margin
        self.capital = {v: capital(v) for v, *_ in books if rules[v].bounded}

    def settle(self) -> None:
        """Set the orders to what is served."""
        count, served = len(self.orders.rows), self.deal.served
        share = self._accepted(self.wanted)
        last = self.world.board.last[self.orders.market]
        proceeds = sums(self.orders.owner, self.size * last, count) * share
        spent = self.cost * share + self.deal.gas
        able = served & (share > 0.0) & (proceeds >= spent * (1.0 - ROUNDING)) & (proceeds > 0.0)
        gain = np.round(1.0 - spent / np.where(able, proceeds, 1.0), ALIKE)
        groups = np.unique(gain[able])[::-1]
        rank = np.full(count, len(groups))
        rank[able] = np.searchsorted(-groups, -gain[able])
        low, high = 0, len(groups)
        if not self._pays(self._up_to(share, rank, high)):
            while high - low > 1:
                middle = (low + high) // 2
                if self._pays(self._up_to(share, rank, middle)):
                    low = middle
                else:
                    high = middle
            self._set(self._marginal(share, rank, low))
        else:
            self._set(self._up_to(share, rank, high))

    def settle_again(self) -> None:
        """Set the orders to what is served beside the orders of others as they are now."""
        served = self.deal.served[self.orders.owner]
        self.whole = np.where(served, self.whole, self.orders.change)
        self.settle()

    def _up_to(self, share: FloatArray, rank: IntArray, groups: int) -> FloatArray:
        return np.where(rank < groups, share, 0.0)

    def _marginal(self, share: FloatArray, rank: IntArray, whole: int) -> FloatArray:
        """Return the shares with `whole` groups served, and of the next one what is possible."""
        low, high = 0.0, 1.0
        best = self._up_to(share, rank, whole)
        for _ in range(HALVINGS):
            middle = (low + high) / 2.0
            tried = np.where(rank == whole, self._accepted(share * middle), best)
            if self._pays(tried):
                low = middle
            else:
                high = middle
        tried = np.where(rank == whole, self._accepted(share * low), best)
        return tried if low > 0.0 and self._pays(tried) else best

    def _accepted(self, share: FloatArray) -> FloatArray:
        """Return shares (N,) cut to what the protocols accept."""
        accepted = np.where(self.deal.served, 0.0, 1.0)
        for v, places, lots, offer in self.books:
            accepted[places] = self.rules[v].trim(lots, offer, share[places])
        return np.where(accepted < SMALLEST_SALE, 0.0, accepted)

    def _set(self, share: FloatArray) -> None:
        """Size the orders; positions of accounts that are no loans are sold as they would be."""
        sold = np.where(self.deal.served, share, 1.0)[self.orders.owner]
        self.orders.change = np.where(sold >= 1.0, self.whole, self.whole * sold)

    def _pays(self, share: FloatArray) -> bool:
        """Return whether every keeper earns enough with these shares, and can pay for them."""
        for v, places, _, _ in self.books:
            needed = float((share[places] * self.repaid[places]).sum())
            if v in self.capital and needed > self.capital[v] * (1.0 + ROUNDING):
                return False
        self._set(share)
        world = self.world
        flow = order_flow(world, self.orders)
        world.auction.join(world, flow)
        fills = world.board.execute(flow, move=False)
        proceeds = sums(
            self.orders.owner,
            self.size * fills.average[self.orders.market],
            len(self.orders.rows),
        )
        spent = self.cost * share + self.deal.gas
        acting = self.deal.served & (share > 0.0)
        return bool((proceeds * share >= spent * (1.0 - ROUNDING))[acting].all())
