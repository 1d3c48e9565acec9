"""Full close-out: every tradable position is sold in one batch, ``share = 1``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.liquidation.base import Distressed, sale_rules

if TYPE_CHECKING:
    from sim.models.margin import MarginTables


@sale_rules.register("full")
def full(distressed: Distressed, tables: MarginTables, config: Any) -> FloatArray:
    """Return 1 for every account (N,)."""
    return np.ones(len(distressed.equity))
