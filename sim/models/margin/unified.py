"""Ratios of unified accounts, where loans, spot and futures share one margin.

Binance portfolio margin (FAQ 5e33af8e6ac04d57a1d0a3398e0a0752 and
4868b2f1aa6c4d08af973328462bb0bd):

    equity = sum_k min(n_k p_k r_k, n_k p_k)
    n_k = assets - loans + futures balance + unrealised profit
    uniMMR = equity / (maintenance of futures + sum_k loan_k rate)

so that the collateral rate r lowers what is owned and never what is owed. Hyperliquid portfolio
margin (docs, portfolio margin): for a borrowed token

    ratio = (20 + maintenance + borrowed) / (balance + min(cap, collateral p (0.5 + 0.5 LTV)))

and the account is liquidatable above 0.95. The reading of that sentence of the documentation is
ours. OKX portfolio margin (help 4417291853837, "scaling factor"): ``max(max(MR1, MR2, MR6) +
MR3 + MR4 + MR5, MR7)``, where the raw minimum charge MR7 counts tier by tier with a multiplier
each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.core.arrays import FloatArray


def unified_equity(net: FloatArray, price: FloatArray, collateral_rate: FloatArray) -> float:
    """Return equity [quote] of net holdings (K,) [coins] at prices and collateral rates (K,)."""
    value = np.asarray(net) * np.asarray(price)
    return float(np.minimum(value * np.asarray(collateral_rate), value).sum())


def unified_ratio(equity: float, futures_maintenance: float, loan_maintenance: float) -> float:
    """Return uniMMR [1]; infinite without maintenance margin."""
    needed = futures_maintenance + loan_maintenance
    return equity / needed if needed > 0.0 else np.inf


def exchange_needed(debt: float, haircut: float) -> float:
    """Return how much collateral value [quote] must be exchanged to repay `debt` [quote]."""
    return debt / (1.0 - haircut)


def carry_ratio(
    borrowed: float,
    maintenance: float,
    balance: float,
    collateral_value: float,
    loan_to_value: float,
    offset: float,
    cap: float = np.inf,
) -> float:
    """Return Hyperliquid's portfolio margin ratio [1]; liquidatable above 0.95."""
    counted = balance + min(cap, collateral_value * (0.5 + 0.5 * loan_to_value))
    return (offset + maintenance + borrowed) / counted


def minimum_charge(raw: float, tiers: Sequence[tuple[float | None, float]]) -> float:
    """Return OKX's minimum charge [quote] from the raw one.

    Parameters
    ----------
    raw : float [quote], >= 0
    tiers : sequence of (upper bound [quote] or None, multiplier)
        Ascending; the last bound is None.
    """
    charge, floor = 0.0, 0.0
    for bound, multiplier in tiers:
        top = raw if bound is None else min(raw, bound)
        charge += max(top - floor, 0.0) * multiplier
        floor = top
    return charge


def okx_maintenance(
    spot_shock: float,
    decay: float,
    vega: float,
    basis: float,
    interest: float,
    extreme: float,
    least: float,
) -> float:
    """Return OKX's maintenance margin [quote] of a risk unit from MR1 to MR7, in that order."""
    return max(max(spot_shock, decay, extreme) + vega + basis + interest, least)
