"""Mark prices of all markets, compiled, with what they remember from tick to tick.

The plain references are the rules of `sim.models.mark` and `sim.engine.funding.sample_premiums`;
formulas stand there. Sums run in the order of samples in both, so that they agree to the last bit.
"""

from __future__ import annotations

import math

import numpy as np

from sim.kernels.compiling import compiled_part
from sim.kernels.price_state import (
    BASIS_FLOOR,
    CARRY,
    EMA,
    FUNDED,
    GEOMETRIC,
    INDEX,
    LAST,
    LEFT,
    OF_BASIS,
    OF_LAST,
    ON_TIME,
    ORACLE,
    PERPETUAL,
    PREMIUM,
    RATE,
    RISING,
    SAMPLES,
    TICKS,
    TIE,
    TWAP,
    PriceRules,
    PriceState,
)


@compiled_part
def _source(rules: PriceRules, state: PriceState, c: int, m: int) -> float:
    """Return what a part averages or posts, as it stands now."""
    source = rules.part_source[c]
    if source == OF_LAST:
        return float(state.last[m])
    if source == OF_BASIS:
        return float(state.last[m] - state.reference[m])
    return float(state.reference[m])


@compiled_part
def _deviation(rules: PriceRules, state: PriceState, c: int, m: int) -> float:
    """Return how far a window's sample is from the starting price; in logarithms if geometric."""
    if rules.part_kind[c] == GEOMETRIC:
        return math.log(state.sample[c, m] / state.origin[c, m])
    return float(state.sample[c, m] - state.origin[c, m])


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
        state.deviation[c, at, m] = _deviation(rules, state, c, m)
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
            if kind in (TWAP, GEOMETRIC) and state.sampled[c] and state.step[c] != 0.0:
                _remember_sample(rules, state, c, v)
            if kind == ORACLE and state.sampled[c] and rules.part_lag[c] > 0:
                at = state.end[c] % rules.part_lag[c]
                for k in range(rules.venue_start[v], rules.venue_start[v + 1]):
                    m = rules.venue_market[k]
                    state.deviation[c, at, m] = state.sample[c, m]
                state.end[c] += 1
            state.step[c] = seconds
            if kind in (TWAP, GEOMETRIC):
                _weigh_history(rules, state, c, v)
            state.sampled[c] = False


@compiled_part
def post_oracles_loop(rules: PriceRules, state: PriceState, seconds: float) -> None:
    """Let the oracles of venues that are up post, `seconds` after the tick before (0 at tick 0)."""
    if not seconds > 0.0:
        return
    for v in range(state.up.shape[0]):
        if not state.up[v]:
            continue
        for c in range(rules.part_start[v], rules.part_start[v + 1]):
            if rules.part_kind[c] != ORACLE:
                continue
            lag = rules.part_lag[c]
            heartbeat = rules.part_window[c] * (1.0 - ON_TIME)
            for k in range(rules.venue_start[v], rules.venue_start[v + 1]):
                m = rules.venue_market[k]
                seen = _source(rules, state, c, m)
                if lag > 0:
                    seen = state.deviation[c, state.end[c] % lag, m]
                posted = state.average[c, m]
                state.history[c, m] += seconds
                least = rules.part_gain[c] * posted * (1.0 - TIE)
                if abs(seen - posted) >= least or state.history[c, m] >= heartbeat:
                    state.average[c, m] = seen
                    state.history[c, m] = 0.0


@compiled_part
def sample_premiums_loop(rules: PriceRules, state: PriceState, seconds: float) -> None:
    """Sample the premiums of venues that are up, and set the carry of this tick."""
    count, market = state.funding_count, state.funding
    for v in range(state.up.shape[0]):
        if count[TICKS, v] == 0:
            continue
        if seconds > 0.0:
            count[LEFT, v] -= 1
        if not state.up[v]:
            continue
        weight = 0.0
        if seconds > 0.0:
            count[SAMPLES, v] += 1
            weight = float(count[SAMPLES, v]) if count[RISING, v] == 1 else 1.0
            state.funding_weight[v] += weight
        share = max(count[LEFT, v], 0) / count[TICKS, v]
        for k in range(rules.venue_start[v], rules.venue_start[v + 1]):
            m = rules.venue_market[k]
            if market[PERPETUAL, m] == 0.0:
                continue
            index = state.reference[m]
            if seconds > 0.0:
                market[PREMIUM, m] += weight * ((state.last[m] - index) / index)
            market[CARRY, m] = market[RATE, m] * share


@compiled_part
def _part_price(rules: PriceRules, state: PriceState, c: int, m: int) -> float:
    """Return one part of a mark, with this tick's sample."""
    kind = rules.part_kind[c]
    if kind == LAST:
        return float(state.last[m])
    if kind == INDEX:
        return float(state.reference[m])
    if kind == FUNDED:
        return float(state.reference[m] * (1.0 + state.funding[CARRY, m]))
    sample = _source(rules, state, c, m)
    state.sample[c, m] = sample
    if kind == ORACLE:
        return float(state.average[c, m])
    if kind == EMA:
        gain = rules.part_gain[c] if state.step[c] > 0.0 else 0.0
        price = state.average[c, m] + gain * (sample - state.average[c, m])
    else:
        window = rules.part_window[c]
        current = min(state.step[c], window) * _deviation(rules, state, c, m)
        mean = (state.history[c, m] + current) / window
        if rules.part_kind[c] == GEOMETRIC:
            return float(state.origin[c, m] * math.exp(mean))
        price = state.origin[c, m] + mean
    if rules.part_source[c] == OF_BASIS:
        return float(max(state.reference[m] + price, BASIS_FLOOR * state.reference[m]))
    return float(price)


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
