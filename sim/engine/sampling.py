"""Draw what the traders of a cohort are: venues, equity, markets, sides and sizes.

Every attribute has a random stream of its own, ``population.<cohort>.<attribute>``, read once
per trader in the order of traders. An attribute that concerns one venue or market has one stream
for each (``population.retail.side.alpha/BTC-PERP``). So changing one attribute, adding a venue
or a market, or adding traders never shifts another draw.

Subsets without replacement (venues of a trader, markets of an account) are the k smallest of
the keys ``-ln(1 - u_i) / w_i`` with weights w, which is the same as drawing one after the other
with probability proportional to the weights of those left (Efraimidis and Spirakis 2006,
"Weighted random sampling with a reservoir", Information Processing Letters 97(5)).

Sides come from a one-factor Gaussian copula: a position of trader t is long where

    sqrt(rho) Phi^-1(u_t) + sqrt(1 - rho) Phi^-1(u_tj) < Phi^-1(long_share)

so each is long with probability `long_share` and any two positions of a trader have the latent
correlation rho = `position_correlation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from sim.core.arrays import BoolArray, FloatArray, Int16Array, IntArray, sums
from sim.core.errors import RunError
from sim.core.streams import Streams
from sim.engine.distributions import quantile
from sim.engine.draft import starts
from sim.engine.listing import Listing
from sim.engine.portfolio import Portfolio

if TYPE_CHECKING:
    from sim.schema import Scenario
    from sim.schema.traders import Cohort

_BLOCK = 1 << 15  # traders per block while subsets are drawn: bounds the dense key matrix


@dataclass(frozen=True)
class Pools:
    """One row (N) per trader and venue: the collateral a trader keeps at a venue."""

    trader: IntArray
    slot: Int16Array  # which of the cohort's venues
    isolated: BoolArray
    equity: FloatArray  # [numeraire]


@dataclass(frozen=True)
class Holdings:
    """Positions (P) of the pools, in the order of pools and, within, of markets."""

    start: IntArray  # (N + 1,)
    market: Int16Array
    weight: FloatArray  # sums to 1 within a pool


def draw_uniforms(streams: Streams, cohort: Cohort, attribute: str) -> FloatArray:
    """Return one uniform in [0, 1) per trader from the stream of an attribute."""
    generator = streams.generator(f"population.{cohort.cohort}.{attribute}")
    return np.asarray(generator.random(cohort.count))


def draw_amounts(streams: Streams, cohort: Cohort, attribute: str) -> FloatArray:
    """Return one draw >= 0 per trader of the distribution named by an attribute."""
    amounts = quantile(getattr(cohort, attribute), draw_uniforms(streams, cohort, attribute))
    if amounts.size and not amounts.min() >= 0.0:
        raise RunError(
            f"cohort {cohort.cohort!r}: {attribute} drew {amounts.min()}, which is negative; "
            "bound the distribution below at 0"
        )
    return amounts


def _subset(
    generators: Sequence[np.random.Generator], weights: FloatArray, sizes: IntArray
) -> tuple[IntArray, IntArray]:
    """Draw ``sizes[i]`` of the columns for each row, without replacement, by weight.

    Returns the rows and columns chosen, ordered by row, then column.
    """
    rows, columns = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    width = len(generators)
    rank = np.arange(width)
    for first in range(0, sizes.size, _BLOCK):
        block = sizes[first : first + _BLOCK]
        uniforms = np.empty((block.size, width))
        for column, generator in enumerate(generators):
            uniforms[:, column] = generator.random(block.size)
        drawn = np.flatnonzero(block)
        size = block[drawn][:, None]
        order = np.argsort(np.log1p(-uniforms[drawn]) / -weights, axis=1)
        chosen = np.zeros(order.shape, dtype=np.bool_)
        np.put_along_axis(chosen, order, rank < size, axis=1)
        row, column_index = np.nonzero(chosen)
        rows.append(first + drawn[row])
        columns.append(column_index)
    return np.concatenate(rows), np.concatenate(columns)


def _venue_counts(cohort: Cohort, streams: Streams) -> IntArray:
    """Return the number of venues of each trader, at most the number the cohort names."""
    rule = cohort.venues_per_trader
    if isinstance(rule, int):
        wanted = np.full(cohort.count, rule, dtype=np.int64)
    else:
        counts = np.array(sorted(rule), dtype=np.int64)
        edges = np.cumsum([rule[int(k)] for k in counts])
        uniforms = draw_uniforms(streams, cohort, "venues_per_trader")
        index = np.searchsorted(edges / edges[-1], uniforms, side="right")
        wanted = counts[np.minimum(index, counts.size - 1)]
    return np.minimum(wanted, len(cohort.venues))


def draw_pools(cohort: Cohort, scenario: Scenario, streams: Streams) -> Pools:
    """Draw the venues of every trader, the margin mode at each, and the split of equity."""
    names = sorted(cohort.venues, key=list(scenario.venues).index)
    shares = np.array([cohort.venues[name] for name in names], dtype=np.float64)
    if len(names) == 1:
        trader, slot = np.arange(cohort.count), np.zeros(cohort.count, dtype=np.int64)
    else:
        prefix = f"population.{cohort.cohort}.venue."
        keys = [streams.generator(prefix + name) for name in names]
        trader, slot = _subset(keys, shares, _venue_counts(cohort, streams))
    isolated = np.zeros(trader.size, dtype=np.bool_)
    for index, name in enumerate(names):
        rows = np.flatnonzero(slot == index)
        isolated[rows] = _draw_isolated(cohort, scenario, streams, name)[trader[rows]]
    total = sums(trader, shares[slot], cohort.count)
    equity = draw_amounts(streams, cohort, "equity")[trader] * (shares[slot] / total[trader])
    return Pools(trader, slot.astype(np.int16), isolated, equity)


def _draw_isolated(cohort: Cohort, scenario: Scenario, streams: Streams, venue: str) -> BoolArray:
    """Return, per trader, whether its accounts at a venue would be isolated."""
    mode = cohort.margin_mode
    if mode is None:
        margin = scenario.venues[venue].margin
        mode = "cross" if margin is None else margin.kind
    if isinstance(mode, str):
        return np.full(cohort.count, mode == "isolated", dtype=np.bool_)
    share = mode.get("isolated", 0.0) / sum(mode.values())
    return np.asarray(draw_uniforms(streams, cohort, f"margin_mode.{venue}") < share)


def draw_holdings(
    cohort: Cohort,
    scenario: Scenario,
    streams: Streams,
    pools: Pools,
    folios: Sequence[Portfolio],
) -> Holdings:
    """Draw the markets of every pool and their weights."""
    fundamentalist = cohort.behaviour.kind == "fundamentalist"
    limit = None if fundamentalist else cohort.positions_per_account
    listed = np.array([folio.markets.size for folio in folios])
    held = listed if limit is None else np.minimum(listed, limit)
    start = starts(held[pools.slot])
    market = np.empty(int(start[-1]), dtype=np.int16)
    weight = np.empty(market.size)
    for slot, folio in enumerate(folios):
        count = int(held[slot])
        if not count:
            continue
        rows = np.flatnonzero(pools.slot == slot)
        into = (start[rows][:, None] + np.arange(count)).ravel()
        if count == folio.markets.size:
            market[into] = np.tile(folio.markets, rows.size).astype(np.int16)
            weight[into] = np.tile(folio.weights, rows.size)
            continue
        chosen = _draw_markets(cohort, scenario, streams, folio, count, pools.trader[rows])
        picked = folio.weights[chosen]
        market[into] = folio.markets[chosen].ravel().astype(np.int16)
        weight[into] = (picked / picked.sum(axis=1, keepdims=True)).ravel()
    return Holdings(start, market, weight)


def _draw_markets(
    cohort: Cohort,
    scenario: Scenario,
    streams: Streams,
    folio: Portfolio,
    count: int,
    traders: IntArray,
) -> IntArray:
    """Return which `count` entries of a portfolio each of the given traders holds."""
    prefix = f"population.{cohort.cohort}.market."
    keys = [streams.generator(prefix + scenario.markets[m].id) for m in folio.markets]
    sizes = np.zeros(cohort.count, dtype=np.int64)
    sizes[traders] = count
    return _subset(keys, folio.weights, sizes)[1].reshape(traders.size, count)


def _draw_sides(
    cohort: Cohort, scenario: Scenario, streams: Streams, trader: IntArray, market: Int16Array
) -> BoolArray:
    """Return which positions (P,) are long, by the one-factor copula of the module."""
    rho, threshold = cohort.position_correlation, ndtri(cohort.long_share)
    if rho == 1.0:
        return np.asarray((draw_uniforms(streams, cohort, "side") < cohort.long_share)[trader])
    common = np.zeros(cohort.count)
    if rho > 0.0:
        common = np.sqrt(rho) * ndtri(draw_uniforms(streams, cohort, "side"))
    long = np.empty(trader.size, dtype=np.bool_)
    for index, listed in enumerate(scenario.markets):
        rows = np.flatnonzero(market == index)
        if not rows.size:
            continue
        uniforms = draw_uniforms(streams, cohort, f"side.{listed.id}")
        owner = trader[rows]
        latent = common[owner] + np.sqrt(1.0 - rho) * ndtri(uniforms[owner])
        long[rows] = latent < threshold
    return long


def draw_quantities(
    cohort: Cohort,
    scenario: Scenario,
    streams: Streams,
    pools: Pools,
    holdings: Holdings,
    listing: Listing,
) -> FloatArray:
    """Return signed quantities (P,) [contracts]; zero slots for a fundamentalist cohort."""
    if cohort.behaviour.kind == "fundamentalist":
        return np.zeros(holdings.market.size)
    sizes = np.diff(holdings.start)
    leverage = draw_amounts(streams, cohort, "leverage")
    notional = np.repeat(pools.equity * leverage[pools.trader], sizes) * holdings.weight
    quantity = notional / listing.contract_value[holdings.market]
    trader = np.repeat(pools.trader, sizes)
    long = _draw_sides(cohort, scenario, streams, trader, holdings.market)
    np.negative(quantity, out=quantity, where=~long)
    return quantity
