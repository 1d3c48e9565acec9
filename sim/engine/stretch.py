"""Calm stretches of a run, stepped in one compiled call each.

A stretch begins after a tick that left nothing to do: nobody liquidatable, called or waiting for
a batch, nobody who decides afresh on every tick, no mechanism that has something to do. It ends
at the next recorded tick, before the next start or end of an outage, arrival of a top-up, book
that empties or tick of a mechanism, or inside the tick in which somebody has something to do
(`sim.kernels.calm`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.engine.board import RUNAWAY
from sim.engine.watch import DueWatch
from sim.kernels.calm import GAP, REACHED, THROUGH, Accounts, Books, calm_ticks
from sim.kernels.calm import RUNAWAY as RUNAWAY_BOOK

if TYPE_CHECKING:
    from sim.engine.coupling import CouplingGroup
    from sim.engine.liquidations import LiquidationEngine
    from sim.engine.pricing import Pricing
    from sim.engine.recorder import Recorder
    from sim.engine.world import World

BLOCK = 1024
"""Ticks for which growth is computed at once; bounds the length of a stretch."""

PHASE_AFTER = {THROUGH: None, GAP: "trade", REACHED: "margin"}
"""Phase with which the ordinary tick goes on after a stretch."""


class Stretches:
    """Steps a world through its calm stretches.

    Parameters
    ----------
    world : World
    pricing : Pricing
    liquidations : LiquidationEngine
    recorder : Recorder
    groups : list of CouplingGroup
    deciding : bool
        Whether anybody decides afresh on every tick, so that no tick is calm.
    """

    def __init__(
        self,
        world: World,
        pricing: Pricing,
        liquidations: LiquidationEngine,
        recorder: Recorder,
        groups: list[CouplingGroup],
        deciding: bool,
    ) -> None:
        self.world, self.pricing = world, pricing
        self.liquidations, self.recorder = liquidations, recorder
        self.gaps = [
            group.markets
            for group in groups
            if group.kind == "arbitrage" and group.time_constant is not None
        ]
        self.possible = pricing.rules is not None and not deciding
        size = BLOCK, len(world.board.ids)
        self._shocked, self._relaxed = np.empty(size), np.empty(size)
        values = len(world.board.ids) + len(world.asset_price) + len(world.local.own_price)
        self._now = np.empty(values)
        self._following = [one for one in world.mechanisms if one.follows]
        kept = world.waterfall.previous_mark
        self._mark_before = np.empty(0) if kept is None else kept
        self._floor_hits, self._looked_at = np.zeros((2, 1), dtype=np.int64)
        self._block: _Block | None = None

    def advance(self, tick: int) -> tuple[int, str | None]:
        """Step on from the end of the tick before `tick`, as far as it is calm.

        Returns
        -------
        tick : int
            First tick that has not been gone through entirely.
        phase : str or None
            Phase with which it goes on where its first ones have been gone through.
        """
        watch = self.world.watch
        if not (self.possible and isinstance(watch, DueWatch)) or tick == 0:
            return tick, None
        if watch.reached or (watch.sweeps and not len(watch.packed.row)):
            return tick, None
        if not self.liquidations.at_rest or len(self.liquidations.calls.called):
            return tick, None
        if not watch.unchanged() or (watch.sweeps and not watch.packing_holds()):
            return tick, None
        stop = min(self._stop(tick), tick + 1) if watch.crowded else self._stop(tick)
        gap_start, gap_market, open_gap = self._watched_gaps()
        if stop <= tick or open_gap:
            return tick, None
        board = self.world.board
        causes = board.causes
        causes.open("exogenous", "reversion")
        books = Books(
            anchor=board.anchor,
            initial=board.initial,
            floor=board.floor,
            ceiling=RUNAWAY * board.initial,
            left=board.left_after(self.world.clock.seconds),
            reverting=board.reverting,
            floor_hits=self._floor_hits,
            exogenous=causes.price_row("exogenous"),
            reversion=causes.price_row("reversion"),
            lowest=self.recorder.lowest,
            highest=self.recorder.highest,
            drawdown=self.recorder.drawdown,
            farthest=self.recorder.farthest,
            exogenous_then=self.recorder.exogenous_then,
            move_then=self.recorder.move_then,
            gap_start=gap_start,
            gap_market=gap_market,
            mark_before=self._mark_before,
        )
        return self._step(watch, books, tick, stop)

    def _stop(self, tick: int) -> int:
        """Return the tick before which a stretch that begins now has to end."""
        world, stride = self.world, self.recorder.stride
        # Through the next recorded tick, or the last one.
        stop = min(-(-tick // stride) * stride + 1, world.clock.ticks)
        stop = min(stop, world.exogenous.steady_until(tick))
        stop = min([stop, *(item.arrival for item in world.transit)])
        stop = min([stop, *(m.quiet_until(tick) for m in world.mechanisms)])
        if stop <= tick:
            return stop
        block = self._block
        if block is None or not block.first <= tick < block.stop:
            steady = world.exogenous.steady_until(tick)
            block = self._block = _Block(world, tick, min(tick + BLOCK, steady))
        return min(stop, block.stop)

    def _watched_gaps(self) -> tuple[IntArray, IntArray, bool]:
        """Return the tradable markets of each arbitrageur, and whether it has something to do."""
        board = self.world.board
        if not self.gaps:
            return np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int64), False
        groups = [markets[board.tradable[markets]] for markets in self.gaps]
        value = board.last * self.world.quote_price - board.opening_value
        open_gap = any(len(np.unique(value[markets])) > 1 for markets in groups)
        start = np.concatenate([[0], np.cumsum([len(markets) for markets in groups])])
        return start.astype(np.int64), np.concatenate(groups).astype(np.int64), open_gap

    def _step(self, watch: DueWatch, books: Books, tick: int, stop: int) -> tuple[int, str | None]:
        world, board, block = self.world, self.world.board, self._block
        rules, state = self.pricing.rules, self.pricing.state
        assert rules is not None
        assert state is not None
        assert block is not None
        accounts = Accounts(
            watch.levels,
            world.margin_inputs(),
            watch.units,
            world.required,
            world.out,
            world.keep,
            world.local,
            world.columns,
            self._now,
            watch.packed,
            self._looked_at,
        )
        part = slice(tick - block.first, stop - block.first)
        before = board.last.copy()
        done, how = calm_ticks(
            block.growth[part], block.asset_growth[part], world.clock.seconds,
            rules, state, books, accounts, self._shocked, self._relaxed,
        )  # fmt: skip
        begun = done + (how != THROUGH)
        watch.passed(int(self._looked_at[0]), begun)
        self._looked_at[0] = 0
        self._book(before, begun, done)
        board.hold_back(block.returns[part][:begun])
        board.floor_hits += int(self._floor_hits[0])
        self._floor_hits[0] = 0
        world.tick = board.causes.tick = tick + begun - 1
        board.liquidity = world.exogenous.liquidity(world.tick)
        for mechanism in self._following:
            mechanism.follow(self._relaxed[:done], begun)
        if how == RUNAWAY_BOOK:
            board.refuse_runaways()
        if how == THROUGH and self.recorder.is_row(world.tick):
            self.recorder.row()
        return tick + done, PHASE_AFTER[how]

    def _book(self, before: FloatArray, begun: int, done: int) -> None:
        """Book the moves of the ticks begun, and let those gone through fade from memory."""
        shocked, relaxed = self._shocked[:begun], self._relaxed[:begun]
        opened = np.concatenate([before[None, :], relaxed[:-1]])
        causes = self.world.board.causes
        causes.book_series("exogenous", np.log(shocked / opened))
        if (relaxed != shocked).any():
            causes.book_series("reversion", np.log(relaxed / shocked))
        seconds = self.world.clock.seconds
        self.liquidations.generations.pass_calm_ticks(relaxed[:done], seconds)


class _Block:
    """Exogenous moves of the ticks ``first .. stop - 1``, while the same venues are up.

    Attributes
    ----------
    returns : (T, M) float64 [1]
        Log-returns.
    growth, asset_growth : (T, M) and (T, N) float64 [1]
        Growth factors; 1 for markets whose venue is down.
    """

    def __init__(self, world: World, first: int, stop: int) -> None:
        self.first, self.stop = first, stop
        self.returns = world.exogenous.log_return_rows(first, stop)
        up = world.board.up[world.board.venue]
        self.growth = np.exp(np.where(up, self.returns, 0.0))
        self.asset_growth = np.exp(world.exogenous.asset_log_return_rows(first, stop))
