"""Sell just enough to stand at a target margin ratio, at the marks before the sale.

The share sold of every tradable position is the smallest G in [0, 1] with

    equity >= target * maintenance(kept) + buffer * notional(kept)
    equity >= required * maintenance(kept),       kept = (1 - G) tradable + untradable

price impact and fees not foreseen; if they leave the account short it sells again in the next
generation. ``required`` is the ratio below which the account was taken. With one flat rate and
no buffer this is the rule of Cont and Schaanning (2017): a bank whose leverage exceeds
``lambda_max`` sells ``G = min(1, (assets - lambda_b equity) / securities)`` with rate
``1 / lambda_max`` and target ``lambda_max / lambda_b``.

With a buffer the episode lasts until the first line holds: the account is held to the ratio

    target + buffer * notional / maintenance

at the marks of its last batch. Drift (protocol-v2, `math/liquidation.rs`, seen 2026) ends a
liquidation at a maintenance margin with a buffer of 2 % of notional.

At most ``most_share`` of the size at the start of the episode is sold per batch, so that
``ceil(1 / most_share)`` batches of that size sell everything; an account without equity is closed
whole.
Deribit (support article 25944769313309, seen 2026) sells in rounds, one per second, and stops as
soon as the account complies.

The kept share solves a convex equation; Newton's method from above ends on the exact root after at
most one step per tier and position where margin is piecewise linear in the share, and converges
quadratically where it depends on the size of the position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.liquidation.base import SMALLEST_SALE, Distressed, sale_rules

if TYPE_CHECKING:
    from sim.models.margin import MarginTables

SLIVER = 1e-9
"""Kept share below which nothing is kept."""


def kept_share(
    distressed: Distressed, tables: MarginTables, target: FloatArray, extra: float = 0.0
) -> FloatArray:
    """Return the largest share (N,) of the tradable positions that the account may keep.

    Parameters
    ----------
    distressed : Distressed
    tables : MarginTables
    target : (N,) float64 [1]
        Ratio of equity to margin.
    extra : float [1]
        Share of notional asked on top of the maintenance margin.
    """
    allowed = distressed.equity / target
    kept = np.ones(len(allowed))
    floor, _ = distressed.margin_at(tables, np.zeros(len(allowed)), extra)
    for _ in range(1000):
        margin, slope = distressed.margin_at(tables, kept, extra)
        excess = margin - allowed
        moving = (excess > 0.0) & (slope > 0.0) & (kept > 0.0)
        step = np.where(moving, excess / np.where(slope > 0.0, slope, 1.0), 0.0)
        lower = np.maximum(kept - step, 0.0)
        if not (lower < kept).any():
            break
        kept = lower
    # Where even selling everything tradable leaves the account short, it sells everything;
    # a sliver that rounding would leave is no position.
    return np.where((floor > allowed) | (kept < SLIVER), 0.0, kept)


@sale_rules.register("to_target")
def to_target(distressed: Distressed, tables: MarginTables, config: Any) -> FloatArray:
    """Return the share of every tradable position to sell (N,).

    Parameters
    ----------
    distressed : Distressed
    tables : MarginTables
    config : object
        ``target_ratio``, ``buffer`` and ``most_share`` [1].
    """
    if config.buffer > 0.0:
        target = np.full(len(distressed.equity), config.target_ratio)
        kept = np.minimum(
            kept_share(distressed, tables, target, config.buffer / config.target_ratio),
            kept_share(distressed, tables, distressed.required),
        )
    else:
        kept = kept_share(distressed, tables, np.maximum(config.target_ratio, distressed.required))
    share = np.maximum(1.0 - kept, SMALLEST_SALE)
    if config.most_share < 1.0:
        last = distressed.kept <= config.most_share * (1.0 + SLIVER)
        most = np.where(last, 1.0, config.most_share / np.where(last, 1.0, distressed.kept))
        share = np.where(distressed.equity < 0.0, 1.0, np.minimum(share, most))
    return share


def buffered_ratio(
    maintenance: FloatArray, notional: FloatArray, target: float, buffer: float
) -> FloatArray:
    """Return the margin ratio (N,) at which a liquidation with a buffer ends.

    Parameters
    ----------
    maintenance, notional : (N,) float64 [numeraire]
        Of the accounts now; a ratio of 1 where nothing is required.
    target, buffer : float [1]
    """
    some = maintenance > 0.0
    return np.where(some, target + buffer * notional / np.where(some, maintenance, 1.0), 1.0)


def size_for_shortage(
    shortage: float, price: float, margin_ratio: float, liquidator_fee: float, fund_fee: float
) -> float:
    """Return the size that frees a shortage of margin when it is sold with fees.

    A unit sold frees ``price margin_ratio`` of margin and costs the two fees, so

        size = shortage / (price (margin_ratio - liquidator_fee) - price fund_fee)

    (Drift, protocol-v2, `math/liquidation.rs`, seen 2026).

    Parameters
    ----------
    shortage : float [quote]
        Margin that the account lacks, buffer included, >= 0.
    price : float [quote/base]
    margin_ratio : float [1]
    liquidator_fee, fund_fee : float [1]
        Shares of what is sold that go to the liquidator and to the insurance fund.

    Returns
    -------
    float [base]
        Infinite where the fees eat up what a sale frees.
    """
    freed = price * (margin_ratio - liquidator_fee) - price * fund_fee
    return shortage / freed if freed > 0.0 else float("inf")
