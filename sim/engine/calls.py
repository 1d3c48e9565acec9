"""Margin calls and top-ups: collateral asked for, on its way, and arriving.

An account whose margin ratio falls below its clearer's call level is called. Its trader sends
what restores the target ratio,

    need = target * maintenance - equity - already on its way      [numeraire]

from the outside wallet or from the other accounts, which give what they hold beyond their own
call level (or their maintenance margin where there are no calls), and beyond what their venue
lets go (`sim.engine.withdrawals`). It arrives after the
latency. A call not answered when the grace time ends makes the account liquidatable until its
ratio is back at the call level; below its clearer's liquidation ratio it is liquidatable at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, IntArray, union
from sim.engine.dividing import sides
from sim.engine.withdrawals import WithdrawalDesk
from sim.engine.world import TopUpInTransit

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.schema import MarginCall, TopUp

ROUNDING = 1e-12
"""Share of gross notional by which equity may miss a level that a top-up restored exactly."""


class CallDesk:
    """Makes margin calls and moves top-ups for one world."""

    def __init__(self, world: World) -> None:
        venues = list(world.scenario.venues.values())
        self.calls: list[MarginCall | None] = [v.margin.call if v.margin else None for v in venues]
        self.active = any(call is not None for call in self.calls)
        self.top_up: list[TopUp | None] = [
            getattr(source, "top_up", None) for source in world.scenario.traders
        ] + [None] * (len(world.rosters) - len(world.scenario.traders))
        level = np.array([call.level if call else 0.0 for call in self.calls])
        self._kept = np.maximum(level, world.tables.liquidation_ratio)
        self.level = level[world.clearer[: world.accounts]] if self.active else np.zeros(0)
        self.called: IntArray = np.empty(0, dtype=np.int64)
        self.withdrawals = WithdrawalDesk(world)
        self._side = sides(world) if self.active else np.zeros(0, dtype=np.int64)
        # Prices stand still while top-ups are asked for; each review takes them anew.
        self._weight, self._price = world.weight, world.asset_price[world.columns]

    def deliver(self, world: World) -> None:
        """Credit the top-ups that arrive now."""
        if not world.transit:
            return
        due = [t for t in world.transit if t.arrival <= world.tick]
        world.transit = [t for t in world.transit if t.arrival > world.tick]
        for item in due:
            world.ledger.transfer(
                world.plan.transit, item.row, item.column, item.amount, "top-up arrives"
            )
            world.in_flight[item.row] -= item.value
            if abs(world.in_flight[item.row]) < 1e-9 * item.value:
                del world.in_flight[item.row]

    def review(self, world: World, rows: IntArray) -> bool:
        """Make, lift and enforce margin calls on freshly revalued accounts.

        Returns
        -------
        bool
            Whether there was a call to make, lift or enforce, so that accounts may have changed.
        """
        lifted = self._lift(world)
        up = (world.board.up & world.board.margining)[world.clearer[rows]]
        short = (world.out.notional[rows] > 0) & self._below(world, rows) & up
        fresh = rows[short & (world.deadline[rows] < 0)]
        for row in fresh:
            call = self.calls[world.clearer[row]]
            assert call is not None
            world.deadline[row] = world.tick + world.clock.span(call.grace)
        self.called = union(self.called, fresh)
        waiting = rows[short]
        if len(waiting):
            self._weight, self._price = world.weight, world.asset_price[world.columns]
        for row in waiting:
            self._ask(world, int(row))
        if len(waiting):
            world.revalue(waiting)
            still = self._below(world, waiting)
            world.deadline[waiting[~still]] = -1
            expired = waiting[still & (world.deadline[waiting] <= world.tick)]
            world.required[expired] = np.maximum(world.required[expired], self.level[expired])
            self.called = self.called[world.deadline[self.called] >= 0]
        return lifted or len(waiting) > 0

    def _lift(self, world: World) -> bool:
        """Lift the calls on accounts that are whole again or hold nothing any more."""
        called = self.called
        if not len(called):
            return False
        world.revalue(called)
        whole = (world.out.notional[called] == 0.0) | ~self._below(world, called)
        lifted = called[whole]
        world.deadline[lifted] = -1
        world.required[lifted] = np.where(
            world.step[lifted] > 0, world.required[lifted], world.least_ratio(lifted)
        )
        self.called = called[~whole]
        return len(lifted) > 0

    def _below(self, world: World, rows: IntArray) -> BoolArray:
        """Return which accounts stand below their call level by more than rounding."""
        out = world.out
        wanted = self.level[rows] * out.maintenance[rows] - ROUNDING * out.notional[rows]
        return np.asarray((self.level[rows] > 0.0) & (out.equity[rows] < wanted))

    def _ask(self, world: World, row: int) -> None:
        """Send what a called account still needs, as far as its trader has it."""
        source = self.top_up[world.cohort[row]]
        if source is None:
            return
        call = self.calls[world.clearer[row]]
        assert call is not None
        target = call.level if call.target is None else call.target
        need = target * float(world.out.maintenance[row]) - float(world.out.equity[row])
        need -= world.in_flight.get(row, 0.0)
        arrival = world.tick + world.clock.span(source.latency)
        for kind in source.sources:
            if need <= 0.0:
                return
            givers = self._wallet(world, row) if kind == "wallet" else self._siblings(world, row)
            for giver, spare in givers:
                need -= self._send(world, giver, row, need, spare, arrival)
                if need <= 0.0:
                    return

    def _wallet(self, world: World, row: int) -> list[tuple[int, float]]:
        wallet = int(world.wallet_row[world.trader[row]])
        if wallet < 0:
            return []
        held = np.maximum(world.ledger.balance[wallet], 0.0)
        return [(wallet, float(held @ self._price))]

    def _siblings(self, world: World, row: int) -> list[tuple[int, float]]:
        """Return the trader's other accounts and what each may give away [numeraire]."""
        owner = int(world.trader[row])
        first, last = world.trader_rows[owner], world.trader_rows[owner + 1]
        rows = np.array([r for r in range(first, last) if r != row], dtype=np.int64)
        rows = rows[world.board.up[world.clearer[rows]] & (world.label[rows] < 0)]
        rows = rows[self._side[rows] == self._side[row]]
        if not len(rows):
            return []
        world.revalue(rows)
        floor = self._kept[world.clearer[rows]] * world.out.maintenance[rows]
        floor = floor + ROUNDING * world.out.notional[rows]
        spare = self.withdrawals.spare(rows, floor)
        return list(zip(rows.tolist(), spare.tolist(), strict=True))

    def _send(
        self, world: World, giver: int, row: int, need: float, spare: float, arrival: int
    ) -> float:
        """Move collateral off the giver; return its value to the receiver [numeraire].

        It counts at the receiving clearer's weight towards `need`, and at the giver's towards
        what it can spare; no account gives more than it holds of an asset.
        """
        ledger, sent, given = world.ledger, 0.0, 0.0
        weight, own = self._weight, giver < world.accounts
        worth = weight[world.clearer[giver]] if own else self._price
        for column in range(len(world.columns)):
            unit, loss = float(weight[world.clearer[row], column]), float(worth[column])
            held = max(float(ledger.balance[giver, column]), 0.0)
            if unit <= 0.0 or held <= 0.0:
                continue
            amount = min(held, (need - sent) / unit)
            if loss > 0.0:
                amount = min(amount, (spare - given) / loss)
            if amount <= 0.0:
                continue
            ledger.transfer(giver, world.plan.transit, column, amount, "top-up sent")
            sent, given = sent + amount * unit, given + amount * loss
            if arrival <= world.tick:
                ledger.transfer(world.plan.transit, row, column, amount, "top-up arrives")
            else:
                item = TopUpInTransit(arrival, row, column, amount, amount * unit)
                world.transit.append(item)
                world.in_flight[row] += item.value
        return sent
