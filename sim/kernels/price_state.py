"""What the compiled prices read and change, and the codes in it."""

from __future__ import annotations

from typing import NamedTuple

from sim.core.arrays import BoolArray, FloatArray, IntArray

LAST, INDEX, EMA, TWAP, GEOMETRIC, ORACLE, FUNDED = range(7)
"""Codes of the parts of a mark; `GEOMETRIC` is a `TWAP` of logarithms."""

OF_LAST, OF_INDEX, OF_BASIS = range(3)
"""Codes of what a part averages or posts: last price, index, or last price minus index."""

TICKS, RISING, LEFT, SAMPLES = range(4)
"""Rows of what is counted of each venue's funding: ticks from one payment to the next (0 without
funding); 1 if samples weigh 1, 2, 3 ...; ticks to the next payment, 0 or less where it is due;
samples of the present interval."""

PERPETUAL, PREMIUM, RATE, CARRY = range(4)
"""Rows of what is kept of each market's funding: 1 for a perpetual with funding; sum of weight
times premium in the present interval; rate of the last payment; that rate times the share of the
interval that was left at the opening of the tick."""

TIE = 1e-12
"""Relative tolerance in which two halves of index weights, or two distances, count as equal."""

ON_TIME = 1e-9
"""Relative tolerance in which a sum of ticks counts as a whole heartbeat."""

BASIS_FLOOR = 0.01
"""Least mark of a part that adds an average basis to the index, as a share of the index: after a
fall that is larger than the price the sum would be negative, and no venue's price is."""


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
    group_outlier : (G,) float64 [1]
        Distance from the median, as a share of it, beyond which a price loses its weight.
    part_start : (V + 1,) int64
        Parts of each venue's mark; with more than one the mark is their median.
    part_kind : (C,) int64
    part_source : (C,) int64
        What the part averages or posts.
    part_gain : (C,) float64 [1]
        Weight of an `EMA`'s new sample after one tick; move since its last post at which an
        `ORACLE` posts again.
    part_window : (C,) float64 [s]
        Window of a mean, heartbeat of an `ORACLE`.
    part_lag : (C,) int64
        Ticks by which what an `ORACLE` sees is old.
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
    group_outlier: FloatArray
    part_start: IntArray
    part_kind: IntArray
    part_source: IntArray
    part_gain: FloatArray
    part_window: FloatArray
    part_lag: IntArray
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
        An `EMA` at the end of the tick before; what an `ORACLE` posted last.
    origin, history : (C, M) float64
        Starting price of a mean, and its window's sum of duration times deviation; the history of
        an `ORACLE` is the time since its last post [s].
    lasted : (C, H) float64 [s]
    deviation : (C, H, M) float64
        Past samples of a mean, rows ``begin : end``, oldest first; of an `ORACLE`, sample
        number k in row ``k % lag``.
    begin, end : (C,) int64
        Of an `ORACLE`, `end` counts the samples so far.
    funding_count : (4, V) int64
        Rows `TICKS`, `RISING`, `LEFT`, `SAMPLES`.
    funding_weight : (V,) float64 [1]
        Sum of the weights of the samples of the present interval.
    funding : (4, M) float64 [1]
        Rows `PERPETUAL`, `PREMIUM`, `RATE`, `CARRY`.
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
    funding_count: IntArray
    funding_weight: FloatArray
    funding: FloatArray
