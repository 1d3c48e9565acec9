"""Small orders per block, no worse than a fillable price (dYdX v4).

In every block one position of each liquidatable account is picked at random, each that can
trade with the same chance. Symbols, in numeraire unless said otherwise:

- ``E`` equity of the account (total net collateral), ``M`` its maintenance margin;
- ``N`` notional and ``m`` maintenance margin of the position, ``p`` its mark [quote/base].

How far the account has gone from its maintenance margin to bankruptcy, and the fillable price::

    a = clamp(bankruptcy_adjustment (1 - E / M), 0, 1)
    f = p (1 -+ a spread_to_maintenance m / N)             - for a long position, + for a short

No order fills at a worse price on average. The notional of the order is at most ``N``,
``most_account``, the larger of ``share N`` and ``least``, and what loses ``most_fund_loss`` to the
bankruptcy price when it fills at ``f``.

The bankruptcy price of an order that lowers the position's maintenance margin by ``d`` is the one
at which the account loses ``E d / M``. What the order gains over it is::

    surplus = E d / M - loss                  loss against the mark when it fills

    fee = min(most_fee value, surplus)        where surplus >= 0, paid by the account
    -surplus                                  where it is negative, paid to it by the fund

Source: dydxprotocol/v4-chain, `protocol/x/clob/keeper/liquidations.go`, and the defaults of
`protocol/testing/genesis.sh` (seen 2026). There the limit on what a fund loses is compared with
the actual fill; here it bounds the size by the worst one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, sums
from sim.models.liquidation.base import Distressed, Sizes, sale_rules

if TYPE_CHECKING:
    from sim.models.margin import MarginTables


def bankruptcy_share(
    equity: FloatArray, maintenance: FloatArray, adjustment: float = 1.0
) -> FloatArray:
    """Return how far accounts (N,) have gone to bankruptcy: 0 at their margin, 1 at none left."""
    some = maintenance > 0.0
    ratio = np.where(some, equity / np.where(some, maintenance, 1.0), np.sign(equity))
    return np.clip(adjustment * (1.0 - ratio), 0.0, 1.0)


def fillable_price(
    mark: FloatArray, side: FloatArray, rate: FloatArray, gone: FloatArray, spread: float
) -> FloatArray:
    """Return the worst price (S,) at which positions may be closed [quote/base], >= 0.

    Parameters
    ----------
    mark : (S,) float64 [quote/base]
    side : (S,) float64
        1 for a long position, -1 for a short one.
    rate : (S,) float64 [1]
        Maintenance margin of the position over its notional.
    gone : (S,) float64 [1]
        `bankruptcy_share` of its account.
    spread : float [1]
        ``spread_to_maintenance``.
    """
    return np.asarray(np.maximum(mark * (1.0 - side * gone * spread * rate), 0.0))


def block_notional(
    notional: FloatArray, share: float, least: float, most_account: float
) -> FloatArray:
    """Return how much of positions (S,) may be closed in one block [quote]."""
    allowed = np.minimum(np.maximum(share * notional, least), most_account)
    return np.asarray(np.minimum(allowed, notional))


def cushion(equity: FloatArray, maintenance: FloatArray, freed: FloatArray) -> FloatArray:
    """Return what orders (S,) may lose before they fill at their bankruptcy prices [numeraire].

    Parameters
    ----------
    equity, maintenance : (S,) float64 [numeraire]
        Of each order's account before it; negative equity gives a negative cushion.
    freed : (S,) float64 [numeraire]
        Maintenance margin that the order frees, >= 0.
    """
    some = maintenance > 0.0
    return np.where(some, equity * freed / np.where(some, maintenance, 1.0), equity)


def picked(distressed: Distressed) -> BoolArray:
    """Return which positions (S,) are picked: one of each account that has any it can trade."""
    owner, count = distressed.owner, len(distressed.equity)
    eligible = distressed.tradable.astype(np.float64)
    total = sums(owner, eligible, count)
    first = np.concatenate([[0.0], np.cumsum(total)[:-1]])
    number = np.cumsum(eligible) - 1.0 - first[owner]
    chosen = np.minimum(np.floor(distressed.draw * total), total - 1.0)
    return np.asarray(distressed.tradable & (number == chosen[owner]))


@sale_rules.register("per_block")
def per_block(distressed: Distressed, tables: MarginTables, config: Any) -> Sizes:
    """Return share and limit price (S,) of the order of each position; 0 for those not picked.

    Parameters
    ----------
    distressed : Distressed
    tables : MarginTables
    config : object
        The keys of the formulas above.
    """
    owner, notional = distressed.owner, distressed.notional
    own = tables.maintenance_margin(
        distressed.clearer, distressed.market, notional, distressed.size
    )
    rate = own / notional
    gone = bankruptcy_share(
        distressed.equity, distressed.maintenance, config.bankruptcy_adjustment
    )[owner]
    limit = fillable_price(
        distressed.mark, distressed.side, rate, gone, config.spread_to_maintenance
    )
    bust = cushion(
        distressed.equity[owner], distressed.maintenance[owner], own * distressed.worth
    ) / (notional * distressed.worth)
    allowed = block_notional(notional, config.share, config.least, config.most_account)
    lost = (gone * config.spread_to_maintenance * rate - bust) * distressed.worth
    most = config.most_fund_loss / np.where(lost > 0.0, lost, 1.0)
    allowed = np.where(lost > 0.0, np.minimum(allowed, most), allowed)
    share = np.where(picked(distressed), np.minimum(allowed / notional, 1.0), 0.0)
    return Sizes(share, limit)
