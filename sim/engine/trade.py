"""The trade phase: what traders send of their own will, executed as one batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, IntArray, sums
from sim.core.errors import RunError
from sim.engine.auction import VoluntaryOrders, add_flow, book_fills, settle_losses
from sim.engine.board import Flow
from sim.engine.coupling import CouplingGroup, close_opened_gaps, transmit
from sim.engine.limit_bands import fit_to_bands
from sim.engine.open_interest_caps import open_interest_caps, within_caps
from sim.kernels.margin import MarginOutputs, account_margin
from sim.models.behaviour import CohortView, Orders

if TYPE_CHECKING:
    from sim.agents import Trader, TraderCohort
    from sim.core.arrays import FloatArray
    from sim.engine.handwritten import OwnAccount, VenueView
    from sim.engine.world import World

ROUNDING = 1e-12
"""Share of equity by which initial margin may exceed it."""


class TradeDesk:
    """Collects voluntary orders, nets them per market and executes them."""

    def __init__(self, world: World, groups: list[CouplingGroup]) -> None:
        self.world = world
        self.groups = groups
        self.caps = open_interest_caps(world.scenario)
        self.handwritten: list[tuple[Trader, VenueView, OwnAccount]] = []

    def view(self, rows: tuple[int, int], slots: tuple[int, int], needs_equity: bool) -> CohortView:
        """Return what the accounts ``rows[0] : rows[1]`` see now."""
        world = self.world
        owner = world.ledger.position_row[slice(*slots)].astype(np.int64) - rows[0]
        equity = np.zeros(rows[1] - rows[0])
        if needs_equity:
            out = MarginOutputs.empty(world.accounts)
            inputs = world.margin_inputs(world.board.last)
            account_margin(inputs, np.arange(*rows), world.required, out)
            equity = out.equity[rows[0] : rows[1]]
        return self._view(slice(*slots), owner, equity)

    def _view(self, part: slice | IntArray, owner: IntArray, equity: FloatArray) -> CohortView:
        world = self.world
        ledger, board = world.ledger, world.board
        return CohortView(
            quantity=ledger.quantity[part],
            entry_price=ledger.entry_price[part],
            owner=owner,
            market=ledger.market[part].astype(np.int64),
            equity=equity,
            last_price=board.last,
            mark_price=board.mark,
            initial_price=board.initial,
            exogenous_price=board.exogenous_price(),
            contract_value=board.multiplier * world.quote_price,
        )

    def act(self, cohorts: Iterable[TraderCohort]) -> IntArray:
        """Execute everybody's orders of this tick; return the account rows that traded."""
        slots: list[IntArray] = []
        changes: list[FloatArray] = []
        causes: list[str] = []
        for cohort in cohorts:
            if cohort.behaviour.rests:
                places, orders = self._orders_at_a_stop(cohort)
            else:
                view = self.view(cohort.rows, cohort.slots, cohort.behaviour.needs_equity)
                orders = cohort.orders(view)
                places = orders.slots + cohort.slots[0]
            slots.append(places)
            changes.append(orders.change)
            causes.append(cohort.cause)
        for trader, view_, account in self.handwritten:
            trader.decide(view_)
            sent = trader.take_orders()
            if any(not np.isfinite(quantity) for _, quantity in sent):
                raise RunError(f"trader '{trader.name}' sent an order that is not a finite number")
            slots.append(np.array([account.slot(symbol) for symbol, _ in sent], dtype=np.int64))
            changes.append(np.array([quantity for _, quantity in sent], dtype=np.float64))
            causes.append(f"trade:{type(trader).__name__}")
        for mechanism in self.world.mechanisms:
            for own in mechanism.orders():
                slots.append(own.slots)
                changes.append(own.change)
                causes.append(own.cause)
        if not slots:
            return np.empty(0, dtype=np.int64)
        return self._execute(slots, changes, causes)

    def _orders_at_a_stop(self, cohort: TraderCohort) -> tuple[IntArray, Orders]:
        """Return slots and orders of a cohort of which only accounts near a stop need be asked."""
        world = self.world
        assert world.watch is not None
        rows = world.watch.at_a_stop(*cohort.rows)
        if not len(rows):
            return rows, Orders.none()
        slots, owner = world.ledger.slots(rows)
        orders = cohort.orders(self._view(slots, owner, np.zeros(len(rows))))
        return slots[orders.slots], orders

    def _execute(
        self, slots: list[IntArray], changes: list[FloatArray], causes: list[str]
    ) -> IntArray:
        world = self.world
        ledger, board = world.ledger, world.board
        slot, change = np.concatenate(slots), np.concatenate(changes)
        if not len(slot):
            return np.empty(0, dtype=np.int64)
        cause = np.repeat(np.arange(len(slots)), [len(s) for s in slots])
        market = ledger.market[slot].astype(np.int64)
        row = ledger.position_row[slot].astype(np.int64)
        accepting = world.auction.accepting(board)
        free = accepting[market]
        of_account = row < world.accounts  # others are mechanisms on their own account
        who = row[of_account]
        free[of_account] &= (world.label[who] < 0) & board.up[world.clearer[who]]
        free[free] = self._affordable(slot[free], change[free])
        if self.caps is not None:
            # Orders that nobody can carry use up no cap; what a cap refuses may have made room.
            within = within_caps(world, self.caps, slot[free], change[free])
            free[free] = within
            if not within.all():
                free[free] = self._affordable(slot[free], change[free])
        orders = VoluntaryOrders(slot, change, cause, ledger.quantity[slot]).only(free)
        orders = world.auction.collect(orders, market[free], causes)
        market = ledger.market[orders.slot].astype(np.int64)
        if board.banded:
            orders = orders._replace(change=fit_to_bands(board, market, orders.change))
            let_through = orders.change != 0.0
            orders, market = orders.only(let_through), market[let_through]
        if not len(orders.slot):
            return orders.slot
        flow: Flow = {}
        add_flow(flow, market, orders, causes)
        before = board.last.copy()
        fills = board.execute(flow)
        rows = book_fills(world, orders, fills)
        transmit(world, self.groups, fills, flow)
        close_opened_gaps(world, self.groups, before, None)
        settle_losses(world, rows)
        return rows

    def hold_auctions(self) -> None:
        """Fill the orders that wait for auctions in a batch of their own."""
        world = self.world
        flow: Flow = {}
        world.auction.join(world, flow)
        before = world.board.last.copy()
        fills = world.board.execute(flow)
        rows = world.auction.settle(world, fills)
        transmit(world, self.groups, fills, flow)
        close_opened_gaps(world, self.groups, before, None)
        world.revalue(rows)

    def _affordable(self, slot: IntArray, change: FloatArray) -> BoolArray:
        """Return which orders their accounts can carry.

        Orders that only reduce a position, and do not turn it round, always can. An account
        whose initial margin, at last prices and after all its orders, would exceed its equity
        sends none that adds. Nobody goes short in collateral.
        """
        world = self.world
        ledger, board = world.ledger, world.board
        places, inverse = np.unique(slot, return_inverse=True)
        total = sums(inverse, change, len(places))
        held = ledger.quantity[places]
        adds = (np.abs(held + total) > np.abs(held)) | (held * (held + total) < 0.0)
        shorts = board.long_only[ledger.market[places]] & (held + total < 0.0)
        if not adds.any():
            return np.ones(len(slot), dtype=bool)
        rows = np.unique(ledger.position_row[places[adds]].astype(np.int64))
        slots, owner = ledger.slots(rows)
        after = ledger.quantity[slots].copy()
        where = np.minimum(np.searchsorted(places, slots), len(places) - 1)
        ordered = places[where] == slots
        after[ordered] += total[where[ordered]]
        market = ledger.market[slots].astype(np.int64)
        size = np.abs(after) * board.multiplier[market]
        nominal = size * board.last[market]
        clearer = world.clearer[rows[owner]].astype(np.int64)
        interest = world.open_interest() if world.tables.by_open_interest else None
        margin = world.tables.initial_margin(clearer, market, nominal, size, interest)
        margin = margin * world.quote_price[market]
        out = MarginOutputs.empty(world.accounts)
        account_margin(world.margin_inputs(board.last), rows, world.required, out)
        short = sums(owner, margin, len(rows)) > out.equity[rows] * (1.0 + ROUNDING)
        refused = (np.isin(ledger.position_row[places], rows[short]) & adds) | shorts
        return np.asarray(~refused[inverse])
