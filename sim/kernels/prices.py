"""Values of assets, index prices and mark prices of all markets, compiled.

The plain references are `sim.engine.pricing.value_assets` and ``index_prices`` and the rules of
`sim.models.mark`; formulas stand there. Sums run in the order of markets and of samples in both,
so that they agree to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray
from sim.kernels.compiling import compiled, compiled_part

LAST, INDEX, EMA, TWAP = range(4)
"""Codes of the parts of a mark."""

TIE = 1e-12
"""Relative tolerance in which two halves of index weights count as equal."""


class PriceRules(NamedTuple):
    """What never changes: M markets, N assets, V venues, G index groups, C parts of marks.

    Attributes
    ----------
    quote, venue : (M,) int64
        Quote asset and venue of each market.
    order : (O,) int64
        Assets that have markets, each after those that its markets are quoted in.
    member_start : (O + 1,) int64
    member : int64
        Markets that value ``order[o]``: ``member[member_start[o] : member_start[o + 1]]``.
    opening_price : (N,) float64 [numeraire]
    opening_value : (M,) float64 [numeraire]
    group : (M,) int64
        Index group of each market.
    group_start : (G + 1,) int64
    group_market, group_weight : int64, float64 [1]
        Markets of each group and their weights, all > 0.
    group_median : (G,) bool
        Weighted median, else weighted mean.
    part_start : (V + 1,) int64
        Parts of each venue's mark; with more than one the mark is their median.
    part_kind : (C,) int64
    part_index : (C,) bool
        Whether the part averages the index, else the last price.
    part_gain : (C,) float64 [1]
        Weight of an `EMA`'s new sample after one tick.
    part_window : (C,) float64 [s]
        Window of a `TWAP`.
    venue_start : (V + 1,) int64
    venue_market : (M,) int64
        Markets of each venue.
    """

    quote: IntArray
    venue: IntArray
    order: IntArray
    member_start: IntArray
    member: IntArray
    opening_price: FloatArray
    opening_value: FloatArray
    group: IntArray
    group_start: IntArray
    group_market: IntArray
    group_weight: FloatArray
    group_median: BoolArray
    part_start: IntArray
    part_kind: IntArray
    part_index: BoolArray
    part_gain: FloatArray
    part_window: FloatArray
    venue_start: IntArray
    venue_market: IntArray


class PriceState(NamedTuple):
    """What changes, in place.

    Attributes
    ----------
    last, mark, reference : (M,) float64 [quote/base]
        Last price, mark price and index price.
    free, asset : (N,) float64 [numeraire]
        Values of assets by exogenous returns alone, and by their markets.
    up : (V,) bool
    frozen : (M,) bool
        Markets whose last price a halt holds; values and indices do without them.
    sample : (C, M) float64
        This tick's sample of each remembering part.
    sampled : (C,) bool
    step : (C,) float64 [s]
        Time since the tick before, as the part counts it.
    average : (C, M) float64
        An `EMA` at the end of the tick before.
    origin, history : (C, M) float64
        Starting price of a `TWAP`, and its window's sum of duration times deviation.
    lasted : (C, H) float64 [s]
    deviation : (C, H, M) float64
        Past samples, rows ``begin : end``, oldest first.
    begin, end : (C,) int64
    """

    last: FloatArray
    mark: FloatArray
    reference: FloatArray
    free: FloatArray
    asset: FloatArray
    up: BoolArray
    frozen: BoolArray
    sample: FloatArray
    sampled: BoolArray
    step: FloatArray
    average: FloatArray
    origin: FloatArray
    history: FloatArray
    lasted: FloatArray
    deviation: FloatArray
    begin: IntArray
    end: IntArray


@compiled_part
def value_assets_loop(rules: PriceRules, state: PriceState) -> None:
    """Value all assets by the last prices of their markets; exogenously where they have none."""
    asset, last = state.asset, state.last
    for a in range(asset.shape[0]):
        asset[a] = state.free[a]
    for o in range(rules.order.shape[0]):
        first, stop = rules.member_start[o], rules.member_start[o + 1]
        total, count = 0.0, 0
        for i in range(first, stop):
            m = rules.member[i]
            if state.up[rules.venue[m]] and not state.frozen[m]:
                total += last[m] * asset[rules.quote[m]] / rules.opening_value[m]
                count += 1
        if count == 0:
            for i in range(first, stop):
                m = rules.member[i]
                total += last[m] * asset[rules.quote[m]] / rules.opening_value[m]
                count += 1
        a = rules.order[o]
        asset[a] = rules.opening_price[a] * (total / count)


@compiled_part
def _weighted_mean(price: FloatArray, weight: FloatArray, count: int) -> float:
    total, whole = 0.0, 0.0
    for i in range(count):
        total += weight[i] * (price[i] - price[0])
        whole += weight[i]
    return float(price[0] + total / whole)


@compiled_part
def _weighted_median(price: FloatArray, weight: FloatArray, count: int) -> float:
    for i in range(1, count):
        p, w = price[i], weight[i]
        j = i
        while j > 0 and price[j - 1] > p:
            price[j], weight[j] = price[j - 1], weight[j - 1]
            j -= 1
        price[j], weight[j] = p, w
    for i in range(1, count):
        weight[i] = weight[i - 1] + weight[i]
    half = 0.5 * weight[count - 1]
    i = 0
    while weight[i] < half * (1.0 - TIE):
        i += 1
    j = 0
    while weight[j] <= half * (1.0 + TIE):
        j += 1
    return float(price[i] + 0.5 * (price[j] - price[i]))


@compiled_part
def index_prices_loop(rules: PriceRules, state: PriceState) -> None:
    """Refresh the index of every market; one without a usable venue stays as it was."""
    markets = state.last.shape[0]
    groups = rules.group_start.shape[0] - 1
    value, usable = np.zeros(groups), np.zeros(groups, dtype=np.bool_)
    price, weight = np.empty(markets), np.empty(markets)
    for g in range(groups):
        count = 0
        for i in range(rules.group_start[g], rules.group_start[g + 1]):
            m = rules.group_market[i]
            if state.up[rules.venue[m]] and not state.frozen[m]:
                price[count] = state.last[m] * state.asset[rules.quote[m]]
                weight[count] = rules.group_weight[i]
                count += 1
        if count == 0:
            continue
        usable[g] = True
        if rules.group_median[g]:
            value[g] = _weighted_median(price, weight, count)
        else:
            value[g] = _weighted_mean(price, weight, count)
    for m in range(markets):
        if usable[rules.group[m]]:
            state.reference[m] = value[rules.group[m]] / state.asset[rules.quote[m]]


@compiled_part
def _remember_sample(rules: PriceRules, state: PriceState, c: int, v: int) -> None:
    """Append a window's last sample to its history; make room where there is none."""
    capacity = state.lasted.shape[1]
    first, last = rules.venue_start[v], rules.venue_start[v + 1]
    if state.end[c] == capacity:
        gone = state.begin[c]
        for i in range(gone, capacity):
            state.lasted[c, i - gone] = state.lasted[c, i]
            for k in range(first, last):
                m = rules.venue_market[k]
                state.deviation[c, i - gone, m] = state.deviation[c, i, m]
        state.begin[c], state.end[c] = 0, capacity - gone
    at = state.end[c]
    state.lasted[c, at] = state.step[c]
    for k in range(first, last):
        m = rules.venue_market[k]
        state.deviation[c, at, m] = state.sample[c, m] - state.origin[c, m]
    state.end[c] = at + 1


@compiled_part
def _weigh_history(rules: PriceRules, state: PriceState, c: int, v: int) -> None:
    """Sum duration times deviation over the part of the window before this tick."""
    begin, end, window = state.begin[c], state.end[c], rules.part_window[c]
    room = max(window - state.step[c], 0.0)
    share = np.zeros(end - begin)
    elapsed = 0.0
    expired = 0
    for i in range(end - 1, begin - 1, -1):
        elapsed += state.lasted[c, i]
        age = elapsed - state.lasted[c, i]
        share[i - begin] = min(max(room - age, 0.0), state.lasted[c, i])
        if age >= window:
            expired += 1
    for k in range(rules.venue_start[v], rules.venue_start[v + 1]):
        m = rules.venue_market[k]
        total = 0.0
        for i in range(begin, end):
            total += share[i - begin] * state.deviation[c, i, m]
        state.history[c, m] = total
    state.begin[c] = begin + expired


@compiled_part
def begin_tick_loop(rules: PriceRules, state: PriceState, seconds: float) -> None:
    """Freeze the memory of every mark of a venue that is up; `seconds` is 0 at tick 0."""
    for v in range(state.up.shape[0]):
        if not state.up[v]:
            continue
        for c in range(rules.part_start[v], rules.part_start[v + 1]):
            kind = rules.part_kind[c]
            if kind == EMA and state.sampled[c]:
                gain = rules.part_gain[c] if state.step[c] > 0.0 else 0.0
                for k in range(rules.venue_start[v], rules.venue_start[v + 1]):
                    m = rules.venue_market[k]
                    before = state.average[c, m]
                    state.average[c, m] = before + gain * (state.sample[c, m] - before)
            if kind == TWAP and state.sampled[c] and state.step[c] != 0.0:
                _remember_sample(rules, state, c, v)
            state.step[c] = seconds
            if kind == TWAP:
                _weigh_history(rules, state, c, v)
            state.sampled[c] = False


@compiled_part
def _part_price(rules: PriceRules, state: PriceState, c: int, m: int) -> float:
    """Return one part of a mark, with this tick's sample."""
    kind = rules.part_kind[c]
    if kind == LAST:
        return float(state.last[m])
    if kind == INDEX:
        return float(state.reference[m])
    sample = state.reference[m] if rules.part_index[c] else state.last[m]
    state.sample[c, m] = sample
    if kind == EMA:
        gain = rules.part_gain[c] if state.step[c] > 0.0 else 0.0
        return float(state.average[c, m] + gain * (sample - state.average[c, m]))
    window = rules.part_window[c]
    current = min(state.step[c], window) * (sample - state.origin[c, m])
    return float(state.origin[c, m] + (state.history[c, m] + current) / window)


@compiled_part
def mark_prices_loop(rules: PriceRules, state: PriceState) -> None:
    """Mark the markets of every venue that is up; last prices and indices are fresh."""
    part = np.empty(rules.part_kind.shape[0])
    for v in range(state.up.shape[0]):
        if not state.up[v]:
            continue
        first, stop = rules.part_start[v], rules.part_start[v + 1]
        count = stop - first
        for i in range(rules.venue_start[v], rules.venue_start[v + 1]):
            m = rules.venue_market[i]
            for c in range(first, stop):
                p = _part_price(rules, state, c, m)
                j = c - first
                while j > 0 and part[j - 1] > p:
                    part[j] = part[j - 1]
                    j -= 1
                part[j] = p
            if count % 2 == 1:
                state.mark[m] = part[count // 2]
            else:
                state.mark[m] = (part[count // 2 - 1] + part[count // 2]) / 2.0
        for c in range(first, stop):
            state.sampled[c] = True


VALUES, MARKS, OPENING = range(3)
"""What `price_step` brings up to date."""


@compiled
def price_step(rules: PriceRules, state: PriceState, what: int, seconds: float) -> None:
    """Bring prices that follow from the last ones up to date.

    Parameters
    ----------
    rules : PriceRules
    state : PriceState
    what : int
        `VALUES`: values of assets; `MARKS`: index and mark prices too; `OPENING`: the same after
        the memory of the marks has been frozen, `seconds` after the tick before.
    seconds : float
        Time since the tick before [s], read for `OPENING` alone.
    """
    if what == OPENING:
        begin_tick_loop(rules, state, seconds)
    value_assets_loop(rules, state)
    if what != VALUES:
        index_prices_loop(rules, state)
        mark_prices_loop(rules, state)
