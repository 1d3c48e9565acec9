"""How far last prices may go in the ticks to come, as long as these are calm.

Calm ticks follow exogenous returns, and books that recover take prices no further than their
anchors. So what waits for a price can tell until when ticks may be gone through without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray

if TYPE_CHECKING:
    from sim.engine.world import World

AHEAD = 256
"""Ticks for which it is worked out at once."""

SLACK = 1e-9
"""Share of a price by which that may be wrong."""


def prices_ahead(world: World, tick: int, most: int = AHEAD) -> tuple[FloatArray, FloatArray]:
    """Return the least and the highest last prices (T, M) [quote/base] of the ticks from `tick` on.

    Prices stay between them from the shock phase of a tick to its end, as long as venues neither
    go down nor come back and the ticks are calm.
    """
    board = world.board
    returns = world.exogenous.log_return_rows(tick, min(tick + most, world.clock.ticks))
    growth = np.exp(np.cumsum(np.where(board.live, returns, 0.0), axis=0))
    low, high = np.minimum(board.last, board.anchor), np.maximum(board.last, board.anchor)
    return low * growth * (1.0 - SLACK), high * growth * (1.0 + SLACK)


def first_true(flags: BoolArray, tick: int) -> int:
    """Return the tick of the first row (T, K) with a flag, or the one after all rows.

    The rows are those of `tick` and the ticks after it.
    """
    found = np.flatnonzero(flags.any(axis=1))
    return tick + (int(found[0]) if len(found) else len(flags))
