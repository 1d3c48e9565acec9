"""What the compiled prices read and change, and the codes in it."""

from __future__ import annotations

from typing import NamedTuple

from sim.core.arrays import BoolArray, FloatArray, IntArray

LAST, INDEX, EMA, TWAP, ORACLE, FUNDED = range(6)
"""Codes of the parts of a mark."""

OF_LAST, OF_INDEX, OF_BASIS = range(3)
"""Codes of what a part averages or posts: last price, index, or last price minus index."""

TIE = 1e-12
"""Relative tolerance in which two halves of index weights, or two distances, count as equal."""

ON_TIME = 1e-9
"""Relative tolerance in which a sum of ticks counts as a whole heartbeat."""

BASIS_FLOOR = 0.01
"""Least mark of a part that adds an average basis to the index, as a share of the index: after a
fall that is larger than the price the sum would be negative, and no venue's price is."""


class FundingRules(NamedTuple):
    """How premiums are sampled: V venues, M markets.

    Attributes
    ----------
    ticks : (V,) int64
        Ticks from one payment to the next; 0 for a venue without funding.
    rising : (V,) bool
        Weights 1, 2, 3 ... of the samples of an interval, else all alike.
    funded : (M,) bool
        Perpetuals on venues with funding.
    """

    ticks: IntArray
    rising: BoolArray
    funded: BoolArray


class FundingState(NamedTuple):
    """Samples of the premium, in place.

    Attributes
    ----------
    left : (V,) int64
        Ticks to the next payment; 0 or less where it is due.
    samples : (V,) int64
        Samples of the present interval.
    weight : (V,) float64 [1]
        Sum of their weights.
    premium : (M,) float64 [1]
        Sum of weight times premium.
    rate : (M,) float64 [1]
        Rate of the last payment.
    carry : (M,) float64 [1]
        ``rate`` times the share of the interval that was left at the opening of the tick.
    """

    left: IntArray
    samples: IntArray
    weight: FloatArray
    premium: FloatArray
    rate: FloatArray
    carry: FloatArray


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
        Weight of an `EMA`'s new sample after one tick.
    part_window : (C,) float64 [s]
        Window of a `TWAP`, heartbeat of an `ORACLE`.
    part_geometric : (C,) bool
        Whether a `TWAP` averages logarithms.
    part_deviation : (C,) float64 [1]
        Move since its last post at which an `ORACLE` posts again.
    part_lag : (C,) int64
        Ticks by which what an `ORACLE` sees is old.
    venue_start : (V + 1,) int64
    venue_market : (M,) int64
        Markets of each venue.
    funding : FundingRules
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
    part_geometric: BoolArray
    part_deviation: FloatArray
    part_lag: IntArray
    venue_start: IntArray
    venue_market: IntArray
    funding: FundingRules


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
    age : (C, M) float64 [s]
        Time since then.
    origin, history : (C, M) float64
        Starting price of a `TWAP`, and its window's sum of duration times deviation.
    lasted : (C, H) float64 [s]
    deviation : (C, H, M) float64
        Past samples of a `TWAP`, rows ``begin : end``, oldest first; of an `ORACLE`, sample
        number k in row ``k % lag``.
    begin, end : (C,) int64
        Of an `ORACLE`, `end` counts the samples so far.
    funding : FundingState
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
    age: FloatArray
    origin: FloatArray
    history: FloatArray
    lasted: FloatArray
    deviation: FloatArray
    begin: IntArray
    end: IntArray
    funding: FundingState
