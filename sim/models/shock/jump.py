"""Jump: one instant return.

    r(t) = ln(1 + R)    at the first tick t with  t dt >= at,  0 elsewhere

=======  =====================================  ======
symbol   meaning                                unit
=======  =====================================  ======
R        `return`, simple return, > -1          1
at       time of the jump                       s
dt       tick                                   s
r        exogenous log-return                   1
=======  =====================================  ======

The asset's price is multiplied by 1 + R whatever else moves it at that tick. A jump at or
after the end of the run never happens.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sim.models.shock.base import SHOCKS, ReturnEffect, ShockContext, empty_returns, where

if TYPE_CHECKING:
    from sim.schema.shocks import Jump


@SHOCKS.register("jump")
def build_jump(shock: Jump, context: ShockContext) -> ReturnEffect:
    """Build a jump; see the formula above."""
    first = context.clock.tick_at(shock.at)
    values = empty_returns(1)
    if first <= context.last:
        values = np.array([[math.log1p(shock.return_)]])
    return ReturnEffect(
        label=where(f"{shock.asset} {100.0 * shock.return_:+.4g} %", shock.venue),
        end=None,
        first=first,
        assets=(context.asset(shock.asset),),
        values=values,
        venue=context.venue(shock.venue),
    )
