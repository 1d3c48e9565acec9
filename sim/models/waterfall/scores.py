"""Who is auto-deleveraged first: scores of positions opposite to a bankrupt one.

With the entry price E, the mark P, the position's unrealised profit U, its entry notional and its
notional N at the mark, and the gross notional G, the equity Q, the wallet balance W and the
maintenance margin MM of its account, highest first,

    profit_leverage   U / (entry notional) * G / Q
    binance           max(0, U) / max(1, W) * MM / Q
    bitmex            U / (entry notional) * P / |P - bust|,   |P - bust| / P = Q / N
    hyperliquid       (P / E) * (N / Q) of a long, (E / P) * (N / Q) of a short
    wealth_queue      U

`binance` is the published "PnL percentage x margin ratio" (Binance FAQ 360033525471, formula
from a stored copy of that page; W + U is the equity). It bars nobody with equity: positions
without profit come last. `bitmex` is return on the position times effective leverage, with the
price `bust` at which the account would have nothing left if only this price moved
(jexhelp.zendesk.com 360015310471, which describes BitMEX' ranking; seen 2026). `hyperliquid` is
from the Hyperliquid documentation, "auto-deleveraging" (seen 2026); it gives the index for longs
only, and that of shorts is assumed to be its mirror image. The wealth-ordered queue is that of
the ADL paper (pluriholonomic/autodeleveraging-analysis aae0be8, `main_corrected.tex`), with the
position's profit as endowment. All but `binance` bar positions without profit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import FloatArray

LEAST = 1e-15
"""Least equity that a score counts with, as a share of what it is compared with: rounding."""


class Opposite(NamedTuple):
    """Positions (N,) on the other side of a bankrupt one, all in the same money.

    Attributes
    ----------
    side : (N,) float64
        1 of a long, -1 of a short.
    entry_price, mark : (N,) float64 [quote/base]
    profit, entry_notional, notional : (N,) float64
        Of the position.
    gross_notional, equity, wallet, maintenance : (N,) float64
        Of its account; the wallet balance is equity without unrealised profit.
    """

    side: FloatArray
    entry_price: FloatArray
    mark: FloatArray
    profit: FloatArray
    entry_notional: FloatArray
    notional: FloatArray
    gross_notional: FloatArray
    equity: FloatArray
    wallet: FloatArray
    maintenance: FloatArray


def profit_leverage_score(
    unrealised_profit: FloatArray,
    entry_notional: FloatArray,
    gross_notional: FloatArray,
    equity: FloatArray,
) -> FloatArray:
    """Return the ADL score (N,) [1]; ``-inf`` for a position without profit.

    Parameters
    ----------
    unrealised_profit, entry_notional : (N,) float64
        Of the position, in the same money.
    gross_notional, equity : (N,) float64
        Of its account, in the same money.
    """
    winner = (unrealised_profit > 0.0) & (equity > 0.0) & (entry_notional > 0.0)
    ratio = unrealised_profit / np.where(winner, entry_notional, 1.0)
    return np.where(winner, ratio * _per_equity(gross_notional, equity), -np.inf)


def _per_equity(amount: FloatArray, equity: FloatArray) -> FloatArray:
    """Return amounts >= 0 over equity (N,); next to no equity counts as a share `LEAST` of them."""
    least = np.where(amount > 0.0, LEAST * amount, 1.0)
    return np.asarray(amount / np.maximum(equity, least))


def binance_score(found: Opposite) -> FloatArray:
    """Return Binance's score (N,) [1]; 0 without profit, ``-inf`` without equity."""
    able = found.equity > 0.0
    rate = np.maximum(found.profit, 0.0) / np.maximum(found.wallet, 1.0)
    return np.where(able, rate * _per_equity(found.maintenance, found.equity), -np.inf)


def bitmex_score(found: Opposite) -> FloatArray:
    """Return BitMEX' score (N,) [1]; ``-inf`` for a position without profit."""
    return profit_leverage_score(found.profit, found.entry_notional, found.notional, found.equity)


def hyperliquid_score(found: Opposite) -> FloatArray:
    """Return Hyperliquid's score (N,) [1]; ``-inf`` for a position without profit."""
    winner = (found.profit > 0.0) & (found.equity > 0.0)
    winner &= (found.entry_price > 0.0) & (found.mark > 0.0)
    entry, mark = np.where(winner, found.entry_price, 1.0), np.where(winner, found.mark, 1.0)
    gain = np.where(found.side > 0.0, mark / entry, entry / mark)
    return np.where(winner, gain * _per_equity(found.notional, found.equity), -np.inf)


def wealth_score(found: Opposite) -> FloatArray:
    """Return the profit itself (N,); ``-inf`` for a position without profit."""
    return np.where((found.profit > 0.0) & (found.equity > 0.0), found.profit, -np.inf)


def _default(found: Opposite) -> FloatArray:
    return profit_leverage_score(
        found.profit, found.entry_notional, found.gross_notional, found.equity
    )


SCORES = {
    "profit_leverage": _default,
    "binance": binance_score,
    "bitmex": bitmex_score,
    "hyperliquid": hyperliquid_score,
    "wealth_queue": wealth_score,
    "pro_rata": wealth_score,
    "capped_pro_rata": wealth_score,
    "equal_haircut": wealth_score,
}
"""Score by order; where all share, it only says who is in profit."""


def random_start(able: FloatArray, start: float) -> FloatArray:
    """Return scores (N,) that walk round a list from a random place.

    dYdX v4 walks through the opposite subaccounts from a random start and ranks nobody
    (dydxprotocol/v4-chain `deleveraging.go`).

    Parameters
    ----------
    able : (N,) float64
        Equity; who has none gets ``-inf``. Nobody is barred for want of profit.
    start : float
        Uniform on [0, 1).
    """
    size = len(able)
    place = (np.arange(size) - int(start * size)) % max(size, 1)
    return np.where(able > 0.0, -place.astype(np.float64), -np.inf)
