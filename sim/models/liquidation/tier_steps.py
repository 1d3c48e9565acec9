"""Down the margin tiers: positions shrink to where the margin rate is lower.

Position i of notional N [quote] in tier k (1 is the lowest) of the ladder with floors f is
reduced, where k >= max(from_tier, 2), to just below the floor of the tier above the one it
goes to,

    N' = (1 - 1e-9) f(max(k - drop, 1) + 1)

so that it lies in tier ``max(k - drop, 1)``. Other positions of the account are kept. An
account is closed whole instead if

- none of its positions that can trade lies so high,
- its equity is below what its positions would require at the rate of the lowest tier,
  ``sum r_1 N``, or
- it has been reduced ``rounds`` times in this episode (where that is not given, as often as
  its longest ladder has steps).

Binance (docs "Liquidation protocol"; FAQ 360033525271, seen 2026): one order to lower the tier,
then the rest is closed: drop 1, rounds 1. OKX (coin-margined page, copy at amorrr.com/14966):
from tier 3, and while the ratio is above the need of tier 1, two tiers at a time, else a
takeover of the whole: drop 2, from tier 3. BitMEX (testnet.bitmex.com/app/liquidation): the risk
limit is lowered step by step before a takeover: drop 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import IntArray, sums
from sim.models.liquidation.base import Distressed, Sizes, sale_rules

if TYPE_CHECKING:
    from sim.models.margin import MarginTables

JUST_BELOW = 1e-9
"""Share of a floor by which a reduced position stays below it; a notional at a floor is in the
tier above."""


@sale_rules.register("tier_steps")
def tier_steps(distressed: Distressed, tables: MarginTables, config: Any) -> Sizes:
    """Return the share (S,) of each position to sell.

    Parameters
    ----------
    distressed : Distressed
    tables : MarginTables
    config : object
        ``drop``, ``from_tier`` and ``rounds`` [tiers].
    """
    place = distressed.clearer, distressed.market
    count, owner = len(distressed.equity), distressed.owner
    tier = tables.tier(*place, distressed.notional)
    reduced = distressed.tradable & (tier >= max(config.from_tier - 1, 1))
    lower = np.maximum(tier - config.drop, 0)
    above = np.minimum(lower + 1, tables.floor.shape[-1] - 1)
    ceiling = np.where(reduced, tables.floor[(*place, above)], 0.0) * (1.0 - JUST_BELOW)
    share = np.where(reduced, 1.0 - ceiling / np.where(reduced, distressed.notional, 1.0), 0.0)
    least = tables.rate[(*place, np.zeros_like(tier))] * distressed.notional * distressed.worth
    whole = sums(owner, reduced, count) == 0.0
    whole |= distressed.equity < sums(owner, least, count)
    whole |= distressed.step >= _rounds(distressed, tables, config.rounds)
    return Sizes(np.where(whole[owner], 1.0, share))


def _rounds(distressed: Distressed, tables: MarginTables, rounds: int | None) -> IntArray:
    """Return the reductions (N,) that an account is allowed."""
    floors = tables.floor[distressed.clearer, distressed.market]
    steps = np.isfinite(floors).sum(axis=-1) - 1
    longest = np.zeros(len(distressed.equity), dtype=np.int64)
    np.maximum.at(longest, distressed.owner, steps)
    return longest if rounds is None else np.minimum(longest, rounds)
