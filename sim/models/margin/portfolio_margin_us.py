"""United States margin of stocks and equity options: portfolio margin against Regulation T.

Portfolio margin (FINRA rule 4210(g), valued with the theoretical prices of the OCC): the
largest loss over ten evenly spaced moves of the underlying between ``-down`` and ``+up`` (15 %
for a single stock), at least 37.50 USD for each option contract of 100 shares. Regulation T: 50
% of the value of a long stock to open (12 CFR 220), 25 % to keep it (FINRA 4210(c)).
"""

from __future__ import annotations

import numpy as np

from sim.models.pricing import Legs

SHARES = 100.0
"""Shares of an option contract."""


def portfolio_margin(
    legs: Legs, price: float, down: float, up: float, least_per_contract: float
) -> float:
    """Return the portfolio margin [quote]; shares stand as legs of kind ``future``.

    Parameters
    ----------
    legs : Legs
        Quantities in shares.
    price : float [quote]
    down, up : float [1], > 0
        Ends of the range of moves; five points on each side.
    least_per_contract : float [quote]
    """
    steps = np.arange(1, 6) / 5.0
    prices = price * (1.0 + np.concatenate([-down * steps[::-1], up * steps]))
    now = legs.values(np.array([price])).sum()
    loss = float((now - legs.values(prices).sum(axis=1)).max())
    options = np.array([kind != "future" for kind in legs.kind])
    contracts = float(np.abs(legs.quantity[options]).sum()) / SHARES
    return max(loss, least_per_contract * contracts, 0.0)
