"""Ledger rows and views for traders written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.errors import RunError
from sim.core.texts import Texts
from sim.engine.draft import AccountsDraft

if TYPE_CHECKING:
    from sim.agents import TraderPlan
    from sim.engine.world import World
    from sim.schema import Scenario


def draft_trader(plan: TraderPlan, scenario: Scenario) -> AccountsDraft:
    """Return the one account of a hand-written trader, with a slot in every market there.

    Raises
    ------
    RunError
        The plan names a venue, asset or market that the scenario does not have.
    """
    venues, assets = list(scenario.venues), list(scenario.assets)
    if plan.venue not in venues:
        raise RunError(f"trader '{plan.name}': no venue '{plan.venue}'; there are {venues}")
    markets = [
        k for k, m in enumerate(scenario.markets) if m.venue == plan.venue and m.kind != "spot"
    ]
    symbols = {scenario.markets[k].symbol: k for k in markets}
    for asset in plan.deposit:
        if asset not in assets:
            raise RunError(f"trader '{plan.name}': no asset '{asset}'; there are {assets}")
    for symbol in plan.positions:
        if symbol not in symbols:
            raise RunError(
                f"trader '{plan.name}': no market '{symbol}' on {plan.venue}; "
                f"there are {sorted(symbols)}"
            )
    for symbol, size in plan.positions.items():
        if size < 0.0 and scenario.markets[symbols[symbol]].kind == "collateral":
            raise RunError(
                f"trader '{plan.name}': {size:g} of the collateral {symbol}, which can only "
                "be deposited; a quantity above 0"
            )
    numbers = {**plan.deposit, **plan.positions}
    for name, number in numbers.items():
        if not np.isfinite(number):
            raise RunError(f"trader '{plan.name}': {name} is {number}, not a finite number")
    quantity = np.array([plan.positions.get(scenario.markets[k].symbol, 0.0) for k in markets])
    price = np.array([scenario.market_price(scenario.markets[k]) for k in markets])
    return AccountsDraft(
        name=plan.name,
        trader=np.zeros(1, dtype=np.int32),
        clearer=np.array([venues.index(plan.venue)], dtype=np.int16),
        isolated=np.zeros(1, dtype=bool),
        balance_assets=tuple(assets.index(a) for a in plan.deposit),
        balance=np.array([list(plan.deposit.values())], dtype=np.float64).reshape(1, -1),
        position_start=np.array([0, len(markets)], dtype=np.int64),
        position_market=np.array(markets, dtype=np.int16),
        quantity=quantity.astype(np.float64),
        entry_price=np.where(quantity != 0.0, price, 0.0),
        wallet=np.zeros((1, len(plan.deposit))),
        venues=tuple(venues),
        symbols=tuple(m.symbol for m in scenario.markets),
        account_ids=Texts([f"{plan.name}@{plan.venue}"]),
        trader_ids=Texts([plan.name]),
    )


class VenueView:
    """What a hand-written trader sees of its venue; see `sim.agents.trader.MarketView`."""

    def __init__(self, world: World, venue: str) -> None:
        self._world = world
        self._number = {
            m.symbol: k for k, m in enumerate(world.scenario.markets) if m.venue == venue
        }

    def number(self, symbol: str) -> int:
        """Return the number of a market of the venue."""
        if symbol not in self._number:
            raise RunError(f"no market '{symbol}' here; there are {sorted(self._number)}")
        return self._number[symbol]

    @property
    def time(self) -> float:
        """Time since the start [s]."""
        return self._world.clock.time(self._world.tick)

    def last_price(self, symbol: str) -> float:
        """Return the last price [quote/base]."""
        return float(self._world.board.last[self.number(symbol)])

    def mark_price(self, symbol: str) -> float:
        """Return the mark price [quote/base]."""
        return float(self._world.board.mark[self.number(symbol)])

    def initial_price(self, symbol: str) -> float:
        """Return the price at the start [quote/base]."""
        return float(self._world.board.initial[self.number(symbol)])


class OwnAccount:
    """What a hand-written trader sees of its account; see `sim.agents.trader.AccountView`."""

    def __init__(self, world: World, row: int, view: VenueView) -> None:
        self._world, self.row, self._view = world, row, view

    def slot(self, symbol: str) -> int:
        """Return the position slot of a market of the venue."""
        market = self._view.number(symbol)
        first, last = self._world.ledger.position_start[self.row : self.row + 2]
        held = np.flatnonzero(self._world.ledger.market[first:last] == market)
        if not len(held):
            raise RunError(f"'{symbol}' is a spot market; no position can be held in it")
        return int(first + held[0])

    def position(self, symbol: str) -> float:
        """Return the signed position [contracts]."""
        return float(self._world.ledger.quantity[self.slot(symbol)])

    def equity(self) -> float:
        """Return equity [numeraire] at the marks."""
        self._world.revalue(np.array([self.row]))
        return float(self._world.out.equity[self.row])
