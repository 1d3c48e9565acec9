"""What a plain program starts from: the accounts and markets of a world before some tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, Int16Array, IntArray
from sim.models.impact import ImpactModel

if TYPE_CHECKING:
    from sim.engine.world import World


@dataclass(frozen=True)
class Opening:
    """Accounts (A), positions (P) and markets (M) before a tick, all in one quote asset.

    Attributes
    ----------
    tick : int
        First tick to simulate.
    returns : (T, M) float64 [1]
        Exogenous log-returns of that tick and those after it.
    seconds : float
        Length of a tick [s].
    start : (A + 1,) int64
        Account a owns positions ``start[a] : start[a + 1]``; only open ones are here.
    balance : (A,) float64 [quote]
    owner, market : (P,) int64, (P,) int16
    size, entry : (P,) float64 [base, long above 0], [quote/base]
    last, anchor, lowest : (M,) float64 [quote/base]
        Last price, price without the flow that the book remembers, floor of the price.
    impact : list of ImpactModel
    groups : list of (markets, phi)
        Markets of one coin, and the share of an impact that the others follow.
    floor, rate, deduction : (M, T) float64
        Maintenance tiers of each market.
    fee : (M,) float64 [1]
        Liquidation fee per notional.
    """

    tick: int
    returns: FloatArray
    seconds: float
    start: IntArray
    balance: FloatArray
    owner: IntArray
    market: Int16Array
    size: FloatArray
    entry: FloatArray
    last: FloatArray
    anchor: FloatArray
    lowest: FloatArray
    impact: list[ImpactModel]
    groups: list[tuple[IntArray, float]]
    floor: FloatArray
    rate: FloatArray
    deduction: FloatArray
    fee: FloatArray

    @property
    def accounts(self) -> int:
        """Number of accounts A, with those that hold nothing any more."""
        return len(self.balance)

    @classmethod
    def take(cls, world: World, tick: int, ticks: int) -> Opening:
        """Copy a world that stands before `tick`, with what happens in `ticks` ticks from there.

        Raises
        ------
        ValueError
            The scenario has rules that the plain programs do not know.
        """
        _refuse_unknown_rules(world)
        ledger, board, accounts = world.ledger, world.board, world.accounts
        slots = int(ledger.position_start[accounts])
        held = np.flatnonzero(ledger.quantity[:slots] != 0.0)
        owner = ledger.position_row[held].astype(np.int64)
        venue = board.venue
        markets = np.arange(len(venue))
        return cls(
            tick=tick,
            returns=np.array([world.exogenous.log_returns(t) for t in range(tick, tick + ticks)]),
            seconds=world.clock.seconds,
            start=np.searchsorted(owner, np.arange(accounts + 1)).astype(np.int64),
            balance=ledger.balance[:accounts, 0].copy(),
            owner=owner,
            market=ledger.market[held],
            size=ledger.quantity[held],
            entry=ledger.entry_price[held],
            last=board.last.copy(),
            anchor=board.anchor.copy(),
            lowest=board.floor.copy(),
            impact=list(board.impact),
            groups=_groups(world),
            floor=world.tables.floor[venue, markets],
            rate=world.tables.rate[venue, markets],
            deduction=world.tables.deduction[venue, markets],
            fee=np.array([rule.fee_bps * 1e-4 for rule in world.rules])[venue],
        )


def _groups(world: World) -> list[tuple[IntArray, float]]:
    """Return the markets of each coin that a coupling ties together, with its share."""
    assets = list(world.scenario.assets)
    return [
        (np.flatnonzero(world.board.base == assets.index(coupling.asset)), coupling.phi)
        for coupling in world.scenario.coupling
        if coupling.kind == "cross_impact"
    ]


def _refuse_unknown_rules(world: World) -> None:
    """Raise where a world has more than the plain programs simulate."""
    scenario, accounts = world.scenario, world.accounts
    slots = int(world.ledger.position_start[accounts])
    market = world.ledger.market[:slots]
    owner = world.ledger.position_row[:slots]
    venues = scenario.venues.values()
    known = {
        "one quote asset worth 1": len(world.columns) == 1 and bool((world.quote_price == 1).all()),
        "contracts of 1 base": bool((world.board.multiplier == 1.0).all()),
        "positions at the account's own venue": bool(
            (world.board.venue[market] == world.clearer[owner]).all()
        ),
        "marks at the last price": all(venue.mark.kind == "last" for venue in venues),
        "no margin calls": all(venue.margin and venue.margin.call is None for venue in venues),
        "full liquidation at once": all(
            rule.kind == "full" and rule.latency == 0.0 for rule in world.rules
        ),
        "an insurance fund and no other layer": all(
            [layer.kind for layer in venue.waterfall] == ["insurance_fund", "clearer"]
            for venue in venues
        ),
        "cross impact on all venues": all(
            coupling.kind == "cross_impact" and not coupling.venues
            for coupling in scenario.coupling
        ),
        "traders who hold": all(source.behaviour.kind == "hold" for source in scenario.traders),
        "shocks to returns only": all(
            shock.kind not in ("depth", "outage") for shock in scenario.shocks
        ),
    }
    unknown = [name for name, holds in known.items() if not holds]
    if unknown:
        raise ValueError(f"the plain programs simulate only: {', '.join(unknown)}")
