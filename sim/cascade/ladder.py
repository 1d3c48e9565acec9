"""The liquidation ladder: what must be sold once prices stand elsewhere.

At each move the excess of every account is taken exactly, by the margin kernel at the moved prices,
with tiers, collateral and indices. Rows are cumulative: who is below the margin where the price
stands, whatever happened on the way. Sizes are those of the first batch by each clearer's rule (a
slice where it sells in slices), and the orders themselves move nothing: `critical_shock` has that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sim.cascade.direction import log_move, require_known
from sim.cascade.static_cascade import StaticCascade
from sim.core.arrays import FloatArray

LADDER_COLUMNS = (
    "move", "market", "clearer", "side", "accounts", "quantity", "notional",
)  # fmt: skip
"""Columns of a ladder, in order."""

SIDES = ("sell", "buy")
"""Closing long positions, and short ones."""

DEFAULT_MOVES = np.linspace(-0.5, 0.5, 101)
"""Simple returns from -50 to +50 % by 1 %."""


def liquidation_ladder(
    cascade: StaticCascade,
    market: str | None = None,
    asset: str | None = None,
    moves: Sequence[float] | FloatArray | None = None,
) -> pd.DataFrame:
    """Return what must be sold at each move; see `State.liquidation_ladder`."""
    if (market is None) == (asset is None):
        raise ValueError("give one market or one asset to move")
    prices = cascade.prices
    name = asset if market is None else market
    assert name is not None
    require_known(name, prices.assets if market is None else prices.markets)
    steps = _checked_moves(moves)
    book, venues = cascade.book, prices.venues
    clearer = book.clearer[book.owner].astype(np.int64)
    pair = (book.market * len(venues) + clearer) * 2
    shown = np.unique(pair)
    cells = np.sort(np.concatenate([shown, shown + 1]))
    frames = []
    for step in steps.tolist():
        slot, change = cascade.forced_at(log_move({name: np.log1p(step)}, prices))
        cell = np.searchsorted(cells, pair[slot] + (change > 0.0))
        size = len(cells)
        notional = np.abs(change) * book.unit[slot]
        frames.append(
            pd.DataFrame(
                {
                    "move": step,
                    "market": [prices.markets[c // 2 // len(venues)] for c in cells],
                    "clearer": [venues[c // 2 % len(venues)] for c in cells],
                    "side": [SIDES[c % 2] for c in cells],
                    "accounts": np.bincount(cell, minlength=size).astype(np.int64),
                    "quantity": np.bincount(cell, change, size).astype(np.float64),
                    "notional": np.bincount(cell, notional, size).astype(np.float64),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)[list(LADDER_COLUMNS)]


def _checked_moves(moves: Sequence[float] | FloatArray | None) -> FloatArray:
    steps = np.array(DEFAULT_MOVES if moves is None else moves, dtype=np.float64)
    if steps.ndim != 1 or not len(steps):
        raise ValueError(f"moves have the shape {steps.shape}; they must be a list of numbers")
    bad = ~(np.isfinite(steps) & (steps > -1.0))
    if bad.any():
        raise ValueError(f"a move is {steps[bad][0]}; moves must be finite and above -1")
    return np.unique(steps)
