"""Keepers at work: outsiders who liquidate loans when it pays them, and only then.

A keeper gives an account its claim price K [quote/base] for each unit of collateral, the protocol
its fee f, and sells what he takes on the market. All forced orders of a batch fill at one average
price A, so what a keeper earns depends on what all of them do:

    gain = sum_j q_j c_j (A_j - K_j - f_j) - gas          >= margin sum_j q_j c_j (K_j + f_j)

Loans are served in the order of what they earn per value at the last prices, those that earn the
same together: as many as can be served with everybody earning enough, and of the next ones the
largest share with which that is so. The rest stays unliquidated and is tried again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.mechanism import NEVER, NO_MARKET, Mechanism, Series
from sim.engine.orders import ForcedOrders, distinct, order_flow
from sim.models.liquidation.base import SMALLEST_SALE

if TYPE_CHECKING:
    from sim.engine.world import World

ALIKE = 10
"""Digits of a relative gain by which two loans are told apart."""

HALVINGS = 32
"""Bisections for the share of the loans that can just be served."""

ROUNDING = 1e-12
"""Loss per money paid that is only rounding."""


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


class KeeperDesk(Mechanism):
    """Sizes and settles the liquidation of loans.

    Parameters
    ----------
    world : World
    protocols : dict
        Protocol of each clearer that has keepers.
    """

    def __init__(self, world: World, protocols: dict[int, LoanRule]) -> None:
        super().__init__(world)
        self.protocols = protocols
        venues = len(world.venue_names)
        self.serves = np.isin(np.arange(venues), list(protocols))
        self.once = np.array([v in protocols and protocols[v].once for v in range(venues)])
        self._earned, self._waiting = np.zeros((2, venues))
        self._noted_at = -1

    def quiet_until(self, tick: int) -> int:
        """Return `NEVER`: keepers act on liquidatable loans only, which end every calm."""
        return NEVER

    def series(self) -> list[Series]:
        """Return capital and earnings of the keepers, and what each protocol shows."""
        found = []
        for v, protocol in self.protocols.items():
            found += [
                Series("keeper_capital", v, NO_MARKET, partial(self.capital, v)),
                Series("keeper_profit", v, NO_MARKET, partial(self.earned, v)),
                Series("loans_waiting", v, NO_MARKET, partial(self.waiting, v)),
                *protocol.series(v),
            ]
        return found

    def capital(self, venue: int) -> float:
        """Return what the keepers of a venue have [numeraire]."""
        world = self.world
        row = world.ledger.balance[world.plan.first_keeper + venue]
        return float(row @ world.asset_price[world.columns])

    def earned(self, venue: int) -> float:
        """Return what the keepers of a venue have earned so far, gas paid [numeraire]."""
        return float(self._earned[venue])

    def lots(self, orders: ForcedOrders, accounts: BoolArray) -> tuple[Lots, IntArray]:
        """Return the collateral of some accounts (N,) of a batch, and its places in the batch."""
        world, board = self.world, self.world.board
        number = np.cumsum(accounts) - 1
        of_loan = accounts[orders.owner] & board.long_only[orders.market]
        places = np.flatnonzero(of_loan & (orders.change != 0.0))
        held = np.flatnonzero(of_loan)
        count = int(accounts.sum())
        price = board.mark * board.multiplier * world.quote_price
        worth = world.ledger.quantity[orders.slots[held]] * price[orders.market[held]]
        value = sums(number[orders.owner[held]], worth, count)
        market = orders.market[places]
        lots = Lots(
            rows=orders.rows[accounts],
            slots=orders.slots[places],
            owner=number[orders.owner[places]],
            market=market,
            size=-orders.change[places] * board.multiplier[market],
            worth=world.quote_price[market],
            mark=board.mark[market],
            value=value,
            debt=np.maximum(value - orders.equity[accounts], 0.0),
        )
        return lots, places

    def strike(self, orders: ForcedOrders) -> Deal | None:
        """Cut the orders of a batch to what keepers take; None where there are no loans in it."""
        served = self.serves[orders.clearer]
        if not served.any():
            return None
        size = len(orders.slots)
        deal = Deal(served, np.zeros(size), np.zeros(size), np.zeros(len(orders.rows)))
        whole = orders.change.copy()
        whole[served[orders.owner] & ~self.world.board.long_only[orders.market]] = 0.0
        orders.change = whole.copy()
        wanted = np.ones(len(orders.rows))
        books = []
        for v in distinct(orders.clearer[served]):
            accounts = orders.clearer == v
            lots, places = self.lots(orders, accounts)
            offer = self.protocols[v].offer(lots)
            deal.claim[places], deal.fee[places] = offer.claim, offer.fee
            deal.gas[accounts] = self.protocols[v].gas
            wanted[accounts] = offer.share
            books.append((v, np.flatnonzero(accounts), lots, offer))
        _Match(self, orders, deal, whole, wanted, books).settle()
        self._note_waiting(orders, served)
        return deal

    def _note_waiting(self, orders: ForcedOrders, served: BoolArray) -> None:
        """Count the loans of this tick that nobody wanted; each is tried once a tick then."""
        if self._noted_at != self.world.tick:
            self._noted_at = self.world.tick
            self._waiting[:] = 0.0
        left = served & (sums(orders.owner, orders.change != 0.0, len(served)) == 0.0)
        self._waiting += np.bincount(orders.clearer[left], minlength=len(self._waiting))

    def waiting(self, venue: int) -> float:
        """Return how many liquidatable loans of a venue nobody wanted in this tick."""
        return float(self._waiting[venue]) if self._noted_at == self.world.tick else 0.0

    def pay(self, orders: ForcedOrders, deal: Deal, average: FloatArray) -> FloatArray:
        """Move what keepers and protocols earned from a batch that was filled at `average` (M,).

        Returns what left the accounts thereby (S,) [quote].
        """
        world, ledger, plan = self.world, self.world.ledger, self.world.plan
        market = orders.market
        taken = -orders.change * world.board.multiplier[market] * deal.served[orders.owner]
        worth = world.quote_price[market]
        fee = taken * deal.fee
        left = taken * (average[market] - deal.claim - deal.fee)
        count = len(orders.rows)
        total = np.maximum(sums(orders.owner, left * worth, count), 0.0)
        gains = np.maximum(left, 0.0)
        gross = sums(orders.owner, gains * worth, count)
        part = np.divide(gains, gross[orders.owner], out=np.zeros_like(gains), where=gains > 0.0)
        spread = part * total[orders.owner]
        gas = part * np.minimum(deal.gas, total)[orders.owner]
        clearer, rows = orders.clearer[orders.owner], orders.rows[orders.owner]
        earner = np.array(
            [
                v + (plan.first_fund if rule.fee_to == "insurance_fund" else plan.first_house)
                for v, rule in enumerate(world.rules)
            ]
        )
        moving = (taken > 0.0) & deal.served[orders.owner]
        columns = ledger.quote_column[market]
        for column in distinct(columns):
            mine = moving & (columns == column)
            keeper = plan.first_keeper + clearer[mine]
            ledger.transfer(rows[mine], earner[clearer[mine]], column, fee[mine], "protocol fee")
            ledger.transfer(rows[mine], keeper, column, spread[mine], "keeper")
            ledger.transfer(keeper, plan.world, column, gas[mine], "gas")
        self._earned += sums(clearer, (spread - gas) * worth, len(self._earned))
        world.flows.fees += sums(clearer, fee * worth, len(self._earned))
        owed = sums(orders.owner, taken * deal.claim * worth, count)
        for v, protocol in self.protocols.items():
            mine_too = (orders.clearer == v) & (sums(orders.owner, taken, count) > 0.0)
            if mine_too.any():
                protocol.paid(orders.rows[mine_too], owed[mine_too])
        paid: FloatArray = fee + spread
        return paid


class _Match:
    """Finds which loans of a batch are served, and how far; see the module's docstring."""

    def __init__(
        self,
        desk: KeeperDesk,
        orders: ForcedOrders,
        deal: Deal,
        whole: FloatArray,
        wanted: FloatArray,
        books: list[tuple[int, IntArray, Lots, Offer]],
    ) -> None:
        world = desk.world
        self.desk, self.orders, self.deal, self.whole, self.books = desk, orders, deal, whole, books
        self.size = (
            -whole * world.board.multiplier[orders.market] * world.quote_price[orders.market]
        )
        self.size *= deal.served[orders.owner]
        count = len(orders.rows)
        cost = self.size * (deal.claim + deal.fee)
        self.repaid = sums(orders.owner, self.size * deal.claim, count)
        self.cost = sums(orders.owner, cost, count)
        for v, places, _, _ in books:
            self.cost[places] *= 1.0 + desk.protocols[v].margin
        self.wanted = wanted
        self.capital = {v: desk.capital(v) for v, *_ in books if desk.protocols[v].bounded}

    def settle(self) -> None:
        """Set the orders to what is served."""
        count, served = len(self.orders.rows), self.deal.served
        share = self._accepted(self.wanted)
        last = self.desk.world.board.last[self.orders.market]
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
            accepted[places] = self.desk.protocols[v].trim(lots, offer, share[places])
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
        world = self.desk.world
        fills = world.board.execute(order_flow(world, self.orders), move=False)
        proceeds = sums(
            self.orders.owner,
            self.size * fills.average[self.orders.market],
            len(self.orders.rows),
        )
        spent = self.cost * share + self.deal.gas
        acting = self.deal.served & (share > 0.0)
        return bool((proceeds * share >= spent * (1.0 - ROUNDING))[acting].all())
