"""What accounts and their traders have before the first tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, add_to, blocks

if TYPE_CHECKING:
    from sim.engine.cells import Cells
    from sim.engine.world import World


class Opening(NamedTuple):
    """A world before its first tick.

    Attributes
    ----------
    equity, maintenance : (V,) float64 [numeraire]
        Equity and maintenance margin of the accounts that each venue clears.
    wealth : float [numeraire]
        As `wealth` gives it.
    """

    equity: FloatArray
    maintenance: FloatArray
    wealth: float


def opening_of(world: World, cells: Cells) -> Opening:
    """Return the opening of a world that has not begun."""
    maintenance = np.zeros(len(world.venue_names))
    for part in blocks(world.accounts):
        world.revalue(np.arange(part.start, part.stop))
        add_to(maintenance, world.clearer[part], world.out.maintenance[part])
    return Opening(cells.by_clearer(cells.equity()), maintenance, wealth(world, cells))


def wealth(world: World, cells: Cells) -> float:
    """Return the equity of all accounts, and the money in wallets and between accounts [numeraire].

    Collateral in accounts counts after the haircuts of their clearers, all other money in full.
    """
    outside = np.append(world.wallet_row[world.wallet_row >= 0], world.plan.transit)
    money = world.ledger.balance[outside] * world.asset_price[world.columns]
    return float(cells.equity().sum() + money.sum())
