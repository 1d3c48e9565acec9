"""Absorption at work: a protocol takes unhealthy accounts over and sells their collateral.

Whole accounts are taken in the liquidate phase, at their collateral's value times its factor, by
the protocol's own row (the backstop's). In the trade phase the protocol sells at its ask price as
long as its reserves, the insurance fund, are below their target: keepers buy as much as they
can sell on the market without a loss, within their capital. What the protocol earns or loses on
collateral goes to the fund; what the fund does not have, or has where it is no layer of the
waterfall, the venue pays. A loss is recorded with the account from which it took most of that
collateral last. Formulas in `sim.models.lending.absorb`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, sums
from sim.engine.build import coupling_groups
from sim.engine.coupling import close_opened_gaps, transmit
from sim.engine.funds import fund_of
from sim.engine.limit_bands import contracts_to_limit
from sim.engine.losses import DUST, Borne, note_fills, record_losses, settle
from sim.engine.mechanism import NEVER, NO_MARKET, Mechanism, Series
from sim.models.lending.absorb import ask_price, credit_price
from sim.models.liquidation.base import SMALLEST_SALE
from sim.schema.lending import of_base

if TYPE_CHECKING:
    from sim.engine.board import BatchFills, Flow
    from sim.engine.orders import ForcedOrders
    from sim.engine.world import World
    from sim.schema.lending import AbsorbLiquidation

CAUSE = "trade:storefront"
"""Cause of the moves that sales of absorbed collateral make."""

HALVINGS = 32
"""Bisections for the share of the collateral that can just be sold."""


class Storefront(Mechanism):
    """Collateral that one venue has absorbed.

    Parameters
    ----------
    world : World
    venue : int
    rule : AbsorbLiquidation

    Attributes
    ----------
    factor : (M,) float64 [1]
        Liquidation factor of each market's base; 0 where the venue lends nothing against it.
    debtor : dict
        By market: the account from which most was taken when something last was.
    """

    phases = ("trade",)

    def __init__(self, world: World, venue: int, rule: AbsorbLiquidation) -> None:
        super().__init__(world)
        self.venue, self.rule = venue, rule
        self.groups = coupling_groups(world)
        markets = world.scenario.markets
        self.factor = np.array([of_base(rule.factor, market.base) or 0.0 for market in markets])
        self.row = world.plan.first_backstop + venue
        self.keeper = world.plan.first_keeper + venue
        self.first_slot = int(world.ledger.position_start[self.row])
        listed = world.board.long_only & (world.board.venue == venue)
        self.debtor: dict[int, int] = {}
        self.markets: list[int] = np.flatnonzero(listed).tolist()

    def quiet_until(self, tick: int) -> int:
        """Return `tick` while there is collateral to sell."""
        return tick if any(self.held(m) > 0.0 for m in self.markets) else NEVER

    def held(self, market: int) -> float:
        """Return the collateral of a market that was absorbed and not sold yet [base]."""
        contracts = float(self.world.ledger.quantity[self.first_slot + market])
        return contracts * float(self.world.board.multiplier[market])

    def absorb(self, orders: ForcedOrders) -> None:
        """Take the accounts of this venue out of a batch and over."""
        world, ledger, board = self.world, self.world.ledger, self.world.board
        mine = (orders.clearer == self.venue)[orders.owner]
        taken = mine & board.long_only[orders.market] & (orders.change != 0.0)
        change, market = orders.change[taken], orders.market[taken]
        orders.change = np.where(mine, 0.0, orders.change)
        if not len(change):
            return
        price = np.asarray(credit_price(board.mark, self.factor))[market]
        slots, rows = orders.slots[taken], orders.rows[orders.owner[taken]]
        note_fills(world, slots, change, ledger.fill(slots, change, price, "absorbed"))
        bought = -sums(market, change, len(board.ids))
        got = np.flatnonzero(bought)
        paid = np.asarray(credit_price(board.mark, self.factor))[got]
        ledger.fill(self.first_slot + got, bought[got], paid, "absorbed")
        order = np.argsort(-change, kind="stable")
        self.debtor.update(zip(market[order].tolist(), rows[order].tolist(), strict=True))
        world.liquidated[rows] = True
        self._note(orders, taken, change, price)
        accounts = np.unique(rows)
        left, owner = ledger.slots(accounts)
        open_left = sums(owner, ledger.quantity[left] != 0.0, len(accounts)) > 0.0
        generation = int(world.label[accounts].max(initial=0))
        borne = settle(world, accounts[~open_left])
        record_losses(world, borne, "backstop", generation)

    def _note(
        self, orders: ForcedOrders, taken: BoolArray, change: FloatArray, price: FloatArray
    ) -> None:
        """Record orders of a batch that were filled by the protocol."""
        world, board = self.world, self.world.board
        owner, market = orders.owner[taken], orders.market[taken]
        rows, size = orders.rows[owner], len(change)
        nominal = np.abs(change) * board.multiplier[market] * board.mark[market]
        distance = orders.equity[owner] / world.out.notional[rows]
        world.flows.backstop[self.venue] += float((nominal * world.quote_price[market]).sum())
        world.events.add(
            world.tick,
            "backstop",
            generation=world.label[rows],
            clearer=np.full(size, self.venue),
            market=market,
            row=rows,
            quantity=change,
            mark_price=board.mark[market],
            close_out_price=price,
            bankruptcy_price=board.mark[market] * (1.0 - distance),
            notional=nominal,
            fee=np.zeros(size),
            shortfall=np.zeros(size),
        )

    def act(self, phase: str) -> None:
        """Sell absorbed collateral to keepers, market by market."""
        tradable = self.world.board.tradable
        for m in self.markets:
            wanted = self.world.fund_value(self.venue) < self.rule.reserves
            if wanted and self.held(m) > 0.0 and tradable[m]:
                self._sell(m)

    def _sell(self, market: int) -> None:
        """Sell as much of a market's collateral as keepers can take without a loss."""
        world, board = self.world, self.world.board
        mark, factor = float(board.mark[market]), float(self.factor[market])
        ask = float(ask_price(mark, factor, self.rule.storefront))
        share = self._share(market, ask)
        if share < SMALLEST_SALE:
            return
        slot = self.first_slot + market
        change = np.array([-share * world.ledger.quantity[slot]])
        before = board.last.copy()
        flow = self._flow(market, share)
        fills = board.execute(flow)
        spread = max(self._gain(market, share, ask, fills), 0.0)
        price = fills.average[[market]]
        world.ledger.trade(np.array([slot]), change, price, "storefront")
        column = int(world.ledger.quote_column[market])
        gas = min(self._gas(market), spread)
        world.ledger.transfer(self.row, self.keeper, column, spread, "keeper")
        world.ledger.transfer(self.keeper, world.plan.world, column, gas, "gas")
        self._settle(market, float(np.abs(change[0]) * board.multiplier[market] * price[0]))
        transmit(world, self.groups, fills, flow)
        close_opened_gaps(world, self.groups, before, None)

    def _flow(self, market: int, share: float) -> Flow:
        held = float(self.world.ledger.quantity[self.first_slot + market])
        return {market: {(CAUSE, None): -share * held}}

    def _gas(self, market: int) -> float:
        """Return the cost of one purchase [quote]."""
        return self.rule.keepers.gas / float(self.world.quote_price[market])

    def _gain(self, market: int, share: float, ask: float, fills: BatchFills) -> float:
        """Return what keepers gain, before gas, on a share of a market's collateral [quote]."""
        return share * self.held(market) * (float(fills.average[market]) - ask)

    def _share(self, market: int, ask: float) -> float:
        """Return the share of a market's collateral that keepers take at the ask price."""
        keepers, world = self.rule.keepers, self.world
        worth = float(world.quote_price[market])
        held = float(world.ledger.quantity[self.first_slot + market])
        most = min(1.0, contracts_to_limit(world.board, market, -1.0) / held)
        if keepers.capital is not None:
            most = min(most, self._capital() / (self.held(market) * ask * worth))

        def pays(share: float) -> bool:
            fills = world.board.execute(self._flow(market, share), move=False)
            return share > 0.0 and self._gain(market, share, ask, fills) >= self._gas(market)

        if pays(most):
            return most
        low, high = 0.0, most
        for _ in range(HALVINGS):
            middle = (low + high) / 2.0
            low, high = (middle, high) if pays(middle) else (low, middle)
        return low

    def _settle(self, market: int, proceeds: float) -> None:
        """Let the fund have what a sale for `proceeds` [quote] earned, or pay what it lost."""
        world, ledger = self.world, self.world.ledger
        column, house = int(ledger.quote_column[market]), world.plan.first_house + self.venue
        fund = int(fund_of(world, np.array([self.venue]), np.array([market]))[0])
        left = float(ledger.balance[self.row, column])
        if left >= 0.0:
            earner = fund if self.rule.fee_to == "insurance_fund" else house
            ledger.transfer(self.row, earner, column, left, "reserves")
            return
        funded = world.layer(self.venue, "insurance_fund") is not None
        paid = min(-left, max(float(ledger.balance[fund, column]), 0.0)) if funded else 0.0
        ledger.transfer(fund, self.row, column, paid, "reserves")
        ledger.transfer(house, self.row, column, -left - paid, "clearer's own loss")
        if -left <= DUST * proceeds:
            return
        worth = float(world.quote_price[market])
        world.flows.paid_by("insurance_fund")[self.venue] += paid * worth
        world.flows.house_loss[self.venue] += (-left - paid) * worth
        world.flows.shortfall[self.venue] += -left * worth
        borne = Borne(np.array([self.debtor[market]]), np.array([-left * worth]))
        record_losses(world, borne, "backstop", 0)

    def _capital(self) -> float:
        """Return what the keepers have [numeraire]."""
        world = self.world
        return float(world.ledger.balance[self.keeper] @ world.asset_price[world.columns])

    def series(self) -> list[Series]:
        """Return the collateral held in each market, and the capital of the keepers."""
        held = [Series("absorbed", self.venue, m, partial(self.held, m)) for m in self.markets]
        return [*held, Series("keeper_capital", self.venue, NO_MARKET, self._capital)]
