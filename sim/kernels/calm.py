"""Calm stretches: ticks in which prices move from outside and nobody does anything.

Such a tick has a shock phase (exogenous growth), the relaxation of displaced books, marks, and a
look at the accounts that are due. Prices feed on nothing that accounts do until one of them
reaches a level or a stop, or an arbitrageur finds a gap. Then the stretch ends inside that tick,
and the ordinary phases take over from there. The plain reference is the ordinary tick itself
(`sim.engine.model`): both do the same sums in the same order, to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.kernels.collateral import LocalPrices, value_own, weigh
from sim.kernels.compiling import compiled, compiled_part
from sim.kernels.indices import value_assets_loop
from sim.kernels.levels import Levels, look_loop, must_start_afresh
from sim.kernels.margin import MarginInputs, MarginOutputs, margin_loop
from sim.kernels.price_state import PriceRules, PriceState
from sim.kernels.prices import open_marks_loop
from sim.kernels.radius import RadiusInputs, radius_loop
from sim.kernels.sweep import Packed, doubtful_loop, holds

THROUGH, RUNAWAY, GAP, REACHED = range(4)
"""How a stretch ends: at its last tick; after a book's relaxation left every sensible range, or
before arbitrageurs act, both in the trade phase; after the mark phase, as an account may be broken,
called or stopped."""


class Books(NamedTuple):
    """Order books and what the recorder keeps of every tick (M markets).

    Attributes
    ----------
    anchor, initial, floor, ceiling : (M,) float64 [quote/base]
        Price without the flow that the book remembers; at the start; lowest an order may make;
        highest that means something.
    left : (M,) float64 [1]
        Share of a displacement that is left after a tick, 1 for a book that does not recover.
    reverting : (M,) float64 [1]
        Share of what is forgotten that reverts.
    floor_hits : (1,) int64
    exogenous, reversion : (M,) float64 [quote/base]
        Price moves booked so far to these causes.
    lowest, highest, drawdown, farthest, exogenous_then, move_then : (M,) float64
        As in the recorder.
    gap_start : (G + 1,) int64
    gap_market : int64
        Tradable markets of each group whose gaps an arbitrageur watches.
    mark_before : (M,) float64 [quote/base], or empty
        Marks at the end of the tick before, where somebody asks for them.
    """

    anchor: FloatArray
    initial: FloatArray
    floor: FloatArray
    ceiling: FloatArray
    left: FloatArray
    reverting: FloatArray
    floor_hits: IntArray
    exogenous: FloatArray
    reversion: FloatArray
    lowest: FloatArray
    highest: FloatArray
    drawdown: FloatArray
    farthest: FloatArray
    exogenous_then: FloatArray
    move_then: FloatArray
    gap_start: IntArray
    gap_market: IntArray
    mark_before: FloatArray


class Accounts(NamedTuple):
    """What accounts are judged by.

    Attributes
    ----------
    levels : Levels
    inputs : MarginInputs
        Its price arrays are kept up to date here.
    units : RadiusInputs
    required : (R,) float64 [1]
    out : MarginOutputs
    keep : (V, K) float64 [1]
        What a clearer's haircut leaves of a balance asset.
    local : LocalPrices
        Its own prices are kept up to date here.
    column : (K,) int64
        Asset of each balance column.
    now : (M + N + C,) float64 [numeraire]
        Values of markets, of assets, and of collateral by clearers' own books.
    packed : Packed
        Where it holds any account, everybody is looked at on every tick.
    looked_at : (1,) int64
        Accounts looked at so far.
    """

    levels: Levels
    inputs: MarginInputs
    units: RadiusInputs
    required: FloatArray
    out: MarginOutputs
    keep: FloatArray
    local: LocalPrices
    column: IntArray
    now: FloatArray
    packed: Packed
    looked_at: IntArray


@compiled_part
def _shock(state: PriceState, books: Books, growth: FloatArray, asset_growth: FloatArray) -> None:
    for m in range(growth.shape[0]):
        before = state.last[m]
        state.last[m] = before * growth[m]
        books.anchor[m] = books.anchor[m] * growth[m]
        books.exogenous[m] += state.last[m] - before
    for a in range(asset_growth.shape[0]):
        state.free[a] = state.free[a] * asset_growth[a]


@compiled_part
def _relax(rules: PriceRules, state: PriceState, books: Books) -> bool:
    """Let displaced books recover; return whether a price has left every sensible range."""
    astray = False
    for m in range(state.last.shape[0]):
        before = state.last[m]
        left = books.left[m]
        if left == 1.0 or before == books.anchor[m] or not state.up[rules.venue[m]]:
            continue
        gap = before - books.anchor[m]
        after = before - books.reverting[m] * gap * (1.0 - left)
        books.anchor[m] = after - left * gap
        floor = min(books.floor[m], before)
        if after < floor:
            after = floor
            books.floor_hits[0] += 1
        state.last[m] = after
        books.reversion[m] += after - before
        astray = astray or not after <= books.ceiling[m]
    return astray


@compiled_part
def _gap_opens(rules: PriceRules, state: PriceState, books: Books) -> bool:
    """Return whether any group of markets stands apart, in value since the start."""
    for g in range(books.gap_start.shape[0] - 1):
        first, stop = books.gap_start[g], books.gap_start[g + 1]
        level = 0.0
        for i in range(first, stop):
            m = books.gap_market[i]
            gap = state.last[m] * state.asset[rules.quote[m]] - rules.opening_value[m]
            if i == first:
                level = gap
            elif gap != level:
                return True
    return False


@compiled_part
def _note_extremes(state: PriceState, books: Books) -> None:
    for m in range(state.last.shape[0]):
        last = state.last[m]
        books.lowest[m] = min(books.lowest[m], last)
        books.highest[m] = max(books.highest[m], last)
        books.drawdown[m] = max(books.drawdown[m], 1.0 - last / books.highest[m])
        distance = abs(last - books.initial[m])
        if distance > books.farthest[m]:
            books.farthest[m] = distance
            books.exogenous_then[m] = books.exogenous[m]
            books.move_then[m] = last - books.initial[m]


@compiled_part
def _value_collateral(rules: PriceRules, state: PriceState, accounts: Accounts) -> None:
    """Bring the kernel's prices and the coordinates of distance up to the marks."""
    inputs, now = accounts.inputs, accounts.now
    markets = state.last.shape[0]
    for k in range(accounts.column.shape[0]):
        price = state.asset[accounts.column[k]]
        inputs.asset_price[k] = price
        for v in range(accounts.keep.shape[0]):
            inputs.weight_positive[v, k] = price * accounts.keep[v, k]
    weigh(accounts.local, accounts.keep, inputs.weight_positive)
    for m in range(markets):
        worth = state.asset[rules.quote[m]]
        inputs.quote_price[m] = worth
        now[m] = state.mark[m] * worth
    assets = state.asset.shape[0]
    for a in range(assets):
        now[markets + a] = state.asset[a]
    for c in range(accounts.local.own_price.shape[0]):
        now[markets + assets + c] = accounts.local.own_price[c]


@compiled_part
def _somebody_is_reached(accounts: Accounts) -> bool:
    """Look at the accounts that are due; return whether one may be broken, called or stopped."""
    inputs, out, packed = accounts.inputs, accounts.out, accounts.packed
    if packed.row.shape[0] == 0:
        if must_start_afresh(accounts.levels, accounts.now):
            return True
        none = np.empty(0, dtype=np.int64)
        rows, _, reached = look_loop(
            accounts.levels, accounts.now, none, inputs, accounts.units, accounts.required, out
        )
        accounts.looked_at[0] += rows.shape[0]
        return reached
    if not holds(packed, inputs):
        return True
    doubtful = np.empty(packed.row.shape[0], dtype=np.int64)
    rows = doubtful[: doubtful_loop(packed, inputs, doubtful)]
    accounts.looked_at[0] += rows.shape[0]
    margin_loop(inputs, rows, accounts.required, out, np.empty(rows.shape[0], dtype=np.int64))
    radius = np.empty(rows.shape[0])
    radius_loop(inputs, accounts.units, rows, accounts.required, out, radius)
    reached = False
    for i in range(rows.shape[0]):
        reached = reached or (not radius[i] > 0.0 and out.notional[rows[i]] > 0.0)
    return reached


@compiled
def calm_ticks(
    growth: FloatArray,
    asset_growth: FloatArray,
    seconds: float,
    rules: PriceRules,
    state: PriceState,
    books: Books,
    accounts: Accounts,
    shocked: FloatArray,
    relaxed: FloatArray,
) -> tuple[int, int]:
    """Step through calm ticks until something happens.

    Parameters
    ----------
    growth : (T, M) float64 [1]
        Exogenous growth factor of each market at each tick, 1 where its venue is down.
    asset_growth : (T, N) float64 [1]
    seconds : float
        Length of a tick [s].
    rules, state, books, accounts
        State at the end of the tick before; no account has changed since the last look.
    shocked, relaxed : (T, M) float64 [quote/base]
        Filled with the last prices after each tick's shock and after its relaxation.

    Returns
    -------
    done : int
        Ticks that were gone through entirely.
    how : int
        `THROUGH` after all T of them; else what happened in the tick that follows, whose phases
        up to that one have been gone through.
    """
    for t in range(growth.shape[0]):
        for m in range(books.mark_before.shape[0]):
            books.mark_before[m] = state.mark[m]
        _shock(state, books, growth[t], asset_growth[t])
        for m in range(state.last.shape[0]):
            shocked[t, m] = state.last[m]
        if books.gap_start.shape[0] > 1:  # only arbitrageurs ask before marks are made
            value_assets_loop(rules, state)
            value_own(accounts.local, state.last, state.asset, rules.quote)
        astray = _relax(rules, state, books)
        for m in range(state.last.shape[0]):
            relaxed[t, m] = state.last[m]
        if astray:
            return t, RUNAWAY
        if _gap_opens(rules, state, books):
            return t, GAP
        open_marks_loop(rules, state, seconds)
        value_own(accounts.local, state.last, state.asset, rules.quote)
        _value_collateral(rules, state, accounts)
        if _somebody_is_reached(accounts):
            return t, REACHED
        _note_extremes(state, books)
    return growth.shape[0], THROUGH
