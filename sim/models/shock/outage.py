"""Outage: a venue does nothing for a time; prices elsewhere go on.

    down(t) = 1    for  at <= t < at + duration,  0 elsewhere

=========  ============================  ====
symbol     meaning                       unit
=========  ============================  ====
at         beginning                     s
duration   length, > 0                   s
t          time of a tick                s
=========  ============================  ====

An outage between two ticks is seen by none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.models.shock.base import SHOCKS, OutageEffect, ShockContext

if TYPE_CHECKING:
    from sim.schema.shocks import Outage


@SHOCKS.register("outage")
def build_outage(shock: Outage, context: ShockContext) -> OutageEffect:
    """Build an outage; see the formula above."""
    venue = context.venue(shock.venue)
    assert venue is not None
    end = shock.at + shock.duration
    return OutageEffect(
        label=f"outage of {shock.venue}",
        end=end,
        venue=venue,
        first=context.clock.tick_at(shock.at),
        stop=context.clock.tick_at(end),
    )
