"""What must hold at every phase: named checks of the ledger.

Each check returns a relative error, 0 when exact; `check` raises when one exceeds `TOLERANCE`.
All of them go through balances and positions block by block, so that none needs memory of the
size of the ledger.
"""

from __future__ import annotations

import math

import numpy as np

from sim.core.arrays import FloatArray, add_to, blocks
from sim.core.errors import ConservationError
from sim.ledger.ledger import Ledger
from sim.ledger.totals import Totals

SMALL = 100_000
"""Most numbers for which telling whether anything changed is worth more than checking anew."""

TOLERANCE = 1e-9
"""Largest relative error that rounding of float64 sums may cause; far above any seen (1e-13)."""


def money_error(ledger: Ledger) -> float:
    """Return the largest relative error, over assets, of the sum of all balances (must be 0)."""
    total = np.zeros(ledger.balance.shape[1])
    for part in blocks(len(ledger.balance)):
        total += ledger.balance[part].sum(axis=0)
    return _worst(total, _gross_money(ledger))


def quantity_error(ledger: Ledger) -> float:
    """Return the largest relative error, over markets, of the sum of all positions (must be 0)."""
    net = np.zeros(len(ledger.multiplier))
    for part in blocks(len(ledger.quantity)):
        add_to(net, ledger.market[part], ledger.quantity[part])
    return _worst(net, ledger.volume)


def clearing_error(ledger: Ledger) -> float:
    """Return the largest relative error, over markets, of clearing balance + cost (must be 0)."""
    markets = len(ledger.multiplier)
    cost = np.zeros(markets)
    for part in blocks(len(ledger.quantity)):
        add_to(cost, ledger.market[part], ledger.quantity[part] * ledger.entry_price[part])
    rows = ledger.plan.first_clearing + np.arange(markets)
    held = ledger.balance[rows, ledger.quote_column]
    return _worst(cost * ledger.multiplier + held, ledger.turnover + np.abs(held))


def totals_error(ledger: Ledger) -> float:
    """Return the largest relative error of the totals against sums taken anew.

    The scale is all that was ever held or moved. Infinite where a whole number is wrong, or a
    sum is not exactly 0 although nothing is left in it.
    """
    totals = ledger.totals
    if totals is None:
        return 0.0
    fresh = totals.anew(ledger)
    if not _counts_agree(totals, fresh):
        return math.inf
    money = _gross_money(ledger)
    for (_, column), moved in ledger.reasons.items():
        money[column] += moved
    errors = [
        _worst(totals.balance - fresh.balance, money),
        _worst(totals.debt - fresh.debt, money),
        _worst(totals.net - fresh.net, ledger.volume),
        _worst(totals.gross - fresh.gross, ledger.volume),
        _worst(totals.cost - fresh.cost, ledger.turnover / ledger.multiplier),
        _worst(totals.long - fresh.long, ledger.volume),
    ]
    return float(np.max(errors))


def _counts_agree(kept: Totals, fresh: Totals) -> bool:
    """Return whether whole numbers are right, and the sums 0 of which nothing is left."""
    return bool(
        (kept.open == fresh.open).all()
        and (kept.longs == fresh.longs).all()
        and (kept.holders == fresh.holders).all()
        and (kept.debtors == fresh.debtors).all()
        and not any(sums[fresh.open == 0].any() for sums in (kept.net, kept.gross, kept.cost))
        and not kept.long[fresh.longs == 0].any()
        and not kept.balance[fresh.holders == 0].any()
        and not kept.debt[fresh.debtors == 0].any()
    )


def _gross_money(ledger: Ledger) -> FloatArray:
    """Return the sum of all balances of each asset (K,), each taken as positive."""
    gross = np.zeros(ledger.balance.shape[1])
    for part in blocks(len(ledger.balance)):
        gross += np.abs(ledger.balance[part]).sum(axis=0)
    return gross


def _worst(error: FloatArray, scale: FloatArray) -> float:
    return float((np.abs(error) / np.where(scale > 0.0, scale, 1.0)).max(initial=0.0))


def finite(ledger: Ledger) -> bool:
    """Return whether every balance, quantity and entry price is a finite number."""
    return all(
        bool(np.isfinite(values[part]).all())
        for values in (ledger.balance, ledger.quantity, ledger.entry_price)
        for part in blocks(len(values))
    )


def conservation_error(ledger: Ledger) -> float:
    """Return the worst of the money, quantity and clearing errors [1]."""
    errors = [money_error(ledger), quantity_error(ledger), clearing_error(ledger)]
    return float(np.max(errors))


def check(ledger: Ledger, where: str) -> float:
    """Raise unless money and quantity are conserved and totals are right; return the error.

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
        "totals of accounts do not match the ledger": totals_error(ledger),
    }
    for what, error in errors.items():
        if not error <= TOLERANCE:
            raise ConservationError(f"{what} after {where}: relative error {error:.3e}")
    return max(errors.values())


def fingerprint(ledger: Ledger) -> tuple[bytes, ...]:
    """Return a copy of all that `check` reads, so that what was checked need not be again.

    A digest of it would take five times as long as the check. Empty for a ledger so large that
    copying it costs memory worth saving.
    """
    if ledger.balance.size + ledger.quantity.size > SMALL:
        return ()
    parts = (
        ledger.balance,
        ledger.quantity,
        ledger.entry_price,
        ledger.market,
        ledger.position_row,
        ledger.volume,
        ledger.turnover,
        np.array(list(ledger.reasons.values())),
        *(ledger.totals.sums if ledger.totals is not None else ()),
    )
    return tuple(values.tobytes() for values in parts)
