"""Deleveraging of a coin that is minted against collateral.

Holders of a stablecoin have the unit-elastic demand M [quote], so that with L coins in issue it
trades at M / L. A borrower with collateral N [quote] must keep N_after >= beta L' [1]; to get from
L to L' coins he buys L - L' of them back. What the collateral and the demand can pay for solves

    beta L'^2 - (N + M) L' + L M = 0,
    L' = ((N + M) + sqrt((N + M)^2 - 4 beta L M)) / (2 beta)

There is a way out only while (N + M)^2 >= 4 beta L M, that is N >= N_min = 2 sqrt(beta L M) - M;
there L' = (N_min + M) / (2 beta). Below it every purchase raises the price faster than it frees
collateral: the deleveraging spiral (mechanism: Klages-Mundt and Minca 2021, "(In)Stability for the
Blockchain: Deleveraging Spirals and Stablecoin Attacks"; closed form for this demand).
"""

from __future__ import annotations

import math


def coins_left(collateral: float, demand: float, coins: float, beta: float) -> float | None:
    """Return the coins L' left in issue after deleveraging, or None where there is no way out.

    A borrower whose collateral carries all the coins buys none back.
    """
    total = collateral + demand
    inside = total * total - 4.0 * beta * coins * demand
    if inside < 0.0:
        return None
    return min((total + math.sqrt(inside)) / (2.0 * beta), coins)


def least_collateral(demand: float, coins: float, beta: float) -> float:
    """Return the least collateral N_min [quote] with which deleveraging has a way out."""
    return 2.0 * math.sqrt(beta * coins * demand) - demand
