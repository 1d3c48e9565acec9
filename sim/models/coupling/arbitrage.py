"""An arbitrageur closes a share of the gap between venues, by volume that really trades.

Let u_i [numeraire] be the price gaps to act on: the moves that one generation of forced orders
made (closed by the share kappa within that generation), or the price levels themselves (closed
continuously with a time constant tau: share ``1 - exp(-dt / tau)`` per step dt). The
arbitrageur trades v_i contracts of size c_i on every venue so that

    sum_i c_i v_i = 0                        (what is bought here is sold there)
    price move on i = kappa (u* - u_i)       (towards a common level u*)

With linear impact lambda_i, u* is the mean of the u_i weighted by 1/lambda_i, and for two
venues A moves by ``kappa w_A (u_B - u_A)`` with ``w_A = lambda_A / (lambda_A + lambda_B)``. For
the other impact models u* is the root of the volume balance along the venues' own curves.
Venues of unlimited depth pin u* to the mean of their own levels and share the volume equally.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scipy.optimize import brentq


@dataclass(frozen=True, slots=True)
class Quote:
    """One venue's side of the gap.

    Attributes
    ----------
    gap : float [numeraire]
        u_i: the move or level that is compared between venues.
    contracts_for : callable
        Signed contracts that walk this venue's price by a given move [numeraire].
    slope : float [numeraire per unit of base]
        Local price change per unit traded; 0 for unlimited depth.
    contract_size : float [base per contract]
    """

    gap: float
    contracts_for: Callable[[float], float]
    slope: float
    contract_size: float


@dataclass(frozen=True, slots=True)
class ArbitrageTrades:
    """Signed contracts per venue, and the share of each move owed to each other venue.

    ``weight[j]`` is the weight of venue j in the common level; the pull of venue j on venue i
    is ``kappa * weight[j] * (gap_j - gap_i)``.
    """

    contracts: list[float]
    level: float
    weight: list[float]


def closing_share(step: float, time_constant: float) -> float:
    """Return the share of a gap closed in `step` seconds with time constant `time_constant`."""
    return -math.expm1(-step / time_constant)


def _balance(quotes: Sequence[Quote], kappa: float, level: float) -> float:
    return sum(q.contract_size * q.contracts_for(kappa * (level - q.gap)) for q in quotes)


def _common_level(quotes: Sequence[Quote], kappa: float) -> float:
    low, high = min(q.gap for q in quotes), max(q.gap for q in quotes)
    # A concave curve at rest is infinitely steep and weighs nothing in the first guess.
    inverse = [1.0 / q.slope for q in quotes]
    if sum(inverse) == 0.0:
        inverse = [1.0] * len(quotes)
    guess = sum(w * q.gap for w, q in zip(inverse, quotes, strict=True)) / sum(inverse)
    gross = sum(abs(q.gap - guess) * w for w, q in zip(inverse, quotes, strict=True)) * kappa
    if abs(_balance(quotes, kappa, guess)) <= 1e-13 * gross:
        return guess
    if not (_balance(quotes, kappa, low) < 0.0 < _balance(quotes, kappa, high)):
        return guess
    # A level at zero has no relative precision; there the size of the gaps is the yardstick.
    near = 1e-16 * max(abs(low), abs(high))
    root: float = brentq(
        lambda level: _balance(quotes, kappa, level),
        low,
        high,
        xtol=max(near, 1e-300),
        rtol=8.9e-16,
        maxiter=1000,
    )
    return root


def arbitrage_flows(quotes: Sequence[Quote], kappa: float) -> ArbitrageTrades | None:
    """Return the trades that close the share `kappa` of the gaps, or None if there is no gap.

    Parameters
    ----------
    quotes : sequence of Quote
        At least two venues that can trade now.
    kappa : float in [0, 1]

    Notes
    -----
    See the module's docstring. The last venue's volume is set to the negative sum of the
    others, so that the arbitrageur's net position stays zero to the last bit of one addition.
    """
    if len(quotes) < 2 or kappa == 0.0 or len({q.gap for q in quotes}) == 1:
        return None
    unlimited = [i for i, q in enumerate(quotes) if q.slope == 0.0]
    if unlimited:
        level, settle = math.fsum(quotes[i].gap for i in unlimited) / len(unlimited), unlimited
    else:
        level, settle = _common_level(quotes, kappa), [len(quotes) - 1]
    contracts = [
        0.0 if i in settle else q.contracts_for(kappa * (level - q.gap))
        for i, q in enumerate(quotes)
    ]
    rest = sum(v * q.contract_size for v, q in zip(contracts, quotes, strict=True))
    for i in settle:
        contracts[i] = -rest / (len(settle) * quotes[i].contract_size)
    if not all(math.isfinite(v) for v in contracts):
        return None
    if unlimited:
        weight = [(i in unlimited) / len(unlimited) for i in range(len(quotes))]
    else:
        weight = _secant_weights(quotes, contracts, level)
    return ArbitrageTrades(contracts, level, weight)


def _secant_weights(
    quotes: Sequence[Quote], contracts: Sequence[float], level: float
) -> list[float]:
    """Return weights w with ``level = sum_i w_i gap_i``: volume per unit of move, normalised."""
    depth = [
        abs(v * q.contract_size / (level - q.gap)) if level != q.gap else 0.0
        for v, q in zip(contracts, quotes, strict=True)
    ]
    total = sum(depth)
    return [d / total for d in depth] if total > 0.0 else [1.0 / len(quotes)] * len(quotes)
