"""How far prices may move before an account could cross a level.

Prices are measured by ``d(p, p') = max_j |p_j - p'_j| / u_j`` with a fixed unit u_j per market
and per collateral asset. An account's excess over its level l (equity minus l times maintenance
margin) changes by at most ``L d`` with

    L = sum_j |q_j| c_j x_j (1 + l r_j) u_j  +  sum_k |b_k| u_k

where r_j is the steepest maintenance rate that the position can reach while its price is at most
four times today's. So the account cannot cross the level before d, taken from now, reaches

    radius = (excess - slack) / L,      slack = 1e-9 (|equity| + l maintenance + notional)

and the slack is far above the rounding of any of these sums. Values of quote assets must not
change meanwhile; the caller starts afresh when they do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim.core.arrays import FloatArray, Int16Array, IntArray
from sim.kernels.margin import MarginInputs, MarginOutputs

try:
    from numba import njit

    HAS_NUMBA = True
except ImportError:  # pragma: no cover - the reference path, exercised by its own tests
    HAS_NUMBA = False

REACH = 4.0
"""Multiple of today's price up to which the steepest maintenance rate is looked for."""

SLACK = 1e-9
"""Share of an account's gross figures that is set aside for rounding."""


def account_radius_numpy(
    inputs: MarginInputs,
    market_unit: FloatArray,
    column_unit: FloatArray,
    rows: IntArray,
    level: FloatArray,
    out: MarginOutputs,
) -> FloatArray:
    """Return the radius (N,) of each account; the plain reference."""
    start, stop = inputs.position_start[rows], inputs.position_start[rows + 1]
    counts = stop - start
    owner = np.repeat(np.arange(len(rows)), counts)
    offset = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    slot = np.repeat(start, counts) + offset
    market = inputs.market[slot]
    size = np.abs(inputs.quantity[slot] * inputs.multiplier[market])
    reach = REACH * size * inputs.mark_price[market]
    v = inputs.clearer[rows].astype(np.int64)[owner]
    tier = (inputs.tier_floor[v, market] <= reach[:, None]).sum(axis=1) - 1
    steep = 1.0 + level[owner] * inputs.tier_rate[v, market, tier]
    slope = size * inputs.quote_price[market] * steep * market_unit[market]
    lipschitz = np.bincount(owner, np.where(size > 0.0, slope, 0.0), len(rows))
    for k in range(inputs.balance.shape[1]):
        lipschitz = lipschitz + np.abs(inputs.balance[rows, k]) * column_unit[k]
    equity, needed = out.equity[rows], level * out.maintenance[rows]
    spare = equity - needed - SLACK * (np.abs(equity) + needed + out.notional[rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        radius = spare / lipschitz
    radius = np.where(lipschitz > 0.0, radius, np.where(spare > 0.0, np.inf, -np.inf))
    return np.where(out.notional[rows] > 0.0, radius, np.inf)


def _account_radius_loop(
    position_start: IntArray,
    market: Int16Array,
    quantity: FloatArray,
    clearer: Int16Array,
    balance: FloatArray,
    mark_price: FloatArray,
    multiplier: FloatArray,
    quote_price: FloatArray,
    tier_floor: FloatArray,
    tier_rate: FloatArray,
    market_unit: FloatArray,
    column_unit: FloatArray,
    rows: IntArray,
    level: FloatArray,
    equity: FloatArray,
    maintenance: FloatArray,
    notional: FloatArray,
    radius: FloatArray,
) -> None:
    tiers = tier_floor.shape[2]
    for i in range(rows.shape[0]):
        row = rows[i]
        if not notional[row] > 0.0:
            radius[i] = np.inf
            continue
        v = clearer[row]
        lipschitz = 0.0
        for j in range(position_start[row], position_start[row + 1]):
            m = market[j]
            size = abs(quantity[j] * multiplier[m])
            if size == 0.0:
                continue
            reach = REACH * size * mark_price[m]
            t = 0
            while t + 1 < tiers and tier_floor[v, m, t + 1] <= reach:
                t += 1
            steep = 1.0 + level[i] * tier_rate[v, m, t]
            lipschitz += size * quote_price[m] * steep * market_unit[m]
        for k in range(balance.shape[1]):
            lipschitz += abs(balance[row, k]) * column_unit[k]
        needed = level[i] * maintenance[row]
        spare = equity[row] - needed - SLACK * (abs(equity[row]) + needed + notional[row])
        if lipschitz > 0.0:
            radius[i] = spare / lipschitz
        elif spare > 0.0:
            radius[i] = np.inf
        else:
            radius[i] = -np.inf


_compiled: Callable[..., None] | None = (
    njit(cache=True, nogil=True)(_account_radius_loop) if HAS_NUMBA else None
)


def account_radius(
    inputs: MarginInputs,
    market_unit: FloatArray,
    column_unit: FloatArray,
    rows: IntArray,
    level: FloatArray,
    out: MarginOutputs,
) -> FloatArray:
    """Return how far prices may move before each account could cross its level.

    Parameters
    ----------
    inputs : MarginInputs
    market_unit : (M,) float64 [quote/base]
        Unit u_j in which moves of a mark are measured, > 0.
    column_unit : (K,) float64 [numeraire]
        The same for the value of a balance asset; 0 where it cannot change.
    rows : (N,) int64
        Accounts, just revalued.
    level : (N,) float64 [1]
        Highest margin ratio at which something happens to the account.
    out : MarginOutputs
        Equity, maintenance margin and notional of those rows.

    Returns
    -------
    (N,) float64 [1]
        Radius; not positive for an account at or below its level, infinite for one without
        positions.

    Notes
    -----
    Formula in the module's docstring.
    """
    if _compiled is None:
        return account_radius_numpy(inputs, market_unit, column_unit, rows, level, out)
    radius = np.empty(len(rows))
    _compiled(
        inputs.position_start,
        inputs.market,
        inputs.quantity,
        inputs.clearer,
        inputs.balance,
        inputs.mark_price,
        inputs.multiplier,
        inputs.quote_price,
        inputs.tier_floor,
        inputs.tier_rate,
        market_unit,
        column_unit,
        rows,
        level,
        *out,
        radius,
    )
    return radius
