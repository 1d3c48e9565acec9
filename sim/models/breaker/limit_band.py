"""Limit bands: how far from its recent mean a price may be.

::

    r = (1 / n) sum over the last n ticks of p
    low = r (1 - b w) ,   high = r (1 + b w)

Symbols: ``p`` last price at the end of a tick [quote/base], ``n`` ticks of the window [1], ``r``
reference price [quote/base], ``b`` band [1], ``w`` factor by which it is widened now [1]. Before
the window is full the price at which it began counts for the ticks that are missing.

In the United States ("limit up, limit down") ``b`` is 5 % for the first tier and 10 % for the
second, twice that near open and close, ``n`` is five minutes, and a price that stands at a limit
for 15 seconds is paused for five minutes [1]_.

References
----------
.. [1] Webull, "Circuit breaker" help page, read in October 2025 (Plan to address extraordinary
   market volatility).
"""

from __future__ import annotations

import numpy as np

from sim.core.arrays import BoolArray, FloatArray

NEAR = 1e-9
"""Relative distance from a limit at which a price stands at it."""


def band_limits(reference: FloatArray, band: float) -> tuple[FloatArray, FloatArray]:
    """Return the limits (J,) below and above reference prices (J,) for a band in (0, 1)."""
    return reference * (1.0 - band), reference * (1.0 + band)


def at_limit(last: FloatArray, low: FloatArray, high: FloatArray) -> BoolArray:
    """Return which last prices (J,) stand at, or beyond, a limit."""
    return np.asarray((last <= low * (1.0 + NEAR)) | (last >= high * (1.0 - NEAR)))
