"""Initial margin of what accounts hold, at the present marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray, sums

if TYPE_CHECKING:
    from sim.engine.world import World


def position_margin(
    world: World, rows: IntArray, open_interest: FloatArray | None = None
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the open positions of accounts, and the initial margin of each.

    Parameters
    ----------
    world : World
    rows : (N,) int64
        Accounts.
    open_interest : (M,) float64 [quote], optional
        As for `sim.models.margin.MarginTables.initial_margin`.

    Returns
    -------
    slots, owner : (S,) int64
        Position slots, and the index of each one's account in `rows`.
    margin : (S,) float64 [numeraire]
    """
    ledger, board = world.ledger, world.board
    slots, owner = ledger.slots(rows)
    held = ledger.quantity[slots] != 0.0
    slots, owner = slots[held], owner[held]
    market = ledger.market[slots].astype(np.int64)
    size = np.abs(ledger.quantity[slots]) * board.multiplier[market]
    clearer = world.clearer[rows[owner]].astype(np.int64)
    notional = size * board.mark[market]
    margin = world.tables.initial_margin(clearer, market, notional, size, open_interest)
    return slots, owner, margin * world.quote_price[market]


def initial_margin(world: World, rows: IntArray) -> FloatArray:
    """Return the initial margin of accounts (N,) [numeraire], whatever the open interest."""
    _, owner, margin = position_margin(world, rows)
    return sums(owner, margin, len(rows))
