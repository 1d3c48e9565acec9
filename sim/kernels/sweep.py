"""A sweep over all accounts that hold positions, for times when nearly all of them are due.

A quick test settles most accounts. While the values of assets stand still, equity is a constant
plus the values of the positions,

    equity = cash + sum_j s_j P_m,      s = q c x,     cash = sum_k w_k b_k - sum_j s_j e_j

and with gross notional ``N = sum_j |s_j| P_m`` maintenance margin is at most ``r N``, r the highest
rate that the account can meet while no price is above `REACH` times what it was when the accounts
were packed. So nothing happens to an account with

    equity > l r N + slack,     slack = SLACK (|cash| + sum_k |w_k b_k| + sum_j |s_j e_j| + N)

and neither to one with ``equity > l maintenance + slack``, its tiers looked up. The others are
revalued. Accounts that change are always revalued until the next packing, and so are those with
stops.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.core.arrays import FloatArray, IntArray
from sim.kernels.compiling import HAS_NUMBA, compiled, compiled_part
from sim.kernels.margin import MarginInputs, MarginOutputs, account_margin
from sim.kernels.radius import SLACK, RadiusInputs
from sim.kernels.size import sized, sized_numpy, steepest, steepest_numpy
from sim.kernels.slots import slots_numpy

REACH = 2.0
"""Multiple of the prices at packing up to which the highest rate is looked for."""

ALWAYS = np.inf
"""Ceiling of an account that is looked at in full on every sweep."""

BLOCK = 65_536
"""Accounts packed at a time by NumPy; bounds the memory and changes no number."""

Places = NDArray[np.unsignedinteger[Any]]


class Packed(NamedTuple):
    """The accounts (H) that hold positions (S), without gaps.

    Indices are unsigned, which spares compiled code the test for negative ones.

    Attributes
    ----------
    row : (H,) int64
    start : (H + 1,) uint32
    market : (S,) uint16
    size : (S,) float64
        Numeraire value of the position at a price of 1, signed.
    cash : (H,) float64 [numeraire]
        Equity at prices of 0, less the slack but for its share of notional.
    level, ceiling : (H,) float64 [1]
        Level; and level times the highest maintenance rate, plus `SLACK`, or `ALWAYS`.
    clearer : (H,) uint16
    valid : (M,) float64 [quote/base]
        Highest price of each market for which the ceilings hold.
    quote_price, asset_price, own_price : (M,), (K,), (C,) float64 [numeraire]
        Values of quote and balance assets, and of collateral by clearers' own books, for which
        the cash holds.
    place : (A,) int32
        Place of each account among the packed ones, -1 for one that holds nothing.
    """

    row: IntArray
    start: Places
    market: Places
    size: FloatArray
    cash: FloatArray
    level: FloatArray
    ceiling: FloatArray
    clearer: Places
    valid: FloatArray
    quote_price: FloatArray
    asset_price: FloatArray
    own_price: FloatArray
    place: NDArray[np.int32]


def nothing_packed(inputs: MarginInputs) -> Packed:
    """Return the packing of no account."""
    none = np.empty(0)
    return Packed(
        row=np.empty(0, dtype=np.int64),
        start=np.zeros(1, dtype=np.uint32),
        market=np.empty(0, dtype=np.uint16),
        size=none,
        cash=none,
        level=none,
        ceiling=none,
        clearer=np.empty(0, dtype=np.uint16),
        valid=REACH * inputs.mark_price,
        quote_price=inputs.quote_price.copy(),
        asset_price=inputs.asset_price.copy(),
        own_price=inputs.own_price.copy(),
        place=np.empty(0, dtype=np.int32),
    )


def pack(
    inputs: MarginInputs,
    units: RadiusInputs,
    required: FloatArray,
    out: MarginOutputs,
) -> Packed:
    """Pack the accounts that hold positions.

    Parameters
    ----------
    inputs, units, required
        As in `sim.kernels.radius.account_radius`.
    out : MarginOutputs
        Its notional tells who holds positions.
    """
    row = np.flatnonzero(out.notional > 0.0)
    start = np.concatenate([[0], np.cumsum(np.diff(inputs.position_start)[row])])
    accounts, positions = len(row), int(start[-1])
    packed = nothing_packed(inputs)._replace(
        row=row,
        start=start.astype(np.uint32),
        market=np.empty(positions, dtype=np.uint16),
        size=np.empty(positions),
        cash=np.empty(accounts),
        level=np.empty(accounts),
        ceiling=np.empty(accounts),
        clearer=inputs.clearer[row].astype(np.uint16),
        place=np.full(len(out.notional), -1, dtype=np.int32),
    )
    packed.place[row] = np.arange(accounts)
    if HAS_NUMBA:
        fill_loop(packed, inputs, units, required)
    else:
        for first in range(0, accounts, BLOCK):
            fill_numpy(packed, inputs, units, required, slice(first, first + BLOCK))
    return packed


@compiled
def fill_loop(
    packed: Packed, inputs: MarginInputs, units: RadiusInputs, required: FloatArray
) -> None:
    """Fill in the packed accounts, whose rows and starts are known."""
    calls, stops = units.call_level.shape[0] > 0, units.stop.shape[0] > 0
    by_size = inputs.size_rate.shape[0] > 0
    for i in range(packed.row.shape[0]):
        row = packed.row[i]
        v = inputs.clearer[row]
        cash, gross, highest = 0.0, 0.0, 0.0
        for k in range(inputs.balance.shape[1]):
            held = inputs.balance[row, k]
            weight = inputs.weight_positive[v, k] if held > 0.0 else inputs.asset_price[k]
            cash += weight * held
            gross += abs(weight * held)
        at = packed.start[i]
        for j in range(inputs.position_start[row], inputs.position_start[row + 1]):
            m = inputs.market[j]
            size = inputs.quantity[j] * inputs.multiplier[m]
            nominal = abs(size) * packed.valid[m]
            t = 0
            while t + 1 < inputs.tier_floor.shape[2] and inputs.tier_floor[v, m, t + 1] <= nominal:
                t += 1
            if size != 0.0:
                rate = inputs.tier_rate[v, m, t]
                if by_size:
                    terms = inputs.size_rate[v, m], inputs.size_root[v, m]
                    rate = steepest(rate, abs(size), terms[0], terms[1])
                highest = max(highest, rate)
            size *= inputs.quote_price[m]
            cash -= size * inputs.entry_price[j]
            gross += abs(size * inputs.entry_price[j])
            packed.market[at], packed.size[at] = m, size
            at += 1
        level = max(required[row], units.call_level[row]) if calls else required[row]
        packed.level[i], packed.ceiling[i] = level, level * highest + SLACK
        if stops and units.stop[units.cohort[row]] < np.inf:
            packed.ceiling[i] = ALWAYS
        packed.cash[i] = cash - SLACK * (abs(cash) + gross)


def fill_numpy(
    packed: Packed, inputs: MarginInputs, units: RadiusInputs, required: FloatArray, part: slice
) -> None:
    """Fill in some of the packed accounts; the plain reference, equal but for orders of sums."""
    row = packed.row[part]
    count, first = len(row), int(packed.start[part.start])
    slot, owner = slots_numpy(inputs.position_start, row)
    market = inputs.market[slot].astype(np.int64)
    size = inputs.quantity[slot] * inputs.multiplier[market]
    clearer = inputs.clearer[row].astype(np.int64)
    floors = inputs.tier_floor[clearer[owner], market]
    tier = (floors <= (np.abs(size) * packed.valid[market])[:, None]).sum(axis=1) - 1
    rate = inputs.tier_rate[clearer[owner], market, tier]
    if len(inputs.size_rate):
        place = clearer[owner], market
        rate = steepest_numpy(rate, np.abs(size), inputs.size_rate[place], inputs.size_root[place])
    highest = np.zeros(count)
    np.maximum.at(highest, owner, np.where(size != 0.0, rate, 0.0))
    level = required[row]
    if len(units.call_level):
        level = np.maximum(level, units.call_level[row])
    packed.level[part], packed.ceiling[part] = level, level * highest + SLACK
    if len(units.stop):
        packed.ceiling[part][np.isfinite(units.stop[units.cohort[row]])] = ALWAYS
    size = size * inputs.quote_price[market]
    cost = size * inputs.entry_price[slot]
    held = inputs.balance[row]
    worth = np.where(held > 0.0, inputs.weight_positive[clearer], inputs.asset_price) * held
    cash = worth.sum(axis=1) - np.bincount(owner, cost, count)
    gross = np.abs(worth).sum(axis=1) + np.bincount(owner, np.abs(cost), count)
    packed.market[first : first + len(slot)] = market
    packed.size[first : first + len(slot)] = size
    packed.cash[part] = cash - SLACK * (np.abs(cash) + gross)


@compiled
def holds(packed: Packed, inputs: MarginInputs) -> bool:
    """Return whether ceilings and cash hold at the present prices."""
    good = True
    for m in range(inputs.mark_price.shape[0]):
        good = good and inputs.mark_price[m] <= packed.valid[m]
        good = good and inputs.quote_price[m] == packed.quote_price[m]
    for k in range(inputs.asset_price.shape[0]):
        good = good and inputs.asset_price[k] == packed.asset_price[k]
    for c in range(inputs.own_price.shape[0]):
        good = good and inputs.own_price[c] == packed.own_price[c]
    return good


@compiled_part
def _needed(packed: Packed, inputs: MarginInputs, i: int) -> float:
    """Return the maintenance margin of a packed account."""
    needed = 0.0
    v = packed.clearer[i]
    for j in range(packed.start[i], packed.start[i + 1]):
        m = packed.market[j]
        worth = packed.quote_price[m]
        value = abs(packed.size[j]) * inputs.mark_price[m]
        t = 0
        while (
            t + 1 < inputs.tier_floor.shape[2] and inputs.tier_floor[v, m, t + 1] * worth <= value
        ):
            t += 1
        if value > 0.0:
            one = inputs.tier_rate[v, m, t] * value - inputs.tier_deduction[v, m, t] * worth
            if inputs.size_rate.shape[0] > 0:
                rate, root = inputs.size_rate[v, m], inputs.size_root[v, m]
                one = sized(one, value, abs(packed.size[j]) / worth, rate, root)
            needed += one
    return needed


@compiled
def doubtful_loop(packed: Packed, inputs: MarginInputs, rows: IntArray) -> int:
    """Put the rows that the quick tests do not settle into `rows`; return their number."""
    count = 0
    for i in range(packed.cash.shape[0]):
        equity = packed.cash[i]
        notional = 0.0
        for j in range(packed.start[i], packed.start[i + 1]):
            value = packed.size[j] * inputs.mark_price[packed.market[j]]
            equity += value
            notional += abs(value)
        if equity > packed.ceiling[i] * notional:
            continue
        if packed.ceiling[i] < ALWAYS:
            needed = packed.level[i] * max(_needed(packed, inputs, i), 0.0)
            if equity - SLACK * notional > needed:
                continue
        rows[count] = packed.row[i]
        count += 1
    return count


def doubtful_numpy(packed: Packed, inputs: MarginInputs) -> IntArray:
    """Return the rows that the quick tests do not settle; the plain reference."""
    start: IntArray = packed.start.astype(np.int64)
    counts = start[1:] - start[:-1]
    owner = np.repeat(np.arange(len(counts)), counts)
    market, worth = packed.market, packed.quote_price[packed.market]
    value = packed.size * inputs.mark_price[market]
    nominal = np.abs(value)
    equity = packed.cash + np.bincount(owner, value, len(counts))
    notional = np.bincount(owner, nominal, len(counts))
    clearer = packed.clearer[owner]
    floors = inputs.tier_floor[clearer, market] * worth[:, None]
    tier = (floors <= nominal[:, None]).sum(axis=1) - 1
    rate, deduction = inputs.tier_rate, inputs.tier_deduction
    margin = rate[clearer, market, tier] * nominal - deduction[clearer, market, tier] * worth
    if len(inputs.size_rate):
        terms = inputs.size_rate[clearer, market], inputs.size_root[clearer, market]
        margin = sized_numpy(margin, nominal, np.abs(packed.size) / worth, *terms)
    needed = np.bincount(owner, np.where(nominal > 0.0, margin, 0.0), len(counts))
    left = equity - SLACK * notional
    settled = (packed.ceiling < ALWAYS) & (left > packed.level * np.maximum(needed, 0.0))
    rows: IntArray = packed.row[~settled]
    return rows


def sweep(
    packed: Packed, inputs: MarginInputs, required: FloatArray, out: MarginOutputs
) -> tuple[IntArray, IntArray]:
    """Find the broken among the packed accounts, where `holds` is true.

    Returns
    -------
    rows : (N,) int64
        Accounts that were revalued, ascending.
    broken : (B,) int64
        Those of them below their required ratio.
    """
    if HAS_NUMBA:
        rows = np.empty(len(packed.row), dtype=np.int64)
        rows = rows[: doubtful_loop(packed, inputs, rows)].copy()
    else:
        rows = doubtful_numpy(packed, inputs)
    return rows, account_margin(inputs, rows, required, out)


def doubt(packed: Packed, rows: IntArray) -> None:
    """Have accounts looked at in full from now on."""
    place = packed.place[rows]
    packed.ceiling[place[place >= 0]] = ALWAYS
