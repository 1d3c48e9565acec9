"""Withdrawals: what an account may give away.

::

    spare = max(0, E - max(l MM, IM, s N))

Symbols: ``E`` equity, ``MM`` maintenance margin, ``IM`` initial margin, ``N`` gross notional [all
in the numeraire], ``l`` call level of the clearer, at least 1 [1], ``s`` share of notional that
must stay [1]. A venue without a rule of its own asks for ``l MM`` alone. Hyperliquid leaves
``max(IM, 0.1 N)`` behind [1]_.

References
----------
.. [1] Hyperliquid documentation, "Margining", read in October 2025.
"""

from __future__ import annotations

import numpy as np

from sim.core.arrays import FloatArray


def spare_equity(
    equity: FloatArray, kept: FloatArray, initial: FloatArray, notional: FloatArray, share: float
) -> FloatArray:
    """Return what accounts (N,) may give away [numeraire], >= 0.

    Parameters
    ----------
    equity : (N,) float64 [numeraire]
    kept : (N,) float64 [numeraire]
        What margin calls and maintenance margin ask for.
    initial : (N,) float64 [numeraire]
        Initial margin that must stay behind, 0 where none must.
    notional : (N,) float64 [numeraire]
    share : float [1], >= 0
    """
    behind = np.maximum(np.maximum(kept, initial), share * notional)
    return np.asarray(np.maximum(equity - behind, 0.0))
