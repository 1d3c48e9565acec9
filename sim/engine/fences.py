"""Ring-fenced venues: which links between venues there are.

Every venue is in a group: the ring-fenced ones each in a group of their own, all others in group 0.
Nothing but exogenous returns crosses the border of a group:

- a coupling ties the markets within each group that has two or more of them;
- an index is made of the markets of the group; where the venue's rule gives weight to none of
  them, all of them count alike;
- an asset is valued over the markets of group 0, where one lists it; a ring-fenced venue counts
  collateral that it lists itself at ``p_0 P / P_0``, with p_0 the opening value of the asset
  [numeraire], P the last price of the venue's own market in the value of its quote asset and P_0
  what that was at the opening. Its first spot market counts, else its first market;
- top-ups come from the outside wallet or from accounts in the same group;
- accounts with positions on markets of several groups are divided (`sim.engine.dividing`).

What stays common is the outside wallet of a trader, who may empty it for either side; the value of
a quote asset that the fenced venue does not list itself; and the values at which the desk turns the
collateral of closed accounts, and what funds hold, into money.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, IntArray
from sim.engine.collateral import local_prices
from sim.kernels.collateral import LocalPrices

if TYPE_CHECKING:
    from sim.schema import Scenario


def fence_groups(scenario: Scenario) -> IntArray:
    """Return the group (V,) of each venue: 0, or a number of its own where it is ring-fenced."""
    fenced = list(scenario.counterfactual.ring_fence)
    return np.array(
        [fenced.index(name) + 1 if name in fenced else 0 for name in scenario.venues],
        dtype=np.int64,
    )


def peers(scenario: Scenario) -> BoolArray:
    """Return which markets (M, M) are in one group, and so may see each other."""
    names = list(scenario.venues)
    of_venue = fence_groups(scenario)
    group = of_venue[[names.index(market.venue) for market in scenario.markets]]
    return np.asarray(group[:, None] == group[None, :])


def common_markets(scenario: Scenario, markets: IntArray) -> IntArray:
    """Return those of the markets of an asset that value it for all: group 0, else all."""
    fenced = scenario.counterfactual.ring_fence
    shared = [int(m) for m in markets if scenario.markets[m].venue not in fenced]
    return np.array(shared, dtype=np.int64) if fenced and shared else markets


def fenced_prices(scenario: Scenario, columns: IntArray) -> LocalPrices:
    """Return which clearers count which balance assets (K,) at a price of their own.

    Those of `local_prices`, and of ring-fenced venues all assets that they list.
    """
    local = local_prices(scenario, columns)
    names, venues = list(scenario.assets), list(scenario.venues)
    taken = set(zip(local.own_clearer.tolist(), local.own_column.tolist(), strict=True))
    taken |= set(zip(local.par_clearer.tolist(), local.par_column.tolist(), strict=True))
    own: list[tuple[int, int, int]] = []
    scale: list[float] = []
    for name in scenario.counterfactual.ring_fence:
        v = venues.index(name)
        for k, asset in enumerate(names[int(column)] for column in columns):
            market = _own_market(scenario, name, asset)
            if market is None or (v, k) in taken:
                continue
            listed = scenario.markets[market]
            worth = scenario.market_price(listed) * scenario.assets[listed.quote].price
            own.append((v, k, market))
            scale.append(scenario.assets[asset].price / worth)
    if not own:
        return local
    added = np.array(own, dtype=np.int64).T
    return local._replace(
        own_clearer=np.concatenate([local.own_clearer, added[0]]),
        own_column=np.concatenate([local.own_column, added[1]]),
        own_market=np.concatenate([local.own_market, added[2]]),
        own_price=np.zeros(len(local.own_price) + len(own)),
        own_scale=np.concatenate([local.own_scale, scale]),
    )


def _own_market(scenario: Scenario, venue: str, asset: str) -> int | None:
    """Return a venue's first spot market of an asset, else its first market, else None."""
    mine = [
        (m, at) for m, at in enumerate(scenario.markets) if (at.venue, at.base) == (venue, asset)
    ]
    spot = [m for m, at in mine if at.kind in ("spot", "collateral")]
    return next(iter([*spot, *(m for m, _ in mine)]), None)
