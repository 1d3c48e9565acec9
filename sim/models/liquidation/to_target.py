"""Sell just enough to stand at a target margin ratio, at the marks before the sale.

The share sold of every tradable position is the smallest G in [0, 1] with

    equity >= target * maintenance((1 - G) tradable + untradable)

price impact and fees not foreseen; if they leave the account short it sells again in the next
generation. With one flat rate this is the rule of Cont and Schaanning (2017): a bank whose
leverage exceeds ``lambda_max`` sells ``G = min(1, (assets - lambda_b equity) / securities)``
with rate ``1 / lambda_max`` and target ``lambda_max / lambda_b``.

The kept share solves a convex equation; Newton's method from above ends on the exact root after at
most one step per tier and position where margin is piecewise linear in the share, and converges
quadratically where it depends on the size of the position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.liquidation.base import SMALLEST_SALE, Distressed, sale_rules

if TYPE_CHECKING:
    from sim.models.margin import MarginTables

SLIVER = 1e-9
"""Kept share below which nothing is kept."""


def kept_share(distressed: Distressed, tables: MarginTables, target: FloatArray) -> FloatArray:
    """Return the largest share (N,) of the tradable positions that the account may keep."""
    allowed = distressed.equity / target
    kept = np.ones(len(allowed))
    floor, _ = distressed.margin_at(tables, np.zeros(len(allowed)))
    for _ in range(1000):
        margin, slope = distressed.margin_at(tables, kept)
        excess = margin - allowed
        moving = (excess > 0.0) & (slope > 0.0) & (kept > 0.0)
        step = np.where(moving, excess / np.where(slope > 0.0, slope, 1.0), 0.0)
        lower = np.maximum(kept - step, 0.0)
        if not (lower < kept).any():
            break
        kept = lower
    # Where even selling everything tradable leaves the account short, it sells everything;
    # a sliver that rounding would leave is no position.
    return np.where((floor > allowed) | (kept < SLIVER), 0.0, kept)


@sale_rules.register("to_target")
def to_target(distressed: Distressed, tables: MarginTables, config: Any) -> FloatArray:
    """Return the share of every tradable position to sell (N,); ``config.target_ratio``."""
    target = np.maximum(config.target_ratio, distressed.required)
    return np.maximum(1.0 - kept_share(distressed, tables, target), SMALLEST_SALE)
