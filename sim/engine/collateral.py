"""What collateral counts at where a clearer does not go by its value over all venues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.kernels.collateral import LocalPrices
from sim.kernels.size import NO_SIZES

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.schema import Scenario


def local_prices(scenario: Scenario, columns: IntArray) -> LocalPrices:
    """Return which clearers count which balance assets (K,) at a price of their own.

    Where a venue lists several spot markets of an asset, the first one prices it. The own prices
    are not filled in yet.
    """
    names = [list(scenario.assets)[k] for k in columns]
    own: list[tuple[int, int, int]] = []
    par: list[tuple[int, int]] = []
    for v, (name, venue) in enumerate(scenario.venues.items()):
        for k, asset in enumerate(names):
            how = venue.collateral_price.get(asset, "index")
            if how == "par":
                par.append((v, k))
            elif how == "own":
                own.append((v, k, _spot_market(scenario, name, asset)))
    at = np.array(own, dtype=np.int64).reshape(-1, 3).T
    fixed = np.array(par, dtype=np.int64).reshape(-1, 2).T
    price = [scenario.assets[names[k]].price for _, k in par]
    return LocalPrices(
        own_clearer=at[0].copy(),
        own_column=at[1].copy(),
        own_market=at[2].copy(),
        own_price=np.zeros(len(own)),
        par_clearer=fixed[0].copy(),
        par_column=fixed[1].copy(),
        par_price=np.array(price, dtype=np.float64),
        own_scale=np.ones(len(own)),
    )


def _spot_market(scenario: Scenario, venue: str, asset: str) -> int:
    markets = enumerate(scenario.markets)
    return next(m for m, at in markets if (at.venue, at.base, at.kind) == (venue, asset, "spot"))


def held_unit(world: World, column_unit: FloatArray, own_unit: FloatArray) -> FloatArray:
    """Return the units of distance (V, K) of what clearers count collateral at, or nothing.

    Parameters
    ----------
    world : World
    column_unit, own_unit : (K,), (C,) float64 [numeraire]
        Units of the values of the balance assets, and of the own prices.
    """
    local = world.local
    if not local.exist:
        return NO_SIZES
    unit = np.tile(column_unit, (len(world.venue_names), 1))
    unit[local.own_clearer, local.own_column] = own_unit
    unit[local.par_clearer, local.par_column] = 0.0
    return unit


def money_values(world: World) -> FloatArray:
    """Return the values [numeraire] of quote and balance assets, and of collateral by own books."""
    price = world.asset_price
    of_quotes, of_columns = price[world.board.quote], price[world.columns]
    return np.concatenate([of_quotes, of_columns, world.local.own_price])
