"""Price limits of orders around an index, which follow the premium of the market.

::

    highest buy  = min(max(I, I (1 + y) + B), I (1 + z))
    lowest sell  = max(min(I, I (1 - y) + B), I (1 - z))

Symbols: ``I`` index [quote/base], ``B`` mean premium of the market over its index [quote/base],
``y`` and ``z`` inner and outer distance [1]. A formula beside the engine: forced orders of a run
are bounded by `price_band` instead.

References
----------
.. [1] OKX help 6974388462605, "price limits" (y 2 % and z 5 % of BTC, as published once; 2023).
"""

from __future__ import annotations


def price_limits(index: float, premium: float, inner: float, outer: float) -> tuple[float, float]:
    """Return the lowest price of a sell and the highest of a buy [quote/base].

    Parameters
    ----------
    index : float [quote/base], > 0
    premium : float [quote/base]
    inner, outer : float [1], >= 0
        ``y`` and ``z``.
    """
    low = max(min(index, index * (1.0 - inner) + premium), index * (1.0 - outer))
    high = min(max(index, index * (1.0 + inner) + premium), index * (1.0 + outer))
    return low, high
