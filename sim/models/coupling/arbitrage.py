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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sim.models.impact import ImpactModel

PRICE_SPACING = 2.0**-52
"""Largest relative distance from one float64 to the next."""

MOST_STEPS = 2_200
"""More halvings than there are between any two float64."""


class Quote(NamedTuple):
    """One venue's side of the gap.

    Parameters
    ----------
    gap : float [numeraire]
        u_i: the move or level that is compared between venues.
    impact : ImpactModel
    price, anchor : float [quote/base]
        State of the market.
    liquidity : float [1], > 0
        Multiplier of depth.
    worth : float [numeraire/quote], > 0
    contract_size : float [base per contract], > 0
    """

    gap: float
    impact: ImpactModel
    price: float
    anchor: float
    liquidity: float
    worth: float
    contract_size: float

    def slope(self) -> float:
        """Return the price change per unit traded [numeraire per base]; 0: unlimited depth."""
        slope = self.impact.slope(self.price, self.anchor, self.liquidity)
        return slope * self.worth / self.contract_size

    def reach(self, move: float) -> tuple[float, float]:
        """Return the contracts that walk the price by a move, and the depth where they end.

        Parameters
        ----------
        move : float [numeraire]
            No price falls below 0.

        Returns
        -------
        contracts : float
            Signed.
        depth : float [base per numeraire]
            How much more would be traded for a further move; 0 where no price is lower.
        """
        target = self.price + move / self.worth
        state = self.price, self.anchor, max(target, 0.0), self.liquidity
        contracts, density = self.impact.reach(*state)
        return contracts, density * self.contract_size / self.worth if target > 0.0 else 0.0


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


def _balance(quotes: Sequence[Quote], kappa: float, level: float) -> tuple[float, float]:
    """Return the volume [base] that closing towards `level` takes in all, and its derivative."""
    volume = growth = 0.0
    for quote in quotes:
        contracts, depth = quote.reach(kappa * (level - quote.gap))
        volume += quote.contract_size * contracts
        growth += depth
    return volume, growth * kappa


def _common_level(quotes: Sequence[Quote], slopes: Sequence[float], kappa: float) -> float:
    """Return the root u* of the volume balance, to the last bit that prices resolve."""
    # A concave curve at rest is infinitely steep and weighs nothing in the first guess.
    inverse = [1.0 / slope for slope in slopes]
    total = math.fsum(inverse)
    if total == 0.0:
        inverse, total = [1.0] * len(quotes), float(len(quotes))
    guess = math.fsum(w * q.gap for w, q in zip(inverse, quotes, strict=True)) / total
    gross = math.fsum(abs(q.gap - guess) * w for w, q in zip(inverse, quotes, strict=True))
    volume, growth = _balance(quotes, kappa, guess)
    if abs(volume) <= 1e-13 * gross * kappa:
        return guess
    return _root(quotes, kappa, guess, volume, growth)


def _root(
    quotes: Sequence[Quote], kappa: float, level: float, volume: float, growth: float
) -> float:
    """Return the root of the balance by Newton's method, safeguarded.

    The balance grows with the level, from nothing bought at the lowest gap to nothing sold at the
    highest. A step that leaves the bracket, or is not half as long as the one before, is replaced
    by halving the bracket.

    Parameters
    ----------
    quotes : sequence of Quote
    kappa, level : float
    volume, growth : float
        The balance at the level, not 0, and its derivative.
    """
    low, high = min(q.gap for q in quotes), max(q.gap for q in quotes)
    low, high = (level, high) if volume < 0.0 else (low, level)
    # The target prices of levels closer than this are the same but for rounding.
    resolved = PRICE_SPACING * max(q.price * q.worth for q in quotes) / kappa
    last = high - low
    for _ in range(MOST_STEPS):
        step = -volume / growth if 0.0 < growth < math.inf else math.inf
        near = abs(step) <= resolved
        if not near and (not low < level + step < high or abs(step) > 0.5 * last):
            step = 0.5 * (low + high) - level
        last, level = abs(step), level + step
        if near or last <= resolved:
            break
        volume, growth = _balance(quotes, kappa, level)
        if volume == 0.0:
            break
        if volume < 0.0:
            low = level
        else:
            high = level
    return level


def arbitrage_flows(quotes: Sequence[Quote], kappa: float) -> ArbitrageTrades | None:
    """Return the trades that close the share `kappa` of the gaps, or None if there is no gap.

    Parameters
    ----------
    quotes : sequence of Quote
        The venues that can trade now; with fewer than two there is no gap.
    kappa : float in [0, 1]

    Notes
    -----
    See the module's docstring. The volume of one venue is set to the negative sum of the others,
    so that the arbitrageur's net position stays zero to the last bit of one addition. It is the
    one with the deepest book, whose price their rounding moves least.
    """
    if len(quotes) < 2 or kappa == 0.0 or all(q.gap == quotes[0].gap for q in quotes):
        return None
    slopes = [q.slope() for q in quotes]
    unlimited = [i for i, slope in enumerate(slopes) if slope == 0.0]
    if unlimited:
        level = math.fsum(quotes[i].gap for i in unlimited) / len(unlimited)
    else:
        level = _common_level(quotes, slopes, kappa)
    reached = [
        (0.0, math.inf) if i in unlimited else q.reach(kappa * (level - q.gap))
        for i, q in enumerate(quotes)
    ]
    contracts = [quantity for quantity, _ in reached]
    deepest = max(range(len(quotes)), key=lambda i: reached[i][1])
    settle = unlimited or [deepest]
    rest = math.fsum(
        v * q.contract_size
        for i, (v, q) in enumerate(zip(contracts, quotes, strict=True))
        if i not in settle
    )
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
