"""Caps on open interest: voluntary orders that would raise it beyond a cap are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.models.breaker import refused_sides

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.schema import Scenario


def open_interest_caps(scenario: Scenario) -> FloatArray | None:
    """Return the cap of each market (M,) [quote], infinite where it has none; None without any.

    A cap given for a symbol goes before one for its base. Spot markets have none.
    """
    caps = np.full(len(scenario.markets), np.inf)
    for number, market in enumerate(scenario.markets):
        given = scenario.venues[market.venue].open_interest_caps
        if market.kind != "spot":
            caps[number] = given.get(market.symbol, given.get(market.base, np.inf))
    return caps if np.isfinite(caps).any() else None


def within_caps(world: World, caps: FloatArray, slot: IntArray, change: FloatArray) -> BoolArray:
    """Return which orders (N,) the caps (M,) let through; see `refused_sides`.

    Open interest is what traders hold on one side, at last prices. An order counts with all
    others that its account sends for the same position; one that turns a position round adds to
    the new side.
    """
    ledger, board = world.ledger, world.board
    places, inverse = np.unique(slot, return_inverse=True)
    held = ledger.quantity[places]
    after = held + sums(inverse, change, len(places))
    market = ledger.market[places].astype(np.int64)
    size, totals = len(caps), ledger.totals
    assert totals is not None
    gross, net = totals.gross.sum(axis=0), totals.net.sum(axis=0)
    refused = np.zeros(len(places), dtype=bool)
    for side in (1.0, -1.0):
        now, then = np.maximum(side * held, 0.0), np.maximum(side * after, 0.0)
        before = 0.5 * (gross + side * net)
        grown = before + sums(market, then - now, size)
        full = refused_sides(before, grown, board.multiplier * board.last, caps)
        refused |= full[market] & (then > now)
    return np.asarray(~refused[inverse])
