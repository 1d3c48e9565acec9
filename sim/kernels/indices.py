"""Values of assets and index prices of all markets, compiled.

The plain references are `sim.engine.pricing.value_assets`, ``index_prices`` and
`sim.models.mark.index_price`; formulas stand there.
"""

from __future__ import annotations

import numpy as np

from sim.core.arrays import FloatArray
from sim.kernels.compiling import compiled_part
from sim.kernels.price_state import TIE, PriceRules, PriceState


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
def _drop_outliers(price: FloatArray, weight: FloatArray, count: int, outlier: float) -> int:
    """Keep the prices near their median, in order; return how many. All stay if none would."""
    ordered = np.sort(price[:count])
    median = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2.0
    farthest = outlier * median * (1.0 + TIE)
    kept = 0
    for i in range(count):
        if abs(price[i] - median) <= farthest:
            kept += 1
    if kept == 0:
        return count
    kept = 0
    for i in range(count):
        if abs(price[i] - median) <= farthest:
            price[kept], weight[kept] = price[i], weight[i]
            kept += 1
    return kept


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
        if rules.group_outlier[g] < np.inf:
            count = _drop_outliers(price, weight, count, rules.group_outlier[g])
        if rules.group_median[g]:
            value[g] = _weighted_median(price, weight, count)
        else:
            value[g] = _weighted_mean(price, weight, count)
    for m in range(markets):
        if usable[rules.group[m]]:
            state.reference[m] = value[rules.group[m]] / state.asset[rules.quote[m]]
