"""Equity, maintenance margin and gross notional of every account.

For account a with balances b_k, cleared by v, and positions j of q contracts, entry e,
multiplier c, in market m with mark price P and quote asset worth x

    equity[a]      = sum_k w_k b_k + sum_j q c (P - e) x
                     w_k = weight_positive[v, k] if b_k > 0 else asset_price[k]
    maintenance[a] = sum_j (rate N - deduction) x,       N = |q| c P, tier of N under v's rules
                     and what `sim.kernels.size` adds to it for the size |q| c
    notional[a]    = sum_j N x

all in the numeraire. Both twins add the terms of an account in the same order (balances by
column, then positions by slot), so their results agree to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, Int16Array, IntArray
from sim.kernels.collateral import NO_PRICES
from sim.kernels.compiling import HAS_NUMBA, compiled
from sim.kernels.size import NO_SIZES, sized, sized_numpy
from sim.kernels.slots import slots_numpy


class MarginInputs(NamedTuple):
    """Arrays that the margin kernel reads.

    Attributes
    ----------
    position_start : (R + 1,) int64
        Row r owns positions ``position_start[r] : position_start[r + 1]``.
    market : (P,) int16
    quantity, entry_price : (P,) float64 [contracts], [quote/base]
    clearer : (R,) int16
    balance : (R, K) float64 [asset units]
    weight_positive : (V, K) float64
        Numeraire value of one unit of an asset that is held, after the clearer's haircut.
    asset_price : (K,) float64
        Numeraire value of one unit owed; a haircut never applies to a negative balance.
    mark_price, multiplier, quote_price : (M,) float64
        Price that margin uses, contract multiplier, numeraire value of one unit of quote.
    tier_floor, tier_rate, tier_deduction : (V, M, T) float64
    size_rate, size_root : (V, M) float64 [1/base], [1/sqrt(base)]
        Terms of margin that depend on size; empty where no clearer has any.
    own_price : (C,) float64 [numeraire]
        Values of collateral that some clearer takes from its own book; part of the weights.
    """

    position_start: IntArray
    market: Int16Array
    quantity: FloatArray
    entry_price: FloatArray
    clearer: Int16Array
    balance: FloatArray
    weight_positive: FloatArray
    asset_price: FloatArray
    mark_price: FloatArray
    multiplier: FloatArray
    quote_price: FloatArray
    tier_floor: FloatArray
    tier_rate: FloatArray
    tier_deduction: FloatArray
    size_rate: FloatArray = NO_SIZES
    size_root: FloatArray = NO_SIZES
    own_price: FloatArray = NO_PRICES


class MarginOutputs(NamedTuple):
    """Results by row: equity, maintenance margin, gross notional [numeraire], each (R,)."""

    equity: FloatArray
    maintenance: FloatArray
    notional: FloatArray

    @classmethod
    def empty(cls, rows: int) -> MarginOutputs:
        """Return zeroed outputs for `rows` accounts."""
        return cls(np.zeros(rows), np.zeros(rows), np.zeros(rows))


def account_margin_numpy(
    inputs: MarginInputs, rows: IntArray, required: FloatArray, out: MarginOutputs
) -> IntArray:
    """Fill `out` at `rows` and return the breached ones; the plain reference."""
    slot, owner = slots_numpy(inputs.position_start, rows)
    clearer = inputs.clearer[rows]
    equity = np.zeros(len(rows))
    for k in range(inputs.balance.shape[1]):
        held = inputs.balance[rows, k]
        weight = np.where(held > 0, inputs.weight_positive[clearer, k], inputs.asset_price[k])
        equity += weight * held
    market = inputs.market[slot]
    size = inputs.quantity[slot] * inputs.multiplier[market]
    price, worth = inputs.mark_price[market], inputs.quote_price[market]
    nominal = np.abs(size) * price
    v = clearer[owner]
    tier = (inputs.tier_floor[v, market] <= nominal[:, None]).sum(axis=1) - 1
    needed = nominal * inputs.tier_rate[v, market, tier] - inputs.tier_deduction[v, market, tier]
    if len(inputs.size_rate):
        terms = inputs.size_rate[v, market], inputs.size_root[v, market]
        needed = sized_numpy(needed, nominal, np.abs(size), *terms)
    gain = size * (price - inputs.entry_price[slot]) * worth
    open_position = size != 0.0
    n = len(rows)
    # bincount adds in slot order, the balances first: the order of the compiled loop.
    head, everyone = np.arange(n), np.concatenate([np.arange(n), owner])
    out.equity[rows] = np.bincount(
        everyone, np.concatenate([equity, np.where(open_position, gain, 0.0)]), n
    )[head]
    out.maintenance[rows] = np.bincount(owner, np.where(open_position, needed * worth, 0.0), n)
    out.notional[rows] = np.bincount(owner, np.where(open_position, nominal * worth, 0.0), n)
    holding = out.notional[rows] > 0.0
    below = out.equity[rows] < required[rows] * out.maintenance[rows]
    breached: IntArray = rows[holding & below]
    return breached


@compiled
def margin_loop(
    inputs: MarginInputs,
    rows: IntArray,
    required: FloatArray,
    out: MarginOutputs,
    breached: IntArray,
) -> int:
    """Fill `out` at `rows`, put the breached ones into `breached` and return their number."""
    count = 0
    tiers = inputs.tier_floor.shape[2]
    assets = inputs.balance.shape[1]
    by_size = inputs.size_rate.shape[0] > 0
    for i in range(rows.shape[0]):
        row = rows[i]
        v = inputs.clearer[row]
        equity = 0.0
        for k in range(assets):
            held = inputs.balance[row, k]
            weight = inputs.weight_positive[v, k] if held > 0 else inputs.asset_price[k]
            equity += weight * held
        maintenance = 0.0
        notional = 0.0
        for j in range(inputs.position_start[row], inputs.position_start[row + 1]):
            m = inputs.market[j]
            size = inputs.quantity[j] * inputs.multiplier[m]
            if size == 0.0:
                continue
            price = inputs.mark_price[m]
            worth = inputs.quote_price[m]
            nominal = abs(size) * price
            t = 0
            while t + 1 < tiers and inputs.tier_floor[v, m, t + 1] <= nominal:
                t += 1
            needed = nominal * inputs.tier_rate[v, m, t] - inputs.tier_deduction[v, m, t]
            if by_size:
                rate, root = inputs.size_rate[v, m], inputs.size_root[v, m]
                needed = sized(needed, nominal, abs(size), rate, root)
            equity += size * (price - inputs.entry_price[j]) * worth
            maintenance += needed * worth
            notional += nominal * worth
        out.equity[row] = equity
        out.maintenance[row] = maintenance
        out.notional[row] = notional
        if notional > 0.0 and equity < required[row] * maintenance:
            breached[count] = row
            count += 1
    return count


def account_margin(
    inputs: MarginInputs, rows: IntArray, required: FloatArray, out: MarginOutputs
) -> IntArray:
    """Fill equity, maintenance margin and gross notional of accounts; find the breached ones.

    Parameters
    ----------
    inputs : MarginInputs
    rows : (N,) int64
        Rows to revalue, each at most once.
    required : (R,) float64 [1]
        Margin ratio below which an account that holds positions is breached.
    out : MarginOutputs
        Written at `rows`, untouched elsewhere.

    Returns
    -------
    (B,) int64
        Those of `rows`, in order, with ``equity < required * maintenance``.

    Notes
    -----
    Formula in the module's docstring. Uses the compiled twin where numba is installed.
    """
    if not HAS_NUMBA:
        return account_margin_numpy(inputs, rows, required, out)
    breached = np.empty(len(rows), dtype=np.int64)
    count = margin_loop(inputs, rows, required, out, breached)
    return breached[:count].copy()
