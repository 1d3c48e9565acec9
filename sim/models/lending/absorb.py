"""Absorption: the protocol takes a whole account over and sells its collateral at a discount.

For collateral worth V [quote] at the oracle's price P [quote/base] with liquidation factor f [1],
and the storefront factor s [1],

    credit = f V,      ask = P (1 - s (1 - f))

The account keeps what the credit exceeds its debt by; the protocol sells at the ask while its
reserves are below their target, and so gains q ask - credit (Compound v3, Comet.sol and
configuration.json of the mainnet USDC market, seen 2026: WETH f 0.95, s 0.5, target 5e6).
"""

from __future__ import annotations

from sim.core.arrays import FloatArray


def credit_price(price: FloatArray | float, factor: FloatArray | float) -> FloatArray | float:
    """Return what an account is credited per unit of collateral [quote/base]."""
    return price * factor


def ask_price(
    price: FloatArray | float, factor: FloatArray | float, storefront: float
) -> FloatArray | float:
    """Return the price at which the protocol sells collateral [quote/base]."""
    return price * (1.0 - storefront * (1.0 - factor))
