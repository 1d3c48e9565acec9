"""Passive transmission: a share of a venue's own impact is felt on the others.

    move_j = phi * sum over i != j of impact_i * x_i / x_j

impact_i is the absolute price change [quote/base] that orders on venue i made there, x_i the
numeraire value of its quote asset, phi >= 0 [1]. Nothing trades on j: quotes are moved by what
is seen elsewhere. With linear impact and uniform thresholds the cascade of two venues obeys
``D = (I - K)^-1 s`` with ``K = [[g_A, phi g_B], [phi g_A, g_B]]``, which tips when the
spectral radius of K reaches 1.
"""

from __future__ import annotations

from collections.abc import Sequence


def transmitted_moves(
    impact: Sequence[float], quote_price: Sequence[float], phi: float
) -> list[list[float]]:
    """Return what each market passes to each other one.

    Parameters
    ----------
    impact : (N,) [quote/base]
        Own price change of each coupled market.
    quote_price : (N,) [numeraire/quote]
    phi : float [1]

    Returns
    -------
    (N, N) [quote/base]
        Entry [i][j] is the move of market j because of market i; 0 on the diagonal.
    """
    return [
        [
            0.0 if i == j or move == 0.0 else phi * move * quote_price[i] / quote_price[j]
            for j in range(len(impact))
        ]
        for i, move in enumerate(impact)
    ]
