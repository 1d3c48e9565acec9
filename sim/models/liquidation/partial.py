"""Slices: a fixed share of the original size per batch, until the account complies.

In the k-th batch of an episode (k = 0, 1, ...) the account sells ``slice`` of the size it had
when the episode began, that is the share

    G_k = slice / (1 - k slice)

of what is left; the last batch sells the rest. A batch that a limit price cut short does not
count. The episode lasts until the margin ratio stands at ``target_ratio`` or above.

Sold whole instead are

- a position of a notional (at the mark) of at most ``above`` [quote],
- all positions of an account of which a forced order was filled less than ``whole_within``
  seconds ago,
- all positions of an account without equity.

Hyperliquid (docs, "Liquidations", full text of September 2026): of a position above 100,000 USDC
20 % goes to the book first; in the 30 s after a partial liquidation orders are for the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.models.liquidation.base import Distressed, Sizes, sale_rules, slice_of_rest

if TYPE_CHECKING:
    from sim.models.margin import MarginTables


@sale_rules.register("partial")
def partial(distressed: Distressed, tables: MarginTables, config: Any) -> Sizes:
    """Return the share (S,) of each position to sell.

    Parameters
    ----------
    distressed : Distressed
    tables : MarginTables
    config : object
        ``slice`` [1] and ``above`` [quote]; ``whole_within`` is in ``distressed.recent``.
    """
    share = slice_of_rest(distressed.step, config.slice)
    share = np.where((distressed.equity < 0.0) | distressed.recent, 1.0, share)
    small = distressed.notional <= config.above
    return Sizes(np.where(small, 1.0, share[distressed.owner]))
