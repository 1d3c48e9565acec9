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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from sim.core.arrays import (
    BoolArray,
    FloatArray,
    Int16Array,
    Int32Array,
    IntArray,
    add_to,
    blocks,
)
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

    trader: Int32Array
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
    amounts, distribution = draw_uniforms(streams, cohort, attribute), getattr(cohort, attribute)
    for part in blocks(max(amounts.size, 1)):  # what has no mass is refused, drawn or not
        amounts[part] = quantile(distribution, amounts[part])
    if amounts.size and not amounts.min() >= 0.0:
        raise RunError(
            f"cohort {cohort.cohort!r}: {attribute} drew {amounts.min()}, which is negative; "
            "bound the distribution below at 0"
        )
    return amounts


def _subset(
    generators: Sequence[np.random.Generator], weights: FloatArray, sizes: Int16Array
) -> Iterator[tuple[IntArray, IntArray]]:
    """Draw ``sizes[i]`` of the columns for each row, without replacement, by weight.

    Yields the rows and columns chosen, ordered by row, then column, block by block.
    """
    width = len(generators)
    rank = np.arange(width)
    for first in range(0, sizes.size, _BLOCK):
        size = sizes[first : first + _BLOCK]
        uniforms = np.empty((size.size, width))
        for column, generator in enumerate(generators):
            uniforms[:, column] = generator.random(size.size)
        drawn = np.flatnonzero(size)
        order = np.argsort(np.log1p(-uniforms[drawn]) / -weights, axis=1)
        chosen = np.zeros(order.shape, dtype=np.bool_)
        np.put_along_axis(chosen, order, rank < size[drawn][:, None], axis=1)
        row, columns = np.nonzero(chosen)
        yield first + drawn[row], columns


def _venue_counts(cohort: Cohort, streams: Streams) -> Int16Array:
    """Return the number of venues of each trader, at most the number the cohort names."""
    rule = cohort.venues_per_trader
    if isinstance(rule, int):
        return np.full(cohort.count, min(rule, len(cohort.venues)), dtype=np.int16)
    counts = np.minimum(sorted(rule), len(cohort.venues)).astype(np.int16)
    edges = np.cumsum([rule[k] for k in sorted(rule)])
    uniforms = draw_uniforms(streams, cohort, "venues_per_trader")
    index = np.searchsorted(edges / edges[-1], uniforms, side="right")
    return counts[np.minimum(index, counts.size - 1)]


def draw_pools(cohort: Cohort, scenario: Scenario, streams: Streams) -> Pools:
    """Draw the venues of every trader, the margin mode at each, and the split of equity."""
    names = sorted(cohort.venues, key=list(scenario.venues).index)
    shares = np.array([cohort.venues[name] for name in names], dtype=np.float64)
    trader, slot = _draw_venues(cohort, streams, names, shares)
    isolated = np.zeros(trader.size, dtype=np.bool_)
    for index, name in enumerate(names):
        rows = np.flatnonzero(slot == index)
        isolated[rows] = _draw_isolated(cohort, scenario, streams, name, trader[rows])
    equity, total = np.empty(trader.size), np.zeros(cohort.count)
    for part in blocks(trader.size):
        add_to(total, trader[part], shares[slot[part]])
    amount = draw_amounts(streams, cohort, "equity")
    for part in blocks(trader.size):
        owner = trader[part]
        equity[part] = amount[owner] * (shares[slot[part]] / total[owner])
    return Pools(trader, slot, isolated, equity)


def _draw_venues(
    cohort: Cohort, streams: Streams, names: Sequence[str], shares: FloatArray
) -> tuple[Int32Array, Int16Array]:
    """Return trader and venue slot of each pool, ordered by both."""
    if len(names) == 1:
        traders = np.arange(cohort.count, dtype=np.int32)
        return traders, np.zeros(cohort.count, dtype=np.int16)
    keys = [streams.generator(f"population.{cohort.cohort}.venue.{name}") for name in names]
    counts = _venue_counts(cohort, streams)
    pools, first = int(counts.sum(dtype=np.int64)), 0
    trader, slot = np.empty(pools, dtype=np.int32), np.empty(pools, dtype=np.int16)
    for row, column in _subset(keys, shares, counts):
        last = first + row.size
        trader[first:last], slot[first:last] = row, column
        first = last
    return trader, slot


def _draw_isolated(
    cohort: Cohort, scenario: Scenario, streams: Streams, venue: str, traders: Int32Array
) -> BoolArray:
    """Return, for some traders (N,), whether their accounts at a venue would be isolated."""
    mode = cohort.margin_mode
    if mode is None:
        margin = scenario.venues[venue].margin
        mode = "cross" if margin is None else margin.kind
    if isinstance(mode, str):
        return np.full(traders.size, mode == "isolated", dtype=np.bool_)
    share = mode.get("isolated", 0.0) / sum(mode.values())
    return np.asarray((draw_uniforms(streams, cohort, f"margin_mode.{venue}") < share)[traders])


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
    holdings = Holdings(start, np.empty(int(start[-1]), dtype=np.int16), np.empty(int(start[-1])))
    for slot, folio in enumerate(folios):
        count = int(held[slot])
        if not count:
            continue
        rows, first = np.flatnonzero(pools.slot == slot), 0
        for chosen in _draw_markets(cohort, scenario, streams, folio, count, pools.trader[rows]):
            into = start[rows[first : first + len(chosen)]][:, None] + np.arange(count)
            picked = folio.weights[chosen]
            if count < folio.markets.size:
                picked /= picked.sum(axis=1, keepdims=True)
            holdings.market[into], holdings.weight[into] = folio.markets[chosen], picked
            first += len(chosen)
    return holdings


def _draw_markets(
    cohort: Cohort,
    scenario: Scenario,
    streams: Streams,
    folio: Portfolio,
    count: int,
    traders: Int32Array,
) -> Iterator[IntArray]:
    """Yield which entries (block, `count`) of a portfolio each of the given traders holds."""
    if count == folio.markets.size:
        everything = np.arange(count)
        for part in blocks(traders.size):
            yield np.broadcast_to(everything, (traders[part].size, count))
        return
    prefix = f"population.{cohort.cohort}.market."
    keys = [streams.generator(prefix + scenario.markets[m].id) for m in folio.markets]
    sizes = np.zeros(cohort.count, dtype=np.int16)
    sizes[traders] = count
    for _, column in _subset(keys, folio.weights, sizes):
        yield column.reshape(-1, count)


def _draw_sides(
    cohort: Cohort, scenario: Scenario, streams: Streams, trader: Int32Array, market: Int16Array
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
        for part in blocks(rows.size):
            owner = trader[rows[part]]
            latent = common[owner] + np.sqrt(1.0 - rho) * ndtri(uniforms[owner])
            long[rows[part]] = latent < threshold
    return long


def draw_quantities(
    cohort: Cohort,
    scenario: Scenario,
    streams: Streams,
    pools: Pools,
    holdings: Holdings,
    listing: Listing,
) -> FloatArray:
    """Return signed quantities (P,) [contracts]; zero slots for a fundamentalist cohort.

    They take the place of the weights: `holdings.weight` is overwritten and returned.
    """
    quantity = holdings.weight
    if cohort.behaviour.kind == "fundamentalist":
        quantity[:] = 0.0
        return quantity
    leverage = draw_amounts(streams, cohort, "leverage")
    trader = np.repeat(pools.trader, np.diff(holdings.start))
    long = _draw_sides(cohort, scenario, streams, trader, holdings.market)
    if listing.long_only.any():
        long = long | listing.long_only[holdings.market]
    del trader
    for part in blocks(pools.trader.size):
        bounds = holdings.start[part.start : part.stop + 1]
        mine = slice(bounds[0], bounds[-1])
        notional = pools.equity[part] * leverage[pools.trader[part]]
        quantity[mine] *= np.repeat(notional, np.diff(bounds))
        quantity[mine] /= listing.contract_value[holdings.market[mine]]
    np.negative(quantity, out=quantity, where=~long)
    return quantity
