"""Liquidation at a fixed spread: how much of a debt keepers may repay, and for what.

A keeper repays R [quote] and takes collateral worth R (1 + b) at the oracle's price, b the bonus.
The protocol gets the share p of the bonus, p b R. For a debt D and collateral V [quote]

    R <= min(c D, V / (1 + b))

with the close factor c, which is 1 where the health factor is below `full_below_health` or where
D or V is below `full_if_below`. A repayment that is not complete leaves at least `least_left` of
debt and of collateral (Aave v3, LiquidationLogic.sol, seen 2026: c = 0.5, 0.95, 2,000, 1,000).

Morpho Blue repays any share, with the bonus LIF - 1 that follows from the liquidation LTV [1]:

    LIF = min(1.15, 1 / (1 - 0.3 (1 - LLTV)))            (ConstantsLib.sol, seen 2026)

In terms of an account that holds several collaterals, a liquidation takes the same share s of
each: R(s) = s sum_j V_j / (1 + b_j).
"""

from __future__ import annotations

import numpy as np

from sim.core.arrays import FloatArray

LARGEST_INCENTIVE, CURSOR = 1.15, 0.3
"""Bounds of Morpho Blue's incentive (MAX_LIQUIDATION_INCENTIVE_FACTOR, LIQUIDATION_CURSOR)."""


def incentive_factor(lltv: float) -> float:
    """Return Morpho Blue's liquidation incentive factor [1]: collateral per debt repaid."""
    return min(LARGEST_INCENTIVE, 1.0 / (1.0 - CURSOR * (1.0 - lltv)))


def largest_share(
    value: FloatArray,
    debt: FloatArray,
    claim: FloatArray,
    health: FloatArray,
    *,
    close_factor: float,
    full_below_health: float,
    full_if_below: float,
) -> FloatArray:
    """Return the largest share (N,) [1] of its collateral that may be taken from each loan.

    Parameters
    ----------
    value, debt : (N,) float64
        Collateral and debt, in one money.
    claim : (N,) float64
        Debt that all of the collateral repays, ``sum_j V_j / (1 + b_j)``.
    health : (N,) float64 [1]
    """
    whole = (health < full_below_health) | (debt < full_if_below) | (value < full_if_below)
    factor = np.where(whole, 1.0, close_factor)
    some = claim > 0.0
    return np.where(some, np.minimum(factor * debt / np.where(some, claim, 1.0), 1.0), 0.0)


def without_dust(
    share: FloatArray,
    value: FloatArray,
    debt: FloatArray,
    claim: FloatArray,
    least_left: float,
) -> FloatArray:
    """Return the shares (N,) [1], lowered where too little debt or collateral would be left.

    A share that repays all debt or takes all collateral stands; see `largest_share` for the
    arguments.
    """
    complete = (share >= 1.0) | (share * claim >= debt * (1.0 - 1e-12))
    some = (claim > 0.0) & (value > 0.0)
    by_debt = (debt - least_left) / np.where(some, claim, 1.0)
    by_value = (value - least_left) / np.where(some, value, 1.0)
    most = np.maximum(np.minimum(by_debt, by_value), 0.0)
    return np.where(complete, share, np.minimum(share, np.where(some, most, 0.0)))
