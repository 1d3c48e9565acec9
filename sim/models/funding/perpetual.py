"""Closed forms of perpetuals: fair price under funding, and liquidation price by leverage.

::

    fair price / spot      linear   k / (k - (r - s))         inverse  1 + (r - s) / k
    liquidation / entry    linear   long (1 - 1/L) / (1 - m)     short (1 + 1/L) / (1 + m)
                           inverse  long (1 + m) / (1 + 1/L)     short (1 - m) / (1 - 1/L)

Symbols: ``k`` share of the distance between perpetual and spot that funding pays per year [1/year]
(three full payments a day: 1095), ``r`` and ``s`` interest of the quote and yield of the base
[1/year], ``L`` leverage at entry [1], ``m`` maintenance margin rate [1]. A linear contract is
margined and settled in the quote asset, an inverse one in the base.

The fair price is the risk-neutral expectation of the spot price at an exponential time. Positions
are alone in their account, with the margin ``1 / L`` of their entry notional and no fee.

References
----------
.. [1] Ackerer, D., Hugonnier, J. and Jermann, U. (2023), "Perpetual Futures Pricing".
"""

from __future__ import annotations

LONG, SHORT = 1, -1
"""Sides of a position."""


def fair_price_linear(anchoring: float, carry: float) -> float:
    """Return fair price over spot [1] of a linear perpetual.

    Parameters
    ----------
    anchoring : float [1/year]
        k, > carry.
    carry : float [1/year]
        ``r - s``.

    Raises
    ------
    ValueError
        If funding pays no more than the carry: no finite price is fair then.
    """
    if not anchoring > max(carry, 0.0):
        raise ValueError(f"anchoring must be above 0 and the carry, {carry:g}, found {anchoring:g}")
    return anchoring / (anchoring - carry)


def fair_price_inverse(anchoring: float, carry: float) -> float:
    """Return fair price over spot [1] of an inverse perpetual; parameters as for a linear one.

    Raises
    ------
    ValueError
        If the price would not be positive.
    """
    if not anchoring > max(-carry, 0.0):
        raise ValueError(f"anchoring must be above 0 and {-carry:g}, found {anchoring:g}")
    return 1.0 + carry / anchoring


def liquidation_price_linear(leverage: float, maintenance_rate: float, side: int) -> float:
    """Return liquidation over entry price [1] of a linear perpetual.

    Parameters
    ----------
    leverage : float [1]
        L, > 0. At 1 or less a long has the price 0 or below: it is never liquidated.
    maintenance_rate : float [1]
        m, from 0 to below 1.
    side : {LONG, SHORT}

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """
    _check(leverage, maintenance_rate, side)
    return (1.0 - side / leverage) / (1.0 - side * maintenance_rate)


def liquidation_price_inverse(leverage: float, maintenance_rate: float, side: int) -> float:
    """Return liquidation over entry price [1] of an inverse perpetual; as for a linear one.

    Infinite for a short with a leverage of 1 or less: its margin pays for any price.
    """
    _check(leverage, maintenance_rate, side)
    margin = 1.0 + side / leverage
    return (1.0 + side * maintenance_rate) / margin if margin > 0.0 else float("inf")


def _check(leverage: float, maintenance_rate: float, side: int) -> None:
    if not leverage > 0.0:
        raise ValueError(f"leverage must be above 0, found {leverage:g}")
    if not 0.0 <= maintenance_rate < 1.0:
        raise ValueError(f"maintenance_rate must be from 0 to below 1, found {maintenance_rate:g}")
    if side not in (LONG, SHORT):
        raise ValueError(f"side must be {LONG} or {SHORT}, found {side}")
