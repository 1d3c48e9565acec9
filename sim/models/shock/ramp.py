"""Ramp: a return spread evenly, in log price, over a time.

    r(t) = ln(1 + R) / n    for  s < t <= s + n,  0 elsewhere

=======  ==========================================================  ======
symbol   meaning                                                     unit
=======  ==========================================================  ======
R        `return`, simple return in all, > -1                        1
s        first tick at or after `at`                                 tick
s + n    first tick at or after ``at + duration``                    tick
r        exogenous log-return                                        1
=======  ==========================================================  ======

So nothing moves at the tick where the ramp begins, and all of R has happened at the first
tick at or after its end. A ramp that begins and ends between two ticks (n = 0) has happened
wholly at the second of them. A ramp that outlasts the run is cut off, not squeezed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sim.models.shock.base import SHOCKS, ReturnEffect, ShockContext, where

if TYPE_CHECKING:
    from sim.schema.shocks import Ramp


@SHOCKS.register("ramp")
def build_ramp(shock: Ramp, context: ShockContext) -> ReturnEffect:
    """Build a ramp; see the formula above."""
    end = shock.at + shock.duration
    stop = context.clock.tick_at(end)
    start = min(context.clock.tick_at(shock.at), stop - 1)
    first = max(0, start + 1)
    rows = max(0, min(stop, context.last) - first + 1)
    step = math.log1p(shock.return_) / max(1, stop - start)
    return ReturnEffect(
        label=where(f"{shock.asset} {100.0 * shock.return_:+.4g} %", shock.venue),
        end=end,
        first=first,
        assets=(context.asset(shock.asset),),
        values=np.full((rows, 1), step),
        venue=context.venue(shock.venue),
    )
