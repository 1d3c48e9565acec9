"""Slices: a fixed share of the original size per batch, until the account complies.

In the k-th batch of an episode (k = 0, 1, ...) the account sells ``slice`` of the size it had
when the episode began, that is the share

    G_k = slice / (1 - k slice)

of what is left; the last batch sells the rest. The episode lasts until the margin ratio stands
at ``target_ratio`` or above. An account without equity is closed whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.liquidation.base import Distressed, sale_rules

if TYPE_CHECKING:
    from sim.models.margin import MarginTables


@sale_rules.register("partial")
def partial(distressed: Distressed, tables: MarginTables, config: Any) -> FloatArray:
    """Return the share of every tradable position to sell (N,); ``config.slice``."""
    left = 1.0 - distressed.step * config.slice
    share = np.where(left > config.slice * (1.0 + 1e-9), config.slice / np.maximum(left, 1e-300), 1)
    return np.where(distressed.equity < 0.0, 1.0, share)
