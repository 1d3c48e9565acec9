"""What must hold at every phase: named checks of the ledger.

Each check returns a relative error, 0 when exact; `check` raises when one exceeds `TOLERANCE`.
"""

from __future__ import annotations

import numpy as np

from sim.core.arrays import sums
from sim.core.errors import ConservationError
from sim.ledger.ledger import Ledger

TOLERANCE = 1e-9
"""Largest relative error that rounding of float64 sums may cause; far above any seen (1e-13)."""


def money_error(ledger: Ledger) -> float:
    """Return the largest relative error, over assets, of the sum of all balances (must be 0)."""
    total = np.abs(ledger.balance.sum(axis=0))
    gross = np.abs(ledger.balance).sum(axis=0)
    return float((total / np.where(gross > 0.0, gross, 1.0)).max(initial=0.0))


def quantity_error(ledger: Ledger) -> float:
    """Return the largest relative error, over markets, of the sum of all positions (must be 0)."""
    markets = len(ledger.multiplier)
    net = np.abs(sums(ledger.market, ledger.quantity, markets))
    scale = ledger.volume
    return float((net / np.where(scale > 0.0, scale, 1.0)).max(initial=0.0))


def clearing_error(ledger: Ledger) -> float:
    """Return the largest relative error, over markets, of clearing balance + cost (must be 0)."""
    markets = len(ledger.multiplier)
    cost = ledger.quantity * ledger.entry_price * ledger.multiplier[ledger.market]
    owed = sums(ledger.market, cost, markets)
    rows = ledger.plan.first_clearing + np.arange(markets)
    held = ledger.balance[rows, ledger.quote_column]
    scale = ledger.turnover + np.abs(held)
    return float((np.abs(owed + held) / np.where(scale > 0.0, scale, 1.0)).max(initial=0.0))


def finite(ledger: Ledger) -> bool:
    """Return whether every balance, quantity and entry price is a finite number."""
    return bool(
        np.isfinite(ledger.balance).all()
        and np.isfinite(ledger.quantity).all()
        and np.isfinite(ledger.entry_price).all()
    )


def conservation_error(ledger: Ledger) -> float:
    """Return the worst of the money, quantity and clearing errors [1]."""
    return max(money_error(ledger), quantity_error(ledger), clearing_error(ledger))


def check(ledger: Ledger, where: str) -> float:
    """Raise unless money and quantity are conserved; return the error.

    Raises
    ------
    ConservationError
        A number is not finite, or a relative error exceeds `TOLERANCE`.
    """
    if not finite(ledger):
        raise ConservationError(f"a balance or position is not a finite number after {where}")
    errors = {
        "balances do not sum to zero": money_error(ledger),
        "positions do not sum to zero": quantity_error(ledger),
        "clearing rows do not match position costs": clearing_error(ledger),
    }
    for what, error in errors.items():
        if error > TOLERANCE:
            raise ConservationError(f"{what} after {where}: relative error {error:.3e}")
    return max(errors.values())
