"""The opening money of everybody: accounts, wallets, funds and clearing rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, add_to, blocks
from sim.schema.backstop import Backstop
from sim.schema.waterfall import DefaultFund, InsuranceFund, SkinInTheGame

if TYPE_CHECKING:
    from sim.engine.layout import Layout
    from sim.engine.world import World
    from sim.schema import Scenario


def has_contract_funds(scenario: Scenario) -> bool:
    """Return whether any venue has an insurance fund for each contract."""
    layers = (layer for venue in scenario.venues.values() for layer in venue.waterfall)
    return any(isinstance(layer, InsuranceFund) and layer.sizes is not None for layer in layers)


def has_ccps(scenario: Scenario) -> bool:
    """Return whether any venue has a default fund or capital that pays before its members."""
    layers = (layer for venue in scenario.venues.values() for layer in venue.waterfall)
    return any(isinstance(layer, DefaultFund | SkinInTheGame) for layer in layers)


def endow(world: World, layout: Layout) -> None:
    """Bring the opening money in from the world: deposits, wallets, funds, clearing rows."""
    ledger, plan = world.ledger, world.plan
    owed = np.zeros(plan.markets)
    for part in blocks(len(ledger.quantity)):
        market = ledger.market[part]
        cost = ledger.quantity[part] * ledger.entry_price[part] * ledger.multiplier[market]
        add_to(owed, market, cost)
    for column in range(len(world.columns)):
        amount = layout.opening(column)
        settled = np.flatnonzero(ledger.quote_column == column)
        amount[plan.first_clearing + settled] -= owed[settled]
        _add_funds(world, column, amount)
        pays, owes = np.flatnonzero(amount > 0.0), np.flatnonzero(amount < 0.0)
        ledger.transfer(plan.world, pays, column, amount[pays], "opening")
        ledger.transfer(owes, plan.world, column, -amount[owes], "opening")


def _add_funds(world: World, column: int, amount: FloatArray) -> None:
    """Add what the funds of clearers that settle in a column start with [asset units]."""
    plan, price = world.plan, float(world.asset_price[world.columns[column]])
    symbols = [(market.venue, market.symbol) for market in world.scenario.markets]
    for v, (name, venue) in enumerate(world.scenario.venues.items()):
        if int(world.settlement[v]) != column:
            continue
        for layer in venue.waterfall:
            if isinstance(layer, InsuranceFund):
                amount[plan.first_fund + v] += (layer.size or 0.0) / price
                for symbol, size in (layer.sizes or {}).items():
                    row = plan.first_contract_fund + symbols.index((name, symbol))
                    amount[row] += size / price
            elif isinstance(layer, DefaultFund):
                amount[plan.first_default_fund + v] += layer.size / price
            elif isinstance(layer, SkinInTheGame):
                amount[plan.first_skin + v] += layer.size / price
            elif isinstance(layer, Backstop):
                amount[plan.first_backstop + v] += layer.capital / price
        keepers = getattr(world.rules[v], "keepers", None)
        if keepers is not None and keepers.capital is not None:
            amount[plan.first_keeper + v] += keepers.capital / price
