"""Full close-out: every tradable position is sold in one batch, ``share = 1``.

Where keepers liquidate loans this is the most they may take; `sim.engine.keepers` lowers it to
what their protocol's rule allows and what pays them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.liquidation.base import Distressed, sale_rules

if TYPE_CHECKING:
    from sim.models.margin import MarginTables


@sale_rules.register("full")
@sale_rules.register("fixed_spread")
@sale_rules.register("absorb")
@sale_rules.register("auction")
@sale_rules.register("bands")
def full(distressed: Distressed, tables: MarginTables, config: Any) -> FloatArray:
    """Return 1 for every account (N,)."""
    return np.ones(len(distressed.equity))
