"""Stop-loss: a position is closed once its mark has moved far enough against it.

    close if  side * (1 - P / e) >= trigger,      side = sign(q)

with mark price P, entry price e [quote/base] and trigger [1]. The mark is that of the end of
the tick before, as a resting stop order sees it. Collateral deposited without a price (e = 0) has
no stop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.models.behaviour.base import CohortView, Orders, behaviours


@behaviours.register("stop_loss")
class StopLoss:
    """Closes losing positions at a fixed adverse move."""

    needs_equity = False
    idle = False
    rests = True

    def __init__(self, config: Any, view: CohortView) -> None:
        self.trigger = float(config.trigger)

    def decide(self, view: CohortView) -> Orders:
        """Return closing orders for the positions whose stop is reached."""
        held = (view.quantity != 0.0) & (view.entry_price > 0.0)
        entry = np.where(held, view.entry_price, 1.0)
        adverse = np.sign(view.quantity) * (1.0 - view.mark_price[view.market] / entry)
        slots = np.flatnonzero(held & (adverse >= self.trigger))
        return Orders(slots, -view.quantity[slots])
