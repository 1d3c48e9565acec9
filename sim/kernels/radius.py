"""How far prices may move before anything could happen to an account.

The state of the prices is the vector of the values y_m = P_m x_m of the markets (mark price times
value of the quote asset) and of the values x_a of the assets, all in the numeraire. Distances are
measured by ``d(p, p') = max_j |p_j - p'_j| / u_j`` with a fixed unit u_j for each of them; a value
with unit 0 must not change at all. In these coordinates

    equity      = sum_k w_k b_k + sum_j q c (y - e x)
    maintenance = sum_j (r_t |q| c y - d_t x)              t: tier of the notional |q| c y / x

so the excess over the level l, equity minus l times maintenance, changes by at most ``L d`` with

    L = sum_j |q| c (1 + l r) u_y  +  sum_j (|q| c |e| + l d) u_x  +  sum_k |b_k| u_k

where r and d are the steepest rate (with what `sim.kernels.size` adds) and the largest deduction
that the position can meet while its price is at most `REACH` times today's; u_k is the unit of what
the balance counts at, which is a coordinate of its own where a clearer goes by its own book, and 0
where it goes by par. The radius of an account is the least of

    (excess - slack) / L        slack = SLACK (gross balances + gross cost + |equity|
                                               + l maintenance + notional)
    the distance within which no position leaves its reach
    (y - s x) / (u_y + |s| u_x) for each stop price s of a long position, its negative for a short

Before prices have moved by it, the account cannot reach its level, nor a stop. `SLACK` is far
above the rounding of any of these sums.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, Int16Array, IntArray
from sim.kernels.compiling import HAS_NUMBA, compiled, compiled_part
from sim.kernels.margin import MarginInputs, MarginOutputs
from sim.kernels.size import NO_SIZES, steepest, steepest_numpy
from sim.kernels.slots import slots_numpy

REACH = 4.0
"""Multiple of today's price up to which the steepest maintenance rate is looked for."""

SLACK = 1e-9
"""Share of an account's gross figures that is set aside for rounding."""


class RadiusInputs(NamedTuple):
    """What a radius depends on beside the account itself.

    Attributes
    ----------
    market_unit, quote_unit : (M,) float64 [numeraire]
        Units of the value of each market, > 0, and of its quote asset, 0 where it is fixed.
    column_unit : (K,) float64 [numeraire]
        Unit of the value of each balance asset, 0 where it is fixed.
    call_level : (A,) float64 [1], or empty
        Margin ratio at which an account is called, 0 where it never is.
    cohort : (A,) int16
    stop : (cohorts,) float64 [1], or empty
        Adverse move at which the traders of a cohort close a position; inf for never.
    held_unit : (V, K) float64 [numeraire], or empty
        Unit of what each clearer counts a balance at that is held; empty where all count it at
        the value of the asset. Debts go by `column_unit`.
    """

    market_unit: FloatArray
    quote_unit: FloatArray
    column_unit: FloatArray
    call_level: FloatArray
    cohort: Int16Array
    stop: FloatArray
    held_unit: FloatArray = NO_SIZES


def account_radius_numpy(
    inputs: MarginInputs,
    units: RadiusInputs,
    rows: IntArray,
    required: FloatArray,
    out: MarginOutputs,
) -> FloatArray:
    """Return the radius (N,) of each account; the plain reference of `account_radius`."""
    count = len(rows)
    slot, owner = slots_numpy(inputs.position_start, rows)
    held = inputs.quantity[slot] != 0.0
    slot, owner = slot[held], owner[held]
    market = inputs.market[slot].astype(np.int64)
    size = np.abs(inputs.quantity[slot] * inputs.multiplier[market])
    entry, worth = inputs.entry_price[slot], inputs.quote_price[market]
    level = required[rows]
    if len(units.call_level):
        level = np.maximum(level, units.call_level[rows])
    clearer = inputs.clearer[rows].astype(np.int64)[owner]
    slope, far = _slopes_and_reaches(inputs, units, clearer, slot, level[owner])
    lipschitz: FloatArray = np.asarray(np.bincount(owner, slope, count), dtype=np.float64)
    balance = np.abs(inputs.balance[rows])
    value = np.broadcast_to(inputs.asset_price, balance.shape)
    unit = np.broadcast_to(units.column_unit, balance.shape)
    if len(units.held_unit):
        held_now, v = inputs.balance[rows] > 0.0, inputs.clearer[rows]
        unit = np.where(held_now, units.held_unit[v], unit)
        value = np.where(held_now, np.maximum(inputs.weight_positive[v], value), value)
    for k in range(balance.shape[1]):
        lipschitz = lipschitz + balance[:, k] * unit[:, k]
    gross = (balance * value).sum(axis=1)
    gross = gross + np.bincount(owner, size * np.abs(entry) * worth, count)

    equity, needed = out.equity[rows], np.maximum(level * out.maintenance[rows], 0.0)
    excess = equity - needed
    excess = excess - SLACK * (gross + np.abs(equity) + needed + out.notional[rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        radius = excess / lipschitz
        radius = np.where(lipschitz > 0.0, radius, np.where(excess > 0.0, np.inf, -np.inf))
    np.minimum.at(radius, owner, far)
    if len(units.stop):
        trigger = units.stop[units.cohort[rows]][owner]
        radius = np.minimum(radius, _stop_radius(inputs, units, slot, owner, trigger, count))
    # Without positions and debts equity cannot turn negative by any move of prices.
    idle = (out.notional[rows] == 0.0) & ~(inputs.balance[rows] < 0.0).any(axis=1)
    return np.where(idle, np.inf, radius)


def _slopes_and_reaches(
    inputs: MarginInputs, units: RadiusInputs, clearer: IntArray, slot: IntArray, level: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return what each position adds to L, and how far it stays within its reach."""
    market = inputs.market[slot].astype(np.int64)
    size = np.abs(inputs.quantity[slot] * inputs.multiplier[market])
    worth = inputs.quote_price[market]
    value = inputs.mark_price[market] * worth
    unit, quote_unit = units.market_unit[market], units.quote_unit[market]
    reached = REACH * size * inputs.mark_price[market]
    floors = inputs.tier_floor[clearer, market]
    tier = (floors <= reached[:, None]).sum(axis=1) - 1
    met = np.arange(floors.shape[1]) <= tier[:, None]
    deductions = np.where(met, np.abs(inputs.tier_deduction[clearer, market]), 0.0)
    rate = inputs.tier_rate[clearer, market, tier]
    if len(inputs.size_rate):
        terms = inputs.size_rate[clearer, market], inputs.size_root[clearer, market]
        rate = steepest_numpy(rate, size, *terms)
    slope = size * (1.0 + level * rate) * unit
    cost = size * np.abs(inputs.entry_price[slot])
    slope = slope + (cost + level * deductions.max(axis=1, initial=0.0)) * quote_unit
    with np.errstate(divide="ignore"):
        moving = np.minimum(value / unit, worth / (2.0 * quote_unit))
    return slope, np.where(quote_unit > 0.0, moving, (REACH - 1.0) * value / unit)


def _stop_radius(
    inputs: MarginInputs,
    units: RadiusInputs,
    slot: IntArray,
    owner: IntArray,
    trigger: FloatArray,
    count: int,
) -> FloatArray:
    """Return the distance (N,) within which no open position in `slot` reaches its stop."""
    radius = np.full(count, np.inf)
    stopping = np.isfinite(trigger)
    slot, owner, trigger = slot[stopping], owner[stopping], trigger[stopping]
    market = inputs.market[slot].astype(np.int64)
    side, worth = np.sign(inputs.quantity[slot]), inputs.quote_price[market]
    value = inputs.mark_price[market] * worth
    at = inputs.entry_price[slot] * (1.0 - side * trigger)
    rest = side * (value - at * worth) - SLACK * (value + np.abs(at) * worth)
    speed = units.market_unit[market] + np.abs(at) * units.quote_unit[market]
    np.minimum.at(radius, owner, rest / speed)
    return radius


@compiled_part
def _slope_and_reach(
    inputs: MarginInputs, units: RadiusInputs, v: int, j: int, level: float
) -> tuple[float, float]:
    """Return what one position adds to L, and how far it stays within its reach."""
    m = inputs.market[j]
    size = abs(inputs.quantity[j] * inputs.multiplier[m])
    worth = inputs.quote_price[m]
    value = inputs.mark_price[m] * worth
    unit, quote_unit = units.market_unit[m], units.quote_unit[m]
    reached = REACH * size * inputs.mark_price[m]
    t = 0
    while t + 1 < inputs.tier_floor.shape[2] and inputs.tier_floor[v, m, t + 1] <= reached:
        t += 1
    rate = inputs.tier_rate[v, m, t]
    if inputs.size_rate.shape[0] > 0:
        rate = steepest(rate, size, inputs.size_rate[v, m], inputs.size_root[v, m])
    slope = size * (1.0 + level * rate) * unit
    if not quote_unit > 0.0:
        return slope, (REACH - 1.0) * value / unit
    deduction = 0.0
    for s in range(t + 1):
        deduction = max(deduction, abs(inputs.tier_deduction[v, m, s]))
    slope += (size * abs(inputs.entry_price[j]) + level * deduction) * quote_unit
    return slope, min(value / unit, worth / (2.0 * quote_unit))


@compiled_part
def _rest_to_stop(inputs: MarginInputs, units: RadiusInputs, j: int, trigger: float) -> float:
    """Return how far prices may move before one position reaches its stop."""
    m = inputs.market[j]
    side = 1.0 if inputs.quantity[j] > 0.0 else -1.0
    worth = inputs.quote_price[m]
    value = inputs.mark_price[m] * worth
    at = inputs.entry_price[j] * (1.0 - side * trigger)
    rest = side * (value - at * worth) - SLACK * (value + abs(at) * worth)
    return float(rest / (units.market_unit[m] + abs(at) * units.quote_unit[m]))


@compiled
def radius_loop(
    inputs: MarginInputs,
    units: RadiusInputs,
    rows: IntArray,
    required: FloatArray,
    out: MarginOutputs,
    radius: FloatArray,
) -> None:
    """Fill `radius` (N,) for `rows`; the compiled twin."""
    calls, stops = units.call_level.shape[0] > 0, units.stop.shape[0] > 0
    local = units.held_unit.shape[0] > 0
    for i in range(rows.shape[0]):
        row = rows[i]
        lipschitz, gross, owes = 0.0, 0.0, False
        for k in range(inputs.balance.shape[1]):
            held = inputs.balance[row, k]
            owes = owes or held < 0.0
            unit, value = units.column_unit[k], inputs.asset_price[k]
            if local and held > 0.0:
                v = inputs.clearer[row]
                unit, value = units.held_unit[v, k], max(inputs.weight_positive[v, k], value)
            lipschitz += abs(held) * unit
            gross += abs(held) * value
        if out.notional[row] == 0.0 and not owes:
            radius[i] = np.inf
            continue
        level = max(required[row], units.call_level[row]) if calls else required[row]
        trigger = units.stop[units.cohort[row]] if stops else np.inf
        least = np.inf
        for j in range(inputs.position_start[row], inputs.position_start[row + 1]):
            if inputs.quantity[j] == 0.0:
                continue
            slope, reach = _slope_and_reach(inputs, units, inputs.clearer[row], j, level)
            lipschitz += slope
            least = min(least, reach)
            m = inputs.market[j]
            size = abs(inputs.quantity[j] * inputs.multiplier[m])
            gross += size * abs(inputs.entry_price[j]) * inputs.quote_price[m]
            if trigger < np.inf:
                least = min(least, _rest_to_stop(inputs, units, j, trigger))
        needed = max(level * out.maintenance[row], 0.0)
        excess = out.equity[row] - needed
        excess -= SLACK * (gross + abs(out.equity[row]) + needed + out.notional[row])
        if lipschitz > 0.0:
            least = min(least, excess / lipschitz)
        elif excess <= 0.0:
            least = -np.inf
        radius[i] = least


def account_radius(
    inputs: MarginInputs,
    units: RadiusInputs,
    rows: IntArray,
    required: FloatArray,
    out: MarginOutputs,
) -> FloatArray:
    """Return how far prices may move before anything could happen to each account.

    Parameters
    ----------
    inputs : MarginInputs
    units : RadiusInputs
    rows : (N,) int64
        Accounts, just revalued.
    required : (R,) float64 [1]
        Margin ratio below which each account is liquidatable.
    out : MarginOutputs
        Equity, maintenance margin and notional of those rows.

    Returns
    -------
    (N,) float64 [1]
        Radius; not positive for an account at or below a level, or at a stop; infinite for one
        that neither holds positions nor owes anything.

    Notes
    -----
    Formula in the module's docstring. The twins agree but for the order of a sum, to 1e-12.
    """
    if not HAS_NUMBA:
        return account_radius_numpy(inputs, units, rows, required, out)
    radius = np.empty(len(rows))
    radius_loop(inputs, units, rows, required, out, radius)
    return radius
