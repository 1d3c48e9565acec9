"""Hold: no orders; positions change only by force."""

from __future__ import annotations

from typing import Any

from sim.models.behaviour.base import CohortView, Orders, behaviours


@behaviours.register("hold")
class Hold:
    """Never trades."""

    needs_equity = False
    idle = True
    rests = False

    def __init__(self, config: Any, view: CohortView) -> None:
        pass

    def decide(self, view: CohortView) -> Orders:
        """Return no orders."""
        return Orders.none()
