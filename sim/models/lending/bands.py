"""Soft liquidation by bands: LLAMMA, as far as a price taker needs it.

With amplification A the band n below the highest price b [quote/base] reaches over

    pu(n) = b ((A - 1) / A)^n,      pd(n) = pu(n + 1),      n = 0 .. N - 1

and holds 1/N of the collateral Y [base]. At a price p inside a band the share

    (1 / sqrt(pd) - 1 / sqrt(p)) / (1 / sqrt(pd) - 1 / sqrt(pu))

of it is still collateral; the rest was sold on the way down, which over a whole band raises
(Y / N) sqrt(pu pd). So a loan that is converted all the way down raises

    x_eff = (Y / N) sum_n sqrt(pu pd)
          = (Y / N) b sqrt((A - 1) / A) (1 - ((A - 1) / A)^N) / (1 - (A - 1) / A)

A loan may be at most ``x_eff (1 - loan_discount)``; its health is
``x_eff (1 - liquidation_discount) / D - 1`` and at less than 0 all is sold
(curvefi/curve-stablecoin AMM.vy, controller.vy, seen 2026; A 100, discounts 9 % and 6 % of
crvUSD from memory, 2024). In the protocol the bands' edges move with the cube of the oracle's
price, so that a band is gone through while the oracle moves by a third of its width; here a band
is as wide as its name says.
"""

from __future__ import annotations

import numpy as np

from sim.core.arrays import FloatArray


def edges(top: float, amplification: float, bands: int) -> FloatArray:
    """Return the edges (N + 1,) [quote/base] of the bands from the top down."""
    ratio = (amplification - 1.0) / amplification
    return np.asarray(top * ratio ** np.arange(bands + 1.0))


def kept_share(relative: FloatArray, amplification: float, bands: int) -> FloatArray:
    """Return the share (N,) [1] of the collateral that is not converted.

    Parameters
    ----------
    relative : (N,) float64 [1], > 0
        Price over the upper edge of the highest band.
    amplification : float [1]
    bands : int
    """
    edge = edges(1.0, amplification, bands)
    band = _band(relative, amplification, bands)
    upper, lower = edge[band], edge[band + 1]
    price = np.clip(relative, lower, upper)
    inside = (lower**-0.5 - price**-0.5) / (lower**-0.5 - upper**-0.5)
    return np.asarray((bands - 1 - band + inside) / bands)


def price_of_share(kept: FloatArray, amplification: float, bands: int) -> FloatArray:
    """Return the relative price (N,) [1] at which a share is kept: the inverse of `kept_share`.

    Parameters
    ----------
    kept : (N,) float64 [1]
        Share of the collateral that is not converted, from 0 to 1.
    amplification : float [1]
    bands : int
    """
    edge = edges(1.0, amplification, bands)
    left = np.asarray(kept) * bands
    band = np.clip(bands - np.ceil(left), 0, bands - 1).astype(np.int64)
    upper, lower = edge[band] ** -0.5, edge[band + 1] ** -0.5
    inside = np.clip(left - (bands - 1 - band), 0.0, 1.0)
    return np.asarray((lower - inside * (lower - upper)) ** -2.0)


def raised(relative: FloatArray, amplification: float, bands: int) -> FloatArray:
    """Return what was raised on the way down (N,), per collateral and upper edge [1].

    Inside a band selling from pu to p raises ``sqrt(pu p)`` per unit sold; arguments as in
    `kept_share`.
    """
    edge = edges(1.0, amplification, bands)
    whole = np.concatenate([[0.0], np.add.accumulate(np.sqrt(edge[1:] * edge[:-1]))]) / bands
    band = _band(relative, amplification, bands)
    upper, lower = edge[band], edge[band + 1]
    price = np.clip(relative, lower, upper)
    sold = (price**-0.5 - upper**-0.5) / (lower**-0.5 - upper**-0.5)
    return np.asarray(whole[band] + sold * np.sqrt(upper * price) / bands)


def effective_value(collateral: float, top: float, amplification: float, bands: int) -> float:
    """Return x_eff [quote]: what the collateral [base] raises if converted all the way down."""
    edge = edges(top, amplification, bands)
    return float(collateral / bands * np.add.accumulate(np.sqrt(edge[1:] * edge[:-1]))[-1])


def health(effective: float, debt: float, liquidation_discount: float) -> float:
    """Return the health [1] of a loan; all of it is sold below 0."""
    return effective * (1.0 - liquidation_discount) / debt - 1.0


def highest_edge(
    debt: FloatArray, collateral: FloatArray, amplification: float, bands: int, discount: float
) -> FloatArray:
    """Return the upper edge (N,) [quote/base] of the bands of a new loan.

    It lies as low as the debt allows: there ``x_eff (1 - discount) = debt``.

    Parameters
    ----------
    debt : (N,) float64 [quote]
    collateral : (N,) float64 [base], > 0
    amplification : float
    bands : int
    discount : float [1]
        The loan discount.
    """
    unit = effective_value(1.0, 1.0, amplification, bands)
    return np.asarray(debt / (1.0 - discount) / (collateral * unit))


def _band(relative: FloatArray, amplification: float, bands: int) -> np.ndarray:
    """Return the band in which each relative price lies, the nearest one beyond the ends."""
    edge = edges(1.0, amplification, bands)
    return np.asarray(np.clip(np.searchsorted(-edge, -relative, side="right") - 1, 0, bands - 1))
