"""Market-wide halts: which level the mean fall of some markets has reached.

::

    F = mean over j of (1 - p_j / r_j)
    level k halts where F >= f_k

Symbols: ``p_j`` last price and ``r_j`` reference price of market j [quote/base], ``F`` mean fall
[1], ``f_k`` fall of level k [1], ascending. Each level halts once for each reference; a fall that
jumps over levels halts at the deepest, and those above it are used up with it.

In the United States ``f`` is 7, 13 and 20 % of the S&P 500's close of the day before; the first
two halt for 15 minutes and only before 15:25 in New York, the third for the rest of the day [1]_.

References
----------
.. [1] Webull, "Circuit breaker" help page, read in October 2025 (NYSE rule 7.12).
"""

from __future__ import annotations

import numpy as np

from sim.core.arrays import BoolArray, FloatArray

ROUNDING = 1e-12
"""Fall by which a level may be missed: 1 - 4650 / 5000 is below 0.07 in floating point."""


def mean_fall(last: FloatArray, reference: FloatArray) -> float:
    """Return the mean fall F [1] of markets (J,) below their references; negative for a rise."""
    return float(np.mean(1.0 - last / reference))


def level_reached(fall: float, levels: FloatArray, able: BoolArray) -> int | None:
    """Return the deepest level that a fall has reached, None if it has reached none.

    Parameters
    ----------
    fall : float [1]
    levels : (L,) float64 [1]
        Falls that halt, ascending.
    able : (L,) bool
        Levels that may halt still.
    """
    reached = np.flatnonzero(able & (fall >= levels - ROUNDING))
    return int(reached[-1]) if len(reached) else None


def trigger_prices(reference: float, levels: FloatArray) -> FloatArray:
    """Return the prices (L,) [quote/base] of one market at which its levels halt."""
    return np.asarray(reference * (1.0 - levels))
