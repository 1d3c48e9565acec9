"""What the markets and assets of a scenario are worth at the start, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray
from sim.engine.collateral import local_prices

if TYPE_CHECKING:
    from sim.schema import Scenario


@dataclass(frozen=True)
class Listing:
    """Markets (M), venues (V) and assets (X) of a scenario, numbered in its order.

    Attributes
    ----------
    venue, quote : (M,) int64
        Venue that lists each market, and its quote asset.
    price : (M,) float64 [quote/base]
        Initial price.
    contract_value : (M,) float64 [numeraire per contract]
        ``price * multiplier * asset_price[quote]``.
    multiplier : (M,) float64 [base per contract]
    carries : (M,) bool
        True where positions can be held (all but spot markets).
    long_only : (M,) bool
        True where they can only be long (collateral).
    asset_price : (X,) float64 [numeraire]
    counted : (V, X) float64 [1]
        Share of an asset's value that a clearer counts as collateral, ``1 - haircut``.
    collateral_price : (V, X) float64 [numeraire]
        Value of which it counts that share: of the asset, or by its own spot market.
    """

    venue: IntArray
    quote: IntArray
    price: FloatArray
    contract_value: FloatArray
    multiplier: FloatArray
    carries: BoolArray
    long_only: BoolArray
    asset_price: FloatArray
    counted: FloatArray
    collateral_price: FloatArray

    @classmethod
    def from_scenario(cls, scenario: Scenario) -> Listing:
        """Read the listing of a scenario.

        A market without a price of its own starts at ``assets[base].price /
        assets[quote].price``; a venue's haircut on an asset takes precedence over the asset's.
        """
        assets, venues = list(scenario.assets), list(scenario.venues)
        worth = {name: asset.price for name, asset in scenario.assets.items()}
        price = np.array([scenario.market_price(m) for m in scenario.markets], dtype=np.float64)
        unit = np.array([m.multiplier * worth[m.quote] for m in scenario.markets])
        haircut = [
            [venue.collateral.get(name, asset.haircut) for name, asset in scenario.assets.items()]
            for venue in scenario.venues.values()
        ]
        return cls(
            venue=np.array([venues.index(m.venue) for m in scenario.markets], dtype=np.int64),
            quote=np.array([assets.index(m.quote) for m in scenario.markets], dtype=np.int64),
            price=price,
            contract_value=price * unit,
            multiplier=np.array([m.multiplier for m in scenario.markets], dtype=np.float64),
            carries=np.array([m.kind != "spot" for m in scenario.markets]),
            long_only=np.array([m.kind == "collateral" for m in scenario.markets]),
            asset_price=np.array(list(worth.values()), dtype=np.float64),
            counted=1.0 - np.array(haircut, dtype=np.float64),
            collateral_price=_collateral_price(scenario, price),
        )


def _collateral_price(scenario: Scenario, price: FloatArray) -> FloatArray:
    """Return what one unit of each asset is worth to each clearer (V, X) at the start."""
    worth = np.array([asset.price for asset in scenario.assets.values()], dtype=np.float64)
    local = local_prices(scenario, np.arange(len(worth)))
    found = np.tile(worth, (len(scenario.venues), 1))
    quote = [list(scenario.assets).index(scenario.markets[m].quote) for m in local.own_market]
    found[local.own_clearer, local.own_column] = price[local.own_market] * worth[quote]
    return found
