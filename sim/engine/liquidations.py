"""The margin and liquidate phases: who is broken, and the cascade until it is quiet.

Every pass over the accounts fills their equity and maintenance margin and finds those below
their required ratio. The clearers that may act now send one batch together, prices and marks
follow, and the accounts are looked at again, until no clearer that may act has anything to
sell. A clearer with latency L sends one batch, L seconds after the first of its accounts broke,
and then one every L seconds while it has any. A clearer that goes by blocks sends one in each.

An account whose order a limit price cut short waits for the next tick, or for the next batch of
its clearer with latency.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, IntArray, sums, union
from sim.core.errors import RunError
from sim.engine.backstop import backstops_of
from sim.engine.batch import send_batch
from sim.engine.calls import CallDesk
from sim.engine.coupling import CouplingGroup
from sim.engine.generations import GenerationTracker
from sim.engine.pace import blocks_in_tick, note_fills
from sim.engine.watch import DueWatch, FullWatch
from sim.engine.world import NOT_LABELLED, World
from sim.models.liquidation.to_target import buffered_ratio

if TYPE_CHECKING:
    from sim.schema import Liquidation

IDLE = -1
"""Batch time of a clearer that has nothing to liquidate."""


class LiquidationEngine:
    """Margin checks and forced selling of one world.

    Parameters
    ----------
    world : World
    groups : list of CouplingGroup
    calls : CallDesk
    refresh_marks : callable
        Brings marks and asset prices up to the last prices.
    hold_auctions : callable
        Fills the voluntary orders that wait for auctions in a batch of their own.
    """

    def __init__(
        self,
        world: World,
        groups: list[CouplingGroup],
        calls: CallDesk,
        refresh_marks: Callable[[], None],
        hold_auctions: Callable[[], None],
    ) -> None:
        self.world = world
        self.groups = groups
        self.calls = calls
        self.refresh_marks = refresh_marks
        self.hold_auctions = hold_auctions
        self.generations = GenerationTracker(world)
        self.latest_generation = 0
        self.broken: IntArray = np.empty(0, dtype=np.int64)
        self.labelled: IntArray = np.empty(0, dtype=np.int64)
        self.instant = np.array([rule.latency == 0.0 for rule in world.rules])
        self._flag = np.zeros(world.accounts, dtype=bool)
        self._stuck = np.zeros(world.accounts, dtype=bool)
        self._stuck_rows: list[IntArray] = []
        self._by_blocks = any(rule.kind == "per_block" for rule in world.rules)
        self._blocks_left = blocks_in_tick(world)
        self._deleverages = np.array(
            [world.waterfall.deleverages(v) for v in range(len(world.rules))]
        )
        self._backstops = backstops_of(world)
        spared = world.scenario.counterfactual.spare
        self._liquidates = np.array([name not in spared for name in world.venue_names])
        due = world.scenario.engine.margin_check == "due"
        self.watch = DueWatch(world, calls.level) if due else FullWatch(world)
        world.watch = self.watch

    @property
    def at_rest(self) -> bool:
        """Whether no account is liquidatable and no clearer waits to send a batch."""
        return not len(self.broken) and not (self.world.batch_due != IDLE).any()

    def check(self, seconds: float) -> None:
        """Revalue accounts, make margin calls and find the liquidatable."""
        self.generations.begin_tick(seconds)
        self.latest_generation = -1
        for rows in self._stuck_rows:
            self._stuck[rows] = False
        self._stuck_rows.clear()
        if self._by_blocks:
            self._blocks_left = blocks_in_tick(self.world)
        self.generations.note_other()
        rows, self.broken = self.watch.scan()
        self.calls.withdrawals.note(self.broken)
        if self.calls.active and self.calls.review(self.world, rows):
            _, self.broken = self.watch.scan()
        self._label(0)

    def look_again(self) -> None:
        """Find who broke because losses were spread over the survivors."""
        _, self.broken = self.watch.scan()
        self._label(self.latest_generation + 1)

    def look_after_trade(self) -> None:
        """Find who is broken after trades that were nobody's forced orders."""
        self.generations.note_other()
        _, self.broken = self.watch.scan()
        self._label(0)

    def _label(self, least: int) -> None:
        """Give newly broken accounts a generation of at least `least`; forget healed ones."""
        world, broken = self.world, self.broken
        self.calls.withdrawals.note(broken)
        if not len(broken) and not len(self.labelled):
            self.generations.checked()
            self._note_breaks(broken, broken, active=False)
            return
        self._flag[broken] = True
        healed = self.labelled[~self._flag[self.labelled]]
        self._flag[broken] = False
        world.label[healed] = NOT_LABELLED
        world.step[healed] = 0
        world.kept[healed] = 1.0
        world.required[healed] = world.least_ratio(healed)
        fresh = broken[world.label[broken] == NOT_LABELLED]
        if len(fresh):
            world.label[fresh] = np.maximum(self.generations.label(fresh), least)
        # Who is only labelled anew has not been healthy in between.
        anew = fresh[~np.isin(fresh, self.labelled)]
        self.labelled = broken
        self.generations.checked()
        self._note_breaks(anew, healed, active=True)

    def _note_breaks(self, fresh: IntArray, healed: IntArray, active: bool) -> None:
        breaks = self.world.breaks
        if breaks is not None:
            breaks.check(fresh, healed, self.calls.called, active)

    def cascade(self) -> None:
        """Send batches, generation by generation, until no clearer may act.

        Raises
        ------
        RunError
            The cascade did not end within ``engine.max_generations``.
        """
        world = self.world
        for _ in range(world.scenario.engine.max_generations):
            rows = self._ready()
            if not len(rows):
                break
            self._send(rows)
        else:
            raise RunError(
                f"the cascade of tick {world.tick} did not settle within "
                f"engine.max_generations = {world.scenario.engine.max_generations} generations"
            )
        self._idle()

    def _send(self, rows: IntArray) -> None:
        """Send one batch and find who is broken after it."""
        world = self.world
        self._open_episodes(rows)
        self.latest_generation = int(world.label[rows].max(initial=0))
        slots, owner = world.ledger.slots(rows)
        held = world.ledger.quantity[slots]
        cut = np.zeros(len(rows), dtype=bool)
        left = rows if self._backstops is None else self._backstops.take_over(rows)
        if len(left):
            sent = send_batch(world, self.groups, left)
            self.generations.note_forced(sent.generation, sent.voluntary)
            cut[np.searchsorted(rows, left)] = sent.cut
        elif len(world.auction.waiting.slot):  # there is no batch that they could join
            self.hold_auctions()
            self.generations.note_other()
        traded = sums(owner, world.ledger.quantity[slots] != held, len(rows)) > 0.0
        # What a limit price held up is tried again in the next tick, or the next batch.
        instant = self.instant[world.clearer[rows]]
        done = (~traded & ~cut) | (cut & instant)
        if world.keepers is not None:
            done |= world.keepers.once[world.clearer[rows]]
        self._stuck[rows[done]] = True
        self._stuck_rows.append(rows[done])
        self._blocks_left[np.unique(world.clearer[rows])] -= 1
        self._schedule(rows[traded | cut])
        note_fills(world, rows[traded])
        self.refresh_marks()
        world.label[rows] = NOT_LABELLED
        _, self.broken = self.watch.scan()
        # An account may be whole again because of this very batch; its episode ends then.
        self.labelled = union(self.labelled, rows)
        self._label(0)

    def _open_episodes(self, rows: IntArray) -> None:
        """Hold accounts to where their clearer's liquidation ends from now on."""
        world = self.world
        for v in np.unique(world.clearer[rows]):
            rule: Liquidation = world.rules[v]
            mine = rows[world.clearer[rows] == v]
            if rule.kind == "partial" and rule.target_ratio > 1.0:
                world.required[mine] = np.maximum(world.required[mine], rule.target_ratio)
            elif rule.kind == "to_target" and rule.buffer > 0.0:
                maintenance, notional = world.out.maintenance[mine], world.out.notional[mine]
                end = buffered_ratio(maintenance, notional, rule.target_ratio, rule.buffer)
                world.required[mine] = np.maximum(world.required[mine], end)

    @property
    def sends(self) -> bool:
        """Whether a clearer sends a batch now."""
        return len(self._ready()) > 0

    def _ready(self) -> IntArray:
        """Return the liquidatable accounts whose clearer sends a batch now."""
        world, broken = self.world, self.broken
        if not len(broken):
            return broken
        for v in np.unique(world.clearer[self._able(broken, even_down=True)]):
            if not self.instant[v] and world.batch_due[v] == IDLE:
                world.batch_due[v] = world.tick + world.clock.span(world.rules[v].latency)
        waited: BoolArray = (world.batch_due != IDLE) & (world.batch_due <= world.tick)
        board = world.board
        now = board.up & board.margining & (self.instant | waited) & (self._blocks_left > 0)
        now &= self._liquidates
        able = self._able(broken)
        ready: IntArray = able[now[world.clearer[able]]]
        return ready

    def _able(self, broken: IntArray, even_down: bool = False) -> IntArray:
        """Return the liquidatable accounts that hold something which can be closed now.

        With `even_down` also those that only wait for a venue or a halted market to come back.
        """
        world = self.world
        rows = broken[~self._stuck[broken]]
        slots, owner = world.ledger.slots(rows)
        market = world.ledger.market[slots]
        # A bankrupt account can be deleveraged without a book, where its venue is up.
        bankrupt = self._deleverages[world.clearer[rows]] & (world.out.equity[rows] < 0.0)
        if self._backstops is not None:  # it needs no book either
            bankrupt |= self._backstops.within_reach(rows)
        book = world.board.fillable & (world.board.liquidity > 0.0)
        closable = book[market] | bankrupt[owner]
        if not even_down:
            closable &= world.board.open[market]
        closable &= world.ledger.quantity[slots] != 0.0
        able: IntArray = rows[sums(owner, closable, len(rows)) > 0.0]
        return able

    def _schedule(self, rows: IntArray) -> None:
        """Set the time of the next batch of every clearer with latency that just sent one."""
        world = self.world
        for v in np.unique(world.clearer[rows]):
            if not self.instant[v]:
                wait = max(world.clock.span(world.rules[v].latency), 1)
                world.batch_due[v] = world.tick + wait

    def _idle(self) -> None:
        """Stop the timers of clearers that have nothing left that they could liquidate."""
        self.world.held_up = self.broken
        if self.at_rest:
            return
        busy = np.zeros(len(self.world.rules), dtype=bool)
        busy[self.world.clearer[self._able(self.broken, even_down=True)]] = True
        self.world.batch_due[~busy] = IDLE
