"""How moves of last prices pass into the values that accounts depend on, split over their causes.

Formulas are in `sim.engine.passing`, those of marks that lag in `sim.engine.waiting`. Both twins
take every sum one term after the other, so that they agree to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray
from sim.kernels.compiling import HAS_NUMBA, compiled, compiled_part
from sim.kernels.lagging import (
    from_basis,
    net_row,
    netted,
    pass_basis,
    pass_late,
    share_passed,
    total_of,
    totals,
)

REST, FREE = 0, 1
"""Columns of what no price explains, and of returns of assets without a market."""

ROUNDING = 1e-12
"""Difference of a sum of moves, as a share of the level, that is rounding."""


class Wiring(NamedTuple):
    """Which value follows which, of M markets, N assets, G indices.

    Attributes
    ----------
    quote, group : (M,) int64
        Quote asset and index of each market.
    first : (G,) int64
        First market of each index.
    order : (O,) int64
        Assets that markets value, each after the quote assets of its markets.
    asset_share : (N, M) float64 [1/base]
        What an asset gains where the value of a market gains 1.
    index_share : (G, M) float64 [1]
        The same of an index; a row of zeros where it stands still.
    own : (C,) int64
        Markets whose last price values collateral at a clearer's own book.
    of_index, slow : (M,) bool
        Markets whose mark follows the index first, and whose mark lags what it follows first.
    basis : (B,) int64
        Markets whose mark takes something of the basis beside.
    """

    quote: IntArray
    group: IntArray
    first: IntArray
    order: IntArray
    asset_share: FloatArray
    index_share: FloatArray
    own: IntArray
    of_index: BoolArray
    slow: BoolArray
    basis: IntArray


class Instant(NamedTuple):
    """Prices at one instant.

    Attributes
    ----------
    last, reference, mark : (M,) float64 [quote/base]
    asset : (N,) float64 [numeraire]
    value : (J,) float64 [numeraire]
        Of all markets at their mark, of all assets, and of collateral at clearers' own books.
    up : (M,) bool
        Markets whose venue is up.
    """

    last: FloatArray
    reference: FloatArray
    mark: FloatArray
    asset: FloatArray
    value: FloatArray
    up: BoolArray


@compiled_part
def _settle_row(row: FloatArray, total: float, level: float) -> None:
    net, largest = 0.0, 0
    for k in range(row.shape[0]):
        net += row[k]
        if abs(row[k]) > abs(row[largest]):
            largest = k
    left = total - net
    tiny = abs(left) <= ROUNDING * abs(level) and row[largest] != 0.0
    row[largest if tiny else REST] += left


@compiled_part
def _fit_row(row: FloatArray, total: float, level: float) -> None:
    net = total_of(row)
    if abs(total - net) <= ROUNDING * abs(level):
        return
    share = min(max(total / net, 0.0), 1.0) if net != 0.0 else 0.0
    for k in range(row.shape[0]):
        row[k] *= share
    _settle_row(row, total, level)


@compiled_part
def _add_values(
    wiring: Wiring, then: Instant, now: Instant, last: FloatArray, asset: FloatArray,
    m: int, share: float, row: FloatArray,
) -> None:  # fmt: skip
    """Add a share of the moves of the value of a market at its last price."""
    q = wiring.quote[m]
    for k in range(row.shape[0]):
        row[k] += share * (now.asset[q] * last[m, k] + then.last[m] * asset[q, k])


@compiled_part
def _move_assets(
    wiring: Wiring, then: Instant, now: Instant, last: FloatArray, asset: FloatArray
) -> None:
    for a in range(asset.shape[0]):
        asset[a, FREE] = now.asset[a] - then.asset[a]
    for a in wiring.order:
        asset[a, FREE] = 0.0
        for m in range(last.shape[0]):
            share = wiring.asset_share[a, m]
            if share != 0.0:
                _add_values(wiring, then, now, last, asset, m, share, asset[a])
        _fit_row(asset[a], now.asset[a] - then.asset[a], now.asset[a])


@compiled_part
def _move_indices(
    wiring: Wiring, then: Instant, now: Instant, last: FloatArray, asset: FloatArray,
    index: FloatArray,
) -> None:  # fmt: skip
    row = np.empty(last.shape[1])
    for g in range(wiring.first.shape[0]):
        row[:] = 0.0
        known = False
        for m in range(last.shape[0]):
            share = wiring.index_share[g, m]
            if share != 0.0:
                known = True
                _add_values(wiring, then, now, last, asset, m, share, row)
        if not known:
            continue
        f = wiring.first[g]
        q = wiring.quote[f]
        level = now.reference[f] * now.asset[q]
        _fit_row(row, level - then.reference[f] * then.asset[q], level)
        for m in range(last.shape[0]):
            if wiring.group[m] == g:
                q = wiring.quote[m]
                for k in range(row.shape[0]):
                    index[m, k] = (row[k] - then.reference[m] * asset[q, k]) / now.asset[q]


@compiled_part
def _move_marks(
    wiring: Wiring, then: Instant, now: Instant, last: FloatArray, index: FloatArray,
    lagging: IntArray, by_time: FloatArray, waiting: FloatArray, mark: FloatArray,
) -> None:  # fmt: skip
    late, both = lagging.shape[0], wiring.basis.shape[0]
    for m in range(last.shape[0]):
        mark[m] = index[m] if wiring.of_index[m] else last[m]
    for i in range(late):
        m = lagging[i]
        wanted = now.mark[m] - then.mark[m]
        pass_late(mark[m], waiting[i], wanted, by_time[m], wiring.slow[m], now.up[m])
        net_row(waiting[i], now.mark[m])
    for i in range(both):
        m = wiring.basis[i]
        left, taken = waiting[late + i], waiting[late + both + i]
        for k in range(left.shape[0]):
            left[k] += last[m, k] - index[m, k]
        wanted = now.mark[m] - then.mark[m] - total_of(mark[m])
        pass_basis(left, taken, mark[m], wanted, by_time[m], now.up[m])
        net_row(left, now.mark[m])
        net_row(taken, now.mark[m])


@compiled
def split_loop(
    wiring: Wiring,
    then: Instant,
    now: Instant,
    last: FloatArray,
    lagging: IntArray,
    by_time: FloatArray,
    waiting: FloatArray,
) -> FloatArray:
    """Split the moves of all values; the compiled twin of `split_numpy`."""
    markets, keys = last.shape
    end = markets + now.asset.shape[0]
    move = np.zeros((now.value.shape[0], keys))
    mark, asset, index = move[:markets], move[markets:end], np.zeros((markets, keys))
    _move_assets(wiring, then, now, last, asset)
    _move_indices(wiring, then, now, last, asset, index)
    _move_marks(wiring, then, now, last, index, lagging, by_time, waiting, mark)
    for m in range(markets):
        q = wiring.quote[m]
        for k in range(keys):
            mark[m, k] = now.asset[q] * mark[m, k] + then.mark[m] * asset[q, k]
    for i in range(wiring.own.shape[0]):
        _add_values(wiring, then, now, last, asset, wiring.own[i], 1.0, move[end + i])
    for j in range(move.shape[0]):
        _settle_row(move[j], now.value[j] - then.value[j], now.value[j])
    return move


def settle(moves: FloatArray, total: FloatArray, level: FloatArray) -> None:
    """Make moves (R, K) add up to `total` (R,), in place.

    What is only rounding of the level (R,) goes to the largest move, all else to column `REST`.
    """
    here = np.arange(len(moves))
    largest = np.abs(moves).argmax(axis=1)
    left = total - totals(moves)
    tiny = (np.abs(left) <= ROUNDING * np.abs(level)) & (moves[here, largest] != 0.0)
    moves[here, np.where(tiny, largest, REST)] += left


def fit(rows: FloatArray, total: FloatArray, level: FloatArray) -> None:
    """Make moves (R, K) add up to `total` (R,), in place, where a mean may have changed its parts.

    The moves are then cut in proportion if they make more than the total, or make the contrary.
    """
    net = totals(rows)
    off = np.flatnonzero(np.abs(total - net) > ROUNDING * np.abs(level))
    share = np.clip(total[off] / np.where(net[off] != 0.0, net[off], np.inf), 0.0, 1.0)
    cut = rows[off] * share[:, None]
    settle(cut, total[off], level[off])
    rows[off] = cut


def split_numpy(
    wiring: Wiring,
    then: Instant,
    now: Instant,
    last: FloatArray,
    lagging: IntArray,
    by_time: FloatArray,
    waiting: FloatArray,
) -> FloatArray:
    """Split the moves of all values; the plain reference of `split`."""
    quote, worth = wiring.quote, now.asset[wiring.quote][:, None]
    asset = np.zeros((len(now.asset), last.shape[1]))
    asset[:, FREE] = now.asset - then.asset
    for a in wiring.order:
        asset[a] = 0.0
        for m in np.flatnonzero(wiring.asset_share[a]):
            value_of = worth[m] * last[m] + then.last[m] * asset[quote[m]]
            asset[a] += wiring.asset_share[a, m] * value_of
        fit(asset[a : a + 1], (now.asset - then.asset)[a : a + 1], now.asset[a : a + 1])
    value = worth * last + then.last[:, None] * asset[quote]
    index = _indices(wiring, then, now, value, asset[quote])
    mark = _marks(wiring, then, now, last, index, lagging, by_time, waiting)
    market = worth * mark + then.mark[:, None] * asset[quote]
    move = np.concatenate([market, asset, value[wiring.own]])
    settle(move, now.value - then.value, now.value)
    return move


def _indices(
    wiring: Wiring, then: Instant, now: Instant, value: FloatArray, of_quote: FloatArray
) -> FloatArray:
    """Return the moves (M, K) [quote/base] of the indices."""
    first, after = wiring.first, now.asset[wiring.quote]
    rows = np.zeros((len(first), value.shape[1]))
    for m in range(len(value)):
        rows += wiring.index_share[:, m, None] * value[m]
    level = now.reference[first] * after[first]
    fit(rows, level - then.reference[first] * then.asset[wiring.quote][first], level)
    moves = (rows[wiring.group] - then.reference[:, None] * of_quote) / after[:, None]
    known = np.asarray(wiring.index_share.any(axis=1))
    return np.where(known[wiring.group][:, None], moves, 0.0)


def _marks(
    wiring: Wiring, then: Instant, now: Instant, last: FloatArray, index: FloatArray,
    lagging: IntArray, by_time: FloatArray, waiting: FloatArray,
) -> FloatArray:  # fmt: skip
    """Return the moves (M, K) [quote/base] of the marks; change what waits in place."""
    late, b, target = len(lagging), wiring.basis, now.mark - then.mark
    first, left, taken = np.split(waiting, [late, late + len(b)])
    moves = np.where(wiring.of_index[:, None], index, last)
    first += moves[lagging]
    share = share_passed(first, target[lagging], by_time[lagging])
    share = np.where(wiring.slow[lagging], share, 1.0) * now.up[lagging]
    moves[lagging] = share[:, None] * first
    first -= moves[lagging]
    left += (last - index)[b]
    passed = from_basis(left, taken, target[b] - totals(moves[b]), by_time[b])
    passed *= now.up[b, None]
    left -= passed
    taken += passed
    moves[b] += passed
    waiting[:] = netted(waiting, now.mark[np.concatenate([lagging, b, b])])
    return moves


def split(
    wiring: Wiring,
    then: Instant,
    now: Instant,
    last: FloatArray,
    lagging: IntArray,
    by_time: FloatArray,
    waiting: FloatArray,
) -> FloatArray:
    """Return the moves (J, K) [numeraire] of all values between two instants, by key.

    Parameters
    ----------
    wiring : Wiring
    then, now : Instant
    last : (M, K) float64 [quote/base]
        Moves of last prices by key; keys `REST` and `FREE` come first.
    lagging : (F,) int64
        Markets whose mark may keep waiting what it follows first.
    by_time : (M,) float64 [1]
        Share of what waits that marks pass on in this time, where its parts cancel.
    waiting : (F + 2B, K) float64 [quote/base]
        What waits of that by market; what is left of the basis by market with one; what was taken
        of that. Changed in place.

    Returns
    -------
    (J, K) float64
        Each row adds up to the move of its value.
    """
    passing = split_loop if HAS_NUMBA else split_numpy
    return passing(wiring, then, now, last, lagging, by_time, waiting)
