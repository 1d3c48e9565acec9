"""Venues whose forced orders do not reach the market.

"Had not sold" means: the accounts of a silenced venue are closed when and as far as they would
be, and their orders are left out of the net order of each market. They fill at the price of the
batch that they are part of, which the orders of the others make: the average price of these, or
the last price P where nobody else trades,

    net_m = sum of q over the orders of venues that are not silenced,     price_m = A_m(net_m),
    A_m(0) = P

with q [contracts] and A_m the average price along the impact curve of market m [quote/base]. The
other side is the outside liquidity, as of any order. So losses are still counted while no price,
and therefore nobody else, is moved. What a silenced venue's backstop, storefront or bands trade is
left out likewise: it is forced selling under another name. Auto-deleveraging moves no price anyhow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, IntArray
from sim.engine.causes import Booking

if TYPE_CHECKING:
    from sim.schema import Scenario

OF_VENUE = ("liquidation", "backstop")
"""Causes that name the venue whose orders they are."""

OF_MARKET = ("trade:bands", "trade:storefront")
"""Causes of protocols, which trade on the markets of their own venue alone."""


class Silence:
    """Leaves the forced orders of silenced venues out of what moves a market.

    Parameters
    ----------
    scenario : Scenario

    Attributes
    ----------
    venues : (V,) bool
        Venues that are silenced.
    any : bool
        Whether one is.
    """

    def __init__(self, scenario: Scenario) -> None:
        names = scenario.counterfactual.silence
        self.venues: BoolArray = np.array([name in names for name in scenario.venues], dtype=bool)
        self.any = bool(names)
        everywhere = {f"{kind}:{name}" for kind in OF_VENUE for name in names}
        self._unheard = [
            frozenset(everywhere | set(OF_MARKET if market.venue in names else ()))
            for market in scenario.markets
        ]

    def heard(self, flow: dict[int, dict[Booking, float]]) -> dict[int, dict[Booking, float]]:
        """Return the part of a flow that reaches the markets; the flow itself where all does."""
        if not self.any:
            return flow
        loud = {
            m: {booking: q for booking, q in parts.items() if booking[0] not in self._unheard[m]}
            for m, parts in flow.items()
        }
        return {m: parts for m, parts in loud.items() if parts}

    def of(self, clearer: IntArray) -> BoolArray:
        """Return which accounts (N,) of these clearers (N,) are silenced."""
        return np.asarray(self.venues[clearer])
