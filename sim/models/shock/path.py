"""Path: the returns of a given path of prices.

    r(t) = ln(Q(t dt) / Q((t - 1) dt)),   r(0) = ln(Q(0) / Q_1)
    Q(u) = linear interpolation in price of the points (at + u_k, Q_k), flat outside them

=========  =======================================================  ======
symbol     meaning                                                  unit
=========  =======================================================  ======
u_k, Q_k   `points`, or columns time and price of `file`            s, any
at         time of the path's time 0                                s
dt         tick                                                     s
r          exogenous log-return                                     1
=========  =======================================================  ======

Only ratios to the first price count, so that the level of the path does not matter: the
returns up to tick t sum to ln(Q(t dt) / Q_1). Points between two ticks are passed over. A path
that is not over at the end of the run is cut off there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.models.shock.base import SHOCKS, ReturnEffect, ShockContext, empty_returns, where
from sim.schema.pathfile import load_path

if TYPE_CHECKING:
    from sim.schema.shocks import PathShock


@SHOCKS.register("path")
def build_path(shock: PathShock, context: ShockContext) -> ReturnEffect:
    """Build a path; see the formula above."""
    clock = context.clock
    path = load_path(shock, context.scenario)
    times, prices = path.time + shock.at, path.price
    first = clock.tick_at(float(times[0]))
    stop = min(clock.tick_at(float(times[-1])), context.last)
    values = empty_returns(1)
    if first <= stop:
        level = np.interp(np.arange(first, stop + 1) * clock.seconds, times, prices)
        values = np.diff(np.log(level / prices[0]), prepend=0.0)[:, None]
    return ReturnEffect(
        label=where(f"path of {shock.asset}", shock.venue),
        end=float(times[-1]),
        first=first,
        assets=(context.asset(shock.asset),),
        values=values,
        venue=context.venue(shock.venue),
    )
