"""The Mesa model of a run: the agents, and the ordered phases of a tick."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import mesa
import numpy as np

from sim.agents import Arbitrageur, Trader, TraderCohort, Venue
from sim.core.arrays import IntArray, sums
from sim.core.errors import RunError
from sim.engine.batch import send_batch
from sim.engine.build import coupling_groups
from sim.engine.calls import CallDesk
from sim.engine.coupling import close_level_gaps
from sim.engine.generations import GenerationTracker
from sim.engine.handwritten import OwnAccount, VenueView
from sim.engine.index import index_prices
from sim.engine.losses import socialise
from sim.engine.recorder import Recorder
from sim.engine.trade import TradeDesk
from sim.engine.world import NOT_LABELLED, World
from sim.ledger.invariants import check
from sim.models.behaviour import behaviours
from sim.models.mark import build_mark

if TYPE_CHECKING:
    from sim.agents import TraderPlan

PHASES = ("shock", "link", "trade", "mark", "margin", "liquidate", "waterfall", "breaker", "record")
"""Phases of a tick in order."""


class LiquidationModel(mesa.Model):
    """Venues, cohorts, arbitrageurs and hand-written traders around one `World`.

    Mesa drives the agents; its own random numbers are never drawn.

    Parameters
    ----------
    world : World
    plans : sequence of TraderPlan
        Hand-written traders; their accounts are the last drafts of the world.
    """

    def __init__(self, world: World, plans: Sequence[TraderPlan] = ()) -> None:
        super().__init__(rng=0)
        self.world = world
        self.groups = coupling_groups(world)
        self.calls = CallDesk(world)
        self.recorder = Recorder(world)
        self.holding = np.flatnonzero(world.out.notional > 0.0)
        self.generations = GenerationTracker(world)
        self.latest_generation = 0
        self.venues = [self._venue(v, name) for v, name in enumerate(world.venue_names)]
        self.trade = TradeDesk(world, self.groups)
        self._cohorts()
        for group in self.groups:
            if group.kind == "arbitrage" and group.time_constant is not None:
                Arbitrageur(self, partial(close_level_gaps, world, [group]))
        self._traders(plans)
        self.phases = [getattr(self, f"_{phase}") for phase in PHASES]

    def _venue(self, number: int, name: str) -> Venue:
        markets = np.flatnonzero(self.world.board.venue == number)
        config = self.world.scenario.venues[name].mark
        venue = Venue(self, name, number, markets, build_mark(config))
        index_prices(self.world)
        venue.start(self.world.board.last, self.world.board.index)
        return venue

    def _cohorts(self) -> None:
        world = self.world
        for k, source in enumerate(world.scenario.traders):
            rows = int(world.draft_offset[k]), int(world.draft_offset[k + 1])
            start = world.ledger.position_start
            slots = int(start[rows[0]]), int(start[rows[1]])
            kind = source.behaviour.kind
            rule = behaviours[kind]
            if rule.idle or rows[0] == rows[1]:
                continue
            behaviour = rule(source.behaviour, self.trade.view(rows, slots, rule.needs_equity))
            name = world.drafts[k].name
            TraderCohort(self, name, f"trade:{kind}", rows, slots, behaviour)

    def _traders(self, plans: Sequence[TraderPlan]) -> None:
        world = self.world
        first = len(world.drafts) - len(plans)
        self.views: list[VenueView] = []
        for k, plan in enumerate(plans):
            view = VenueView(world, plan.venue)
            account = OwnAccount(world, int(world.draft_offset[first + k]), view)
            trader = plan.kind(self, plan.name, account)
            trader.prepare(**plan.arguments)
            self.trade.handwritten.append((trader, view, account))

    def tick(self, number: int) -> None:
        """Run the phases of one tick."""
        self.world.tick = number
        for name, phase in zip(PHASES, self.phases, strict=True):
            phase()
            if self.world.scenario.engine.check:
                check(self.world.ledger, f"phase {name} of tick {number}")

    @property
    def _seconds(self) -> float:
        """Time since the tick before [s]; none has passed at tick 0."""
        return self.world.clock.seconds if self.world.tick else 0.0

    def _shock(self) -> None:
        world = self.world
        board, tick = world.board, world.tick
        np.logical_not(world.exogenous.outage(tick), out=board.up)
        board.liquidity = world.exogenous.liquidity(tick)
        board.shock(world.exogenous.log_returns(tick))
        moves = world.exogenous.asset_log_returns(tick)
        if moves.any():
            world.free_price = world.free_price * np.exp(moves)

    def _link(self) -> None:
        self.calls.deliver(self.world)

    def _trade(self) -> None:
        self.world.board.relax(self._seconds)
        touched = self.trade.act(self.agents_by_type.get(TraderCohort, ()))
        if Arbitrageur in self.agents_by_type:
            self.agents_by_type[Arbitrageur].do("act", self._seconds)
        if len(touched):
            self.world.revalue(touched)
            self._refresh_holding()

    def _mark(self) -> None:
        for venue in self.venues:
            if self.world.board.up[venue.number]:
                venue.begin_tick(self._seconds, self.world.tick)
        self._refresh_marks()

    def _refresh_marks(self) -> None:
        world = self.world
        index_prices(world)
        world.refresh_asset_prices()
        for venue in self.venues:
            if world.board.up[venue.number]:
                venue.refresh(world.board.last, world.board.index, world.board.mark)

    def _margin(self) -> None:
        self.generations.begin_tick(self._seconds)
        self.generations.note_other()
        self.world.revalue(self.holding)
        self.calls.review(self.world, self.holding)
        self._find()

    def _find(self, least: int = 0) -> IntArray:
        """Label newly liquidatable accounts, clear healthy ones; return the liquidatable.

        `least` is the lowest generation that a newly broken account may get.
        """
        world, rows = self.world, self.holding
        out = world.out
        required = world.required[rows]
        stepping = world.step[rows] > 0
        if stepping.any():
            target = np.array([getattr(rule, "target_ratio", 1.0) for rule in world.rules])
            slicing = np.array([rule.kind == "partial" for rule in world.rules])
            clearer = world.clearer[rows]
            more = np.where(stepping & slicing[clearer], target[clearer], 1.0)
            required = np.maximum(required, more)
        bad = (out.notional[rows] > 0.0) & (out.equity[rows] < required * out.maintenance[rows])
        healthy = rows[~bad]
        world.label[healthy] = NOT_LABELLED
        world.step[healthy] = 0
        broken = rows[bad]
        fresh = broken[world.label[broken] == NOT_LABELLED]
        if len(fresh):
            world.label[fresh] = np.maximum(self.generations.label(fresh), least)
        self.generations.checked()
        return broken

    def _ready(self, broken: IntArray) -> IntArray:
        """Return the liquidatable accounts whose clearer sends a batch now."""
        world = self.world
        clearer = world.clearer[broken]
        for v in np.unique(clearer):
            latency = world.rules[v].latency
            if latency > 0.0 and world.batch_due[v] < 0:
                world.batch_due[v] = world.tick + world.clock.span(latency)
        instant = np.array([rule.latency == 0.0 for rule in world.rules])
        now = world.board.up & (
            instant | ((world.batch_due >= 0) & (world.batch_due <= world.tick))
        )
        rows = broken[now[clearer]]
        slots, owner = world.ledger.slots(rows)
        sellable = world.board.tradable[world.ledger.market[slots]]
        sellable &= world.ledger.quantity[slots] != 0.0
        return rows[sums(owner, sellable, len(rows)) > 0]

    def _liquidate(self) -> None:
        world = self.world
        broken = self._find()
        for _ in range(world.scenario.engine.max_generations):
            rows = self._ready(broken)
            if not len(rows):
                break
            self.latest_generation = send_batch(world, self.groups, rows)
            self.generations.note_forced(self.latest_generation)
            self._next_batches(rows)
            self._refresh_marks()
            self._refresh_holding()
            world.revalue(self.holding)
            world.label[rows] = NOT_LABELLED
            broken = self._find()
        else:
            raise RunError(
                f"the cascade of tick {world.tick} did not settle within "
                f"engine.max_generations = {world.scenario.engine.max_generations} generations"
            )
        self._idle_engines(broken)

    def _next_batches(self, rows: IntArray) -> None:
        """Set the time of the next batch of every clearer with latency that just sent one."""
        world = self.world
        for v in np.unique(world.clearer[rows]):
            latency = world.rules[v].latency
            if latency > 0.0:
                world.batch_due[v] = world.tick + max(world.clock.span(latency), 1)

    def _idle_engines(self, broken: IntArray) -> None:
        """Stop the timers of clearers that have nothing left to liquidate."""
        busy = np.zeros(len(self.world.rules), dtype=bool)
        busy[self.world.clearer[broken]] = True
        self.world.batch_due[~busy] = -1

    def _refresh_holding(self) -> None:
        """List the accounts that hold positions; only they are revalued."""
        self.holding = np.flatnonzero(self.world.out.notional > 0.0)

    def _waterfall(self) -> None:
        while socialise(self.world):
            self.world.revalue(self.holding)
            self._find(self.latest_generation + 1)
            self._liquidate()

    def _breaker(self) -> None:
        """Halts start and end; no breaker exists yet, outages act in the shock phase."""

    def _record(self) -> None:
        self.recorder.record()

    def release(self) -> None:
        """Let Mesa forget the model (its class attribute keeps every model alive)."""
        ids: dict[Any, Any] = getattr(mesa.Agent, "_ids", {})
        ids.pop(self, None)


__all__ = ["PHASES", "LiquidationModel", "Trader"]
