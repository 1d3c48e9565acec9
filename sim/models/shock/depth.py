"""Depth: liquidity is withdrawn, or added.

    g(t) = 1                                         t < at
    g(t) = f                                         at <= t < until
    g(t) = 1 - (1 - f) 2^(-(t - until) / h)          t >= until

=======  ===========================================================  ======
symbol   meaning                                                      unit
=======  ===========================================================  ======
g        factor on the depth of the markets                           1
f        `factor`, >= 0; above 1 adds depth                           1
until    end; left out, f lasts for ever                              s
h        `recovery_half_life`; left out, g is 1 again from `until`    s
=======  ===========================================================  ======

It acts on the markets that fit every one of `asset` (as base), `venue` and `symbol` that is
given; factors of shocks at the same time multiply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray
from sim.models.shock.base import SHOCKS, DepthEffect, ShockContext, where

if TYPE_CHECKING:
    from sim.schema.shocks import DepthShock


@SHOCKS.register("depth")
def build_depth(shock: DepthShock, context: ShockContext) -> DepthEffect:
    """Build a depth shock; see the formula above."""
    clock = context.clock
    factors = np.ones(clock.ticks)
    factors[clock.tick_at(shock.at) :] = shock.factor
    if shock.until is not None:
        stop = clock.tick_at(shock.until)
        factors[stop:] = 1.0
        if shock.recovery_half_life is not None:
            elapsed = np.arange(stop, clock.ticks) * clock.seconds - shock.until
            left = np.exp2(-np.maximum(elapsed, 0.0) / shock.recovery_half_life)
            factors[stop:] = 1.0 - (1.0 - shock.factor) * left
    place = shock.symbol or shock.asset or "all"
    return DepthEffect(
        label=where(f"depth of {place} x {shock.factor:.4g}", shock.venue),
        end=shock.until,
        markets=_markets(shock, context),
        factors=factors,
    )


def _markets(shock: DepthShock, context: ShockContext) -> BoolArray:
    fits = [
        shock.asset in (None, market.base)
        and shock.venue in (None, market.venue)
        and shock.symbol in (None, market.symbol)
        for market in context.scenario.markets
    ]
    return np.array(fits, dtype=np.bool_)
