"""The markets of the plain programs: noise, recovery, forced orders and what they pass on.

This part is the same for all of them and is not what they are compared by. The curves of impact
are those of `sim.models.impact`; the rest is written down again from `docs/models.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray

if TYPE_CHECKING:
    from benchmarks.baselines.opening import Opening

CANCELLED = 1e-12
"""Net order, as a share of the gross one, that is only the rounding of orders that cancel."""


class Market:
    """Prices (M,) of all markets.

    Attributes
    ----------
    tick : int
        Next tick.
    last, anchor : (M,) float64 [quote/base]
    """

    def __init__(self, opening: Opening) -> None:
        self.tick = self.first = opening.tick
        self.last, self.anchor = opening.last.copy(), opening.anchor.copy()
        self.lowest, self.impact, self.groups = opening.lowest, opening.impact, opening.groups
        self.growth = np.exp(opening.returns)
        self.left = np.array([impact.decay_factor(opening.seconds) for impact in self.impact])
        self.reverting = np.array([1.0 - impact.permanent_share for impact in self.impact])

    def begin_tick(self) -> None:
        """Move prices by the noise of the next tick and let displaced books recover."""
        growth = self.growth[self.tick - self.first]
        self.last *= growth
        self.anchor *= growth
        if self.tick:
            gap = self.last - self.anchor
            self.last -= self.reverting * gap * (1.0 - self.left)
            self.anchor = self.last - self.left * gap
        self.tick += 1

    def execute(self, net: FloatArray, gross: FloatArray) -> FloatArray:
        """Fill forced orders and let the quotes of other venues follow.

        Parameters
        ----------
        net, gross : (M,) float64 [contracts]
            Signed sum of the orders of each market, and the sum of their sizes.

        Returns
        -------
        (M,) float64 [quote/base]
            Average price of each market's orders.
        """
        before = self.last.copy()
        average, moved = before.copy(), np.zeros(len(before))
        for m in np.flatnonzero(np.abs(net) > CANCELLED * gross).tolist():
            price = before.item(m)
            fill = self.impact[m].execute(
                price, self.anchor.item(m), net.item(m), 1.0, self.lowest.item(m)
            )
            average[m], moved[m] = fill.average_price, fill.price_after - price
        self.last += moved
        for markets, phi in self.groups:
            own = moved[markets]
            self.last[markets] += phi * (own.sum() - own)
        np.maximum(self.last, np.minimum(self.lowest, before), out=self.last)
        return average
