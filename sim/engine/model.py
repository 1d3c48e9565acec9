"""The Mesa model of a run: the agents, and the ordered phases of a tick."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import mesa
import numpy as np

from sim.agents import Arbitrageur, Trader, TraderCohort, Venue
from sim.engine.breaks import Breaks
from sim.engine.build import coupling_groups
from sim.engine.calls import CallDesk
from sim.engine.coupling import close_level_gaps
from sim.engine.handwritten import OwnAccount, VenueView
from sim.engine.liquidations import LiquidationEngine
from sim.engine.mechanisms import build_mechanisms
from sim.engine.pricing import Pricing
from sim.engine.recorder import Recorder
from sim.engine.spread import spread_losses
from sim.engine.stretch import Stretches
from sim.engine.trade import TradeDesk
from sim.engine.world import World
from sim.ledger.invariants import check, fingerprint
from sim.models.behaviour import behaviours
from sim.models.mark import build_mark

if TYPE_CHECKING:
    from sim.agents import TraderPlan

PHASES = ("shock", "link", "trade", "mark", "margin", "liquidate", "waterfall", "breaker", "record")
"""Phases of a tick in order."""

MOMENTS = ("begin", *PHASES, "batch")
"""When mechanisms may act: before the first phase of a tick, after each, and after each batch of
forced orders."""


class LiquidationModel(mesa.Model):
    """Venues, cohorts, arbitrageurs and hand-written traders around one `World`.

    Mesa drives the agents; its own random numbers are never drawn.

    Parameters
    ----------
    world : World
    plans : sequence of TraderPlan
        Hand-written traders; their accounts are the last rosters of the world.
    """

    def __init__(self, world: World, plans: Sequence[TraderPlan] = ()) -> None:
        super().__init__(rng=0)
        self.world = world
        self.groups = coupling_groups(world)
        self.calls = CallDesk(world)
        world.mechanisms = build_mechanisms(world)
        self.recorder = Recorder(world)
        self.venues = [self._venue(v, name) for v, name in enumerate(world.venue_names)]
        self.pricing = Pricing(world, self.venues)
        if world.scenario.record.breaks:
            world.breaks = Breaks(world, self.pricing)
        self.trade = TradeDesk(world, self.groups)
        self.liquidations = LiquidationEngine(
            world, self.groups, self.calls, self._after_batch, self.trade.hold_auctions
        )
        self._cohorts()
        for group in self.groups:
            if group.kind == "arbitrage" and group.time_constant is not None:
                Arbitrageur(self, partial(close_level_gaps, world, [group]))
        self._traders(plans)
        cohorts = self.agents_by_type.get(TraderCohort, ())
        deciding = bool(plans) or any(not cohort.behaviour.rests for cohort in cohorts)
        self.stretches = Stretches(
            world, self.pricing, self.liquidations, self.recorder, self.groups, deciding
        )
        self._sound: tuple[bytes, ...] = ()
        self.phases = [(name, getattr(self, f"_{name}")) for name in PHASES]
        self.mechanisms = {
            name: [m for m in world.mechanisms if name in m.phases] for name in MOMENTS
        }
        self.recorder.open()

    def _venue(self, number: int, name: str) -> Venue:
        markets = np.flatnonzero(self.world.board.venue == number)
        return Venue(self, name, number, markets, build_mark(self.world.scenario.venues[name].mark))

    def _cohorts(self) -> None:
        world = self.world
        for k, source in enumerate(world.scenario.traders):
            rows = int(world.roster_offset[k]), int(world.roster_offset[k + 1])
            start = world.ledger.position_start
            slots = int(start[rows[0]]), int(start[rows[1]])
            kind = source.behaviour.kind
            rule = behaviours[kind]
            if rule.idle or rows[0] == rows[1]:
                continue
            behaviour = rule(source.behaviour, self.trade.view(rows, slots, rule.needs_equity))
            name = world.rosters[k].name
            TraderCohort(self, name, f"trade:{kind}", rows, slots, behaviour)

    def _traders(self, plans: Sequence[TraderPlan]) -> None:
        world = self.world
        first = len(world.rosters) - len(plans)
        self.views: list[VenueView] = []
        for k, plan in enumerate(plans):
            view = VenueView(world, plan.venue)
            account = OwnAccount(world, int(world.roster_offset[first + k]), view)
            trader = plan.kind(self, plan.name, account)
            trader.prepare(**plan.arguments)
            self.trade.handwritten.append((trader, view, account))

    def advance(self, number: int) -> int:
        """Run at least the tick of this number; return the number of the next one."""
        reached, phase = self.stretches.advance(number)
        if reached > number:
            self._check(f"the calm ticks before {reached}")
        if reached > number and phase is None:
            return reached
        self.tick(reached, phase)
        return reached + 1

    def tick(self, number: int, phase: str | None = None) -> None:
        """Run the phases of one tick, or those from `phase` on where it has been begun."""
        self.world.tick = self.world.board.causes.tick = number
        self._relaxed = phase is not None
        waiting = phase is not None
        if not waiting:
            self._let_act("begin")
        for name, run in self.phases:
            waiting = waiting and name != phase
            if waiting:
                continue
            run()
            for mechanism in self.mechanisms[name]:
                mechanism.act(name)
            self._check(f"phase {name} of tick {number}")

    def _check(self, where: str) -> None:
        """Check the ledger where the run wants it, unless nothing changed since the last check."""
        if not self.world.checked:
            return
        found = fingerprint(self.world.ledger)
        if not found or found != self._sound:
            check(self.world.ledger, where)
            self._sound = found

    def _let_act(self, moment: str) -> None:
        for mechanism in self.mechanisms[moment]:
            mechanism.act(moment)

    def _after_batch(self) -> None:
        """Let marks follow a batch of forced orders, and breakers halt between two of them."""
        self.pricing.refresh()
        self._let_act("batch")

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
            world.free_price *= np.exp(moves)
        self.pricing.value_assets()

    def _link(self) -> None:
        self.calls.deliver(self.world)

    def _trade(self) -> None:
        if not self._relaxed:
            self.world.board.relax(self._seconds)
        touched = self.trade.act(self.agents_by_type.get(TraderCohort, ()))
        if Arbitrageur in self.agents_by_type:
            self.agents_by_type[Arbitrageur].do("act", self._seconds)
        if len(touched):
            self.world.revalue(touched)

    def _mark(self) -> None:
        self.pricing.open_tick(self._seconds)

    def _margin(self) -> None:
        self.liquidations.check(self._seconds)

    def _liquidate(self) -> None:
        if len(self.world.auction.waiting.slot) and not self.liquidations.sends:
            self.trade.hold_auctions()
            self.pricing.refresh()
            self.liquidations.look_after_trade()
        self.liquidations.cascade()

    def _waterfall(self) -> None:
        while spread_losses(self.world):
            self.liquidations.look_again()
            self.liquidations.cascade()

    def _breaker(self) -> None:
        """Nothing of its own: breakers act after it (`sim.engine.breakers`)."""

    def _record(self) -> None:
        self.recorder.record()

    def release(self) -> None:
        """Let Mesa forget the model (its class attribute keeps every model alive)."""
        ids: dict[Any, Any] = getattr(mesa.Agent, "_ids", {})
        ids.pop(self, None)


__all__ = ["PHASES", "LiquidationModel", "Trader"]
