"""Liquidation of a position against a pool: GMX v2.

A position of size S [quote] opened at price e with collateral C is liquidatable where

    C + PnL + min(impact, 0), at least -cap S  -  close fee S  <  S f

with the minimum collateral factor f; PnL = S (P / e - 1) for a long. The liquidation fee (0.2 % of
the size for BTC) is left out of the test and charged after it (gmx-io/gmx-synthetics,
PositionUtils.sol and markets.ts, seen 2026: BTC f 0.5 %, close fee 0.04 or 0.06 %, the capped
impact of a liquidation 0).
"""

from __future__ import annotations


def liquidation_price(
    size: float,
    entry: float,
    collateral: float,
    *,
    factor: float = 0.005,
    close_fee: float = 0.0006,
    side: float = 1.0,
) -> float:
    """Return the price [quote/base] beyond which a position may be liquidated.

    Parameters
    ----------
    size, collateral : float [quote]
    entry : float [quote/base]
    factor, close_fee : float [1]
        Minimum collateral and close fee, per size.
    side : float
        1 for a long, -1 for a short.
    """
    return entry * (1.0 + side * (factor + close_fee - collateral / size))


def liquidation_fee(size: float, rate: float = 0.002) -> float:
    """Return the fee [quote] that a liquidated position of a size [quote] is charged."""
    return size * rate
