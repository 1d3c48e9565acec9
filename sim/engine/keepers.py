"""Keepers at work: outsiders who liquidate loans when it pays them, and only then.

A keeper gives an account its claim price K [quote/base] for each unit of collateral, the protocol
its fee f, and sells what he takes on the market. All forced orders of a batch fill at one average
price A, so what a keeper earns depends on what all of them do, and in the auction of a market that
re-opens also on the voluntary orders that wait for it:

    gain = sum_j q_j c_j (A_j - K_j - f_j) - gas          >= margin sum_j q_j c_j (K_j + f_j)

Which loans are served, `sim.engine.serving` finds. The rest stays unliquidated and is tried again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.funds import fee_receivers
from sim.engine.loans import Deal, LoanRule, Lots
from sim.engine.mechanism import NEVER, NO_MARKET, Mechanism, Series
from sim.engine.orders import ForcedOrders, distinct
from sim.engine.serving import Match

if TYPE_CHECKING:
    from sim.engine.world import World


class KeeperDesk(Mechanism):
    """Sizes and settles the liquidation of loans.

    Parameters
    ----------
    world : World
    rules : dict
        Rule of each clearer that has keepers.
    """

    def __init__(self, world: World, rules: dict[int, LoanRule]) -> None:
        super().__init__(world)
        self.rules = rules
        venues = len(world.venue_names)
        self.serves = np.isin(np.arange(venues), list(rules))
        self.once = np.array([v in rules and rules[v].once for v in range(venues)])
        self._earned, self._waiting = np.zeros((2, venues))
        self._noted_at = -1
        self._match: Match

    def quiet_until(self, tick: int) -> int:
        """Return `NEVER`: keepers act on liquidatable loans only, which end every calm."""
        return NEVER

    def series(self) -> list[Series]:
        """Return capital and earnings of the keepers, and what each protocol shows."""
        found = []
        for v, rule in self.rules.items():
            found += [
                Series("keeper_capital", v, NO_MARKET, partial(self.capital, v)),
                Series("keeper_profit", v, NO_MARKET, partial(self.earned, v)),
                Series("loans_waiting", v, NO_MARKET, partial(self.waiting, v)),
                *rule.series(v),
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
        long_only = self.world.board.long_only[orders.market]
        orders.change = np.where(served[orders.owner] & ~long_only, 0.0, orders.change)
        wanted = np.ones(len(orders.rows))
        books = []
        for v in distinct(orders.clearer[served]):
            accounts = orders.clearer == v
            lots, places = self.lots(orders, accounts)
            offer = self.rules[v].offer(lots)
            deal.claim[places], deal.fee[places] = offer.claim, offer.fee
            deal.gas[accounts] = self.rules[v].gas
            wanted[accounts] = offer.share
            books.append((v, np.flatnonzero(accounts), lots, offer))
        self._match = Match(self.world, self.rules, self.capital, orders, deal, wanted, books)
        self._match.settle()
        if self._noted_at != self.world.tick:
            self._noted_at = self.world.tick
            self._waiting[:] = 0.0
        self._waiting += self._left(orders, served)
        return deal

    def strike_again(self, orders: ForcedOrders, deal: Deal) -> None:
        """Cut the orders of the batch just struck anew, where orders of others have changed."""
        before = self._left(orders, deal.served)
        self._match.settle_again()
        self._waiting += self._left(orders, deal.served) - before

    def _left(self, orders: ForcedOrders, served: BoolArray) -> IntArray:
        """Return how many loans of each venue (V,) nobody wants; each is tried once a tick."""
        left = served & (sums(orders.owner, orders.change != 0.0, len(served)) == 0.0)
        return np.bincount(orders.clearer[left], minlength=len(self._waiting))

    def waiting(self, venue: int) -> float:
        """Return how many liquidatable loans of a venue nobody wanted in this tick."""
        return float(self._waiting[venue]) if self._noted_at == self.world.tick else 0.0

    def pay(self, orders: ForcedOrders, deal: Deal, average: FloatArray) -> FloatArray:
        """Move what keepers and protocols earned from a batch that was filled at `average` (M,).

        Returns what left the accounts thereby (S,) [quote].
        """
        world = self.world
        market, owner, count = orders.market, orders.owner, len(orders.rows)
        taken = -orders.change * world.board.multiplier[market] * deal.served[owner]
        worth = world.quote_price[market]
        fee = taken * deal.fee
        left = taken * (average[market] - deal.claim - deal.fee)
        total = np.maximum(sums(owner, left * worth, count), 0.0)
        # What one collateral lost, those that gained make up for.
        gains = np.maximum(left, 0.0)
        gross = sums(owner, gains * worth, count)[owner]
        part = np.divide(gains, gross, out=np.zeros_like(gains), where=gains > 0.0)
        spread = part * total[owner]
        gas = part * np.minimum(deal.gas, total)[owner]
        self._transfer(orders, taken > 0.0, fee, spread, gas)
        clearer = orders.clearer[owner]
        self._earned += sums(clearer, (spread - gas) * worth, len(self._earned))
        world.flows.fees += sums(clearer, fee * worth, len(self._earned))
        owed = sums(owner, taken * deal.claim * worth, count)
        bought = sums(owner, taken, count) > 0.0
        for v, rule in self.rules.items():
            mine = (orders.clearer == v) & bought
            if mine.any():
                rule.paid(orders.rows[mine], owed[mine])
        return np.asarray(fee + spread)

    def _transfer(
        self,
        orders: ForcedOrders,
        moving: BoolArray,
        fee: FloatArray,
        spread: FloatArray,
        gas: FloatArray,
    ) -> None:
        """Move fees, spreads and gas (S,) [quote] of the positions that were sold."""
        world, ledger, plan = self.world, self.world.ledger, self.world.plan
        clearer, rows = orders.clearer[orders.owner], orders.rows[orders.owner]
        earner = fee_receivers(world, clearer, orders.market)
        columns = ledger.quote_column[orders.market]
        for column in distinct(columns):
            mine = moving & (columns == column)
            v = clearer[mine]
            ledger.transfer(rows[mine], earner[mine], column, fee[mine], "protocol fee")
            ledger.transfer(rows[mine], plan.first_keeper + v, column, spread[mine], "keeper")
            ledger.transfer(plan.first_keeper + v, plan.world, column, gas[mine], "gas")
