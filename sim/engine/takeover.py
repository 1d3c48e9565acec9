"""A backstop at work: it takes accounts over, holds what it took, and sells it over time.

It is a ledger row of its own with a position in every market. It takes accounts out of a batch
before the batch trades, in the order and within the limits of `sim.models.waterfall.backstop`.
Nothing is sold then, so a takeover moves no price and needs no book, only markets that are open.
What it holds is marked with the market. When it has sold everything and owes money, the debt
goes down the rest of the waterfall.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.adl import FARTHEST
from sim.engine.losses import DUST, Borne, forget_fills, note_fills, record_losses, settle
from sim.engine.mechanism import OwnOrders
from sim.models.waterfall.backstop import (
    Limits,
    admitted,
    below_the_line,
    takeover_queue,
    unwinding,
)

if TYPE_CHECKING:
    from sim.engine.world import World


class Backstop:
    """The backstop of one clearer.

    Attributes
    ----------
    venue, row : int
        Its clearer; its ledger row.
    slots : (M,) int64
        Its position in every market.
    left : (M,) int64
        Ticks left in which it sells what it holds of each market.
    holding : bool
        Whether it took something since it was last flat.
    failed : bool
        Whether it ended owing money; it then takes nothing more.
    """

    def __init__(self, world: World, venue: int, layer: Any) -> None:
        self.world, self.venue, self.layer = world, venue, layer
        ledger = world.ledger
        self.row = world.plan.first_backstop + venue
        self.slots = np.arange(*ledger.position_start[self.row : self.row + 2])
        self.limits = Limits(
            layer.most_leverage, np.inf if layer.most_notional is None else layer.most_notional
        )
        self.span = max(world.clock.span(layer.unwind), 1)
        self.left = np.zeros(len(self.slots), dtype=np.int64)
        self.holding = self.failed = False
        self._taken: dict[int, float] = {}  # notional when it took them over [numeraire]
        self._before = self.quantity.copy()

    @property
    def quantity(self) -> FloatArray:
        """What it holds (M,) [contracts]."""
        return np.asarray(self.world.ledger.quantity[self.slots])

    @property
    def flat(self) -> bool:
        """Whether it holds no position."""
        return not self.quantity.any()

    def values(self) -> FloatArray:
        """Return the signed notional of its positions (M,) [numeraire] at the marks."""
        board = self.world.board
        unit = board.multiplier * board.mark * self.world.quote_price
        return np.asarray(self.quantity * unit)

    def inventory(self) -> float:
        """Return its gross notional [numeraire]."""
        return float(np.abs(self.values()).sum())

    def equity(self) -> float:
        """Return its money and what its positions have gained [numeraire] at the marks."""
        world, board = self.world, self.world.board
        held = float(world.ledger.balance[self.row] @ world.asset_price[world.columns])
        gain = self.quantity * (board.mark - world.ledger.entry_price[self.slots])
        return held + float((gain * board.multiplier * world.quote_price).sum())

    def candidates(self, rows: IntArray) -> BoolArray:
        """Return which accounts (N,) of its clearer it would take if they fit.

        Their equity and maintenance margin must be up to date, and all markets in which they
        hold something open: the mark of a halted one stands still.
        """
        world, out = self.world, self.world.out
        if self.failed:
            return np.zeros(len(rows), dtype=bool)
        ratio, negative = self.layer.trigger_ratio, self.layer.takes_negative
        wanted = below_the_line(out.equity[rows], out.maintenance[rows], ratio, negative)
        wanted &= world.clearer[rows] == self.venue
        is_open = world.board.open
        if not is_open.all() and wanted.any():
            slots, owner = world.ledger.slots(rows)
            closed = ~is_open[world.ledger.market[slots]] & (world.ledger.quantity[slots] != 0.0)
            wanted &= sums(owner, closed, len(rows)) == 0.0
        return wanted

    def choose(self, rows: IntArray) -> IntArray:
        """Return those of accounts (N,) that it takes now, ascending."""
        world, out, ledger = self.world, self.world.out, self.world.ledger
        rows = rows[self.candidates(rows)]
        capital = self.equity() if len(rows) else 0.0
        if capital <= 0.0:
            return rows[:0]
        slots, owner = ledger.slots(rows)
        market = ledger.market[slots].astype(np.int64)
        unit = world.board.multiplier * world.board.mark * world.quote_price
        deficit = self.layer.trigger_ratio * out.maintenance[rows] - out.equity[rows]
        taken = admitted(
            takeover_queue(deficit, out.notional[rows]),
            out.equity[rows],
            owner,
            market,
            ledger.quantity[slots] * unit[market],
            self.values(),
            capital,
            self.limits,
        )
        return rows[taken]

    def take(self, rows: IntArray) -> None:
        """Take accounts (N,), ascending, over: their positions, and what is left of their money."""
        world, ledger, board = self.world, self.world.ledger, self.world.board
        notional = world.out.notional[rows].tolist()
        slots, owner = ledger.slots(rows)
        held = ledger.quantity[slots] != 0.0
        slots, owner = slots[held], owner[held]
        market, quantity = ledger.market[slots].astype(np.int64), ledger.quantity[slots]
        mark, side = board.mark[market], np.sign(quantity)
        distance = (world.out.equity[rows] / world.out.notional[rows])[owner]
        price = mark.copy()
        if self.layer.price == "bankruptcy":
            price = mark * (1.0 - side * np.clip(distance, -FARTHEST, FARTHEST))
        self._record(rows[owner], market, quantity, price, mark * (1.0 - side * distance))
        note_fills(world, slots, -quantity, ledger.fill(slots, -quantity, price, "backstop"))
        for direction in (1.0, -1.0):
            self._receive(*(x[side == direction] for x in (market, quantity, price)))
        world.liquidated[rows] = world.closed[rows] = True
        if self.layer.price == "mark":
            self._take_money(rows)
            forget_fills(
                world, world.ledger.slots(rows)[0]
            )  # nothing of what they lost is left with them
        else:
            generation = int(world.label[rows].max(initial=0))
            record_losses(world, settle(world, rows), "backstop", generation)
        self.pool()
        world.revalue(rows)
        self.holding = True
        for row, value in zip(rows.tolist(), notional, strict=True):
            self._taken[row] = self._taken.get(row, 0.0) + value

    def _receive(self, market: IntArray, quantity: FloatArray, price: FloatArray) -> None:
        """Book its side of takeovers in one direction, and begin to count the time to sell."""
        size = len(self.slots)
        total = sums(market, quantity, size)
        got = np.flatnonzero(total)
        average = sums(market, quantity * price, size)[got] / total[got]
        self.world.ledger.fill(self.slots[got], total[got], average, "backstop")
        self.left[got] = self.span

    def _take_money(self, rows: IntArray) -> None:
        """Take what accounts have, in kind, and pay what they owe."""
        ledger = self.world.ledger
        for column in range(ledger.balance.shape[1]):
            balance = ledger.balance[rows, column].copy()
            has, owes = balance > 0.0, balance < 0.0
            ledger.transfer(rows[has], self.row, column, balance[has], "backstop")
            ledger.transfer(self.row, rows[owes], column, -balance[owes], "backstop")

    def pool(self) -> None:
        """Turn all its money into the settlement asset at the desk."""
        world, ledger, desk = self.world, self.world.ledger, self.world.plan.desk
        own = int(world.settlement[self.venue])
        price = world.asset_price[world.columns]
        for column in range(len(price)):
            amount = float(ledger.balance[self.row, column])
            if column == own or amount == 0.0:
                continue
            worth = abs(amount) * float(price[column] / price[own])
            giver, taker = (self.row, desk) if amount > 0.0 else (desk, self.row)
            ledger.transfer(giver, taker, column, abs(amount), "backstop conversion")
            ledger.transfer(taker, giver, own, worth, "backstop conversion")

    def _record(
        self,
        row: IntArray,
        market: IntArray,
        quantity: FloatArray,
        price: FloatArray,
        bankrupt: FloatArray,
    ) -> None:
        """Record the accounts' side of a takeover."""
        world, board = self.world, self.world.board
        nominal = np.abs(quantity) * board.multiplier[market] * board.mark[market]
        nothing = np.zeros(len(row))
        world.flows.backstop[self.venue] += float((nominal * world.quote_price[market]).sum())
        world.events.add(
            world.tick,
            "backstop",
            generation=world.label[row],
            clearer=np.full(len(row), self.venue),
            market=market,
            row=row,
            quantity=-quantity,
            mark_price=board.mark[market],
            close_out_price=price,
            bankruptcy_price=bankrupt,
            notional=nominal,
            fee=nothing,
            shortfall=nothing,
        )

    def orders(self) -> list[OwnOrders]:
        """Return what it sells now: nothing while its venue is down or a market is shut."""
        self._before = self.quantity.copy()
        board = self.world.board
        if not self.holding or not board.up[self.venue]:
            return []
        now = np.flatnonzero((self._before != 0.0) & board.tradable)
        if not len(now):
            return []
        change = unwinding(self._before[now], self.left[now])
        return [OwnOrders(self.slots[now], change, f"backstop:{board.venue_names[self.venue]}")]

    def note_sales(self) -> None:
        """Count the time to sell down where it sold; settle up when it is flat."""
        if not self.holding:
            return
        self.left[self.quantity != self._before] -= 1
        if not self.flat:
            return
        self.holding = False
        self.pool()
        world, own = self.world, int(self.world.settlement[self.venue])
        owed = -float(world.ledger.balance[self.row, own])
        price = float(world.asset_price[world.columns[own]])
        if owed * price > DUST * self.layer.capital:
            self.failed = True
            self._pass_on(own, owed)
        self._taken.clear()

    def _pass_on(self, column: int, owed: float) -> None:
        """Let a debt [asset units] go down the rest of the waterfall.

        It goes there as the debt of the accounts that it took over since it was last flat and
        that have no money and no positions since, in proportion to their notional then; without
        one it is the clearer's own loss.
        """
        world, ledger = self.world, self.world.ledger
        empty = [row for row in self._taken if self._is_empty(row)]
        rows = np.array(sorted(empty or self._taken), dtype=np.int64)
        weight = np.array([self._taken[row] for row in rows.tolist()])
        part = owed * weight / weight.sum()
        if empty:
            ledger.transfer(rows, self.row, column, part, "debt of a backstop")
            borne = settle(world, rows)
        else:
            house = world.plan.first_house + self.venue
            ledger.transfer(house, self.row, column, owed, "clearer's own loss")
            price = float(world.asset_price[world.columns[column]])
            worth = owed * price
            world.flows.shortfall[self.venue] += worth
            world.flows.house_loss[self.venue] += worth
            borne = Borne(rows, part * price)
        record_losses(world, borne, "backstop", 0)

    def _is_empty(self, row: int) -> bool:
        """Return whether an account holds nothing but rounding, and no positions."""
        world, ledger = self.world, self.world.ledger
        slots, _ = ledger.slots(np.array([row]))
        worth = np.abs(ledger.balance[row]) * world.asset_price[world.columns]
        return not ledger.quantity[slots].any() and worth.sum() <= DUST * self.layer.capital
