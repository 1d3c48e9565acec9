"""What lagging marks pass on of what waits, and what they keep; formulas in `sim.engine.waiting`.

Loops for one mark beside their plain references for several. Both take every sum one term after
the other, so that they agree to the last bit.
"""

from __future__ import annotations

import numpy as np

from sim.core.arrays import FloatArray
from sim.kernels.compiling import compiled_part

CANCELLED = 1e-3
"""Net of what a mark has not passed on, as a share of the gross, below which it says nothing."""

SPENT = 1e-13
"""What a mark has not passed on, as a share of the mark, that is forgotten."""

LEAST = 0.02
"""Part of what a mark has not passed on, as a share of the largest, that counts to the others."""


@compiled_part
def total_of(row: FloatArray) -> float:
    """Return the sum of a row (K,), one term after the other."""
    total = 0.0
    for k in range(row.shape[0]):
        total += row[k]
    return total


def totals(rows: FloatArray) -> FloatArray:
    """Return the sums (R,) of rows (R, K), one term after the other."""
    return np.asarray(np.add.accumulate(rows, axis=1)[:, -1])


@compiled_part
def _share_passed(waiting: FloatArray, wanted: float, by_time: float) -> float:
    """Return the share of one row (K,); see `share_passed`."""
    net, gross = 0.0, 0.0
    for k in range(waiting.shape[0]):
        net += waiting[k]
        gross += abs(waiting[k])
    if abs(net) > CANCELLED * gross:
        return min(max(wanted / net, 0.0), 1.0)
    return 0.0 if wanted == 0.0 else by_time


def share_passed(waiting: FloatArray, wanted: FloatArray, by_time: FloatArray) -> FloatArray:
    """Return which share (R,) [1] of what waits (R, K) passes on when marks move as `wanted` (R,).

    Where the parts cancel, `by_time` (R,) [1] says it.
    """
    net, gross = totals(waiting), totals(np.abs(waiting))
    clear = np.abs(net) > CANCELLED * gross
    share = np.where(clear, wanted, 0.0) / np.where(clear, net, 1.0)
    share = np.minimum(np.maximum(share, 0.0), 1.0)
    return np.asarray(np.where(clear | (wanted == 0.0), share, by_time))


@compiled_part
def net_row(row: FloatArray, level: float) -> None:
    """Net one row (K,) in place; see `netted`."""
    net, most = total_of(row), 0.0
    side = 1.0 if net > 0.0 else -1.0 if net < 0.0 else 0.0
    for k in range(row.shape[0]):
        row[k] = max(row[k] * side, 0.0)
        most = max(most, row[k])
    least, gross = max(LEAST * most, SPENT * level), 0.0
    for k in range(row.shape[0]):
        if row[k] <= least:
            row[k] = 0.0
        gross += row[k]
    scale = net / (gross if gross > 0.0 else 1.0)
    for k in range(row.shape[0]):
        row[k] *= scale


def netted(waiting: FloatArray, level: FloatArray) -> FloatArray:
    """Return what waits (R, K) without what cancels in it, and but for next to nothing.

    Each row keeps its sum, and of its parts those on the side of the sum, in proportion.
    """
    net = totals(waiting)[:, None]
    side: FloatArray = np.maximum(waiting * np.sign(net), 0.0)
    least = np.maximum(LEAST * side.max(axis=1, initial=0.0), SPENT * level)[:, None]
    side[side <= least] = 0.0
    gross = totals(side)[:, None]
    side *= net / np.where(gross > 0.0, gross, 1.0)
    return side


@compiled_part
def pass_late(
    mark: FloatArray, first: FloatArray, wanted: float, by_time: float, slow: bool, up: bool
) -> None:
    """Let a mark pass on what waits of what it follows first, and keep the rest."""
    for k in range(mark.shape[0]):
        first[k] += mark[k]
    share = _share_passed(first, wanted, by_time) if slow else 1.0
    if not up:
        share = 0.0
    for k in range(mark.shape[0]):
        mark[k] = share * first[k]
        first[k] -= mark[k]


@compiled_part
def pass_basis(
    left: FloatArray, taken: FloatArray, moved: FloatArray,
    wanted: float, by_time: float, up: bool,
) -> None:  # fmt: skip
    """Pass on what a mark takes of the basis that is left, or gives back of what it took."""
    given = total_of(taken)
    gives_back = wanted * given < 0.0 and wanted * total_of(left) <= 0.0
    share = 0.0 if gives_back else _share_passed(left, wanted, by_time)
    back = max(wanted / given, -1.0) if gives_back else 0.0
    for k in range(left.shape[0]):
        passed = share * left[k]
        if gives_back:
            passed += back * taken[k]
        if not up:
            passed = 0.0
        left[k] -= passed
        taken[k] += passed
        moved[k] += passed


def from_basis(
    left: FloatArray, taken: FloatArray, wanted: FloatArray, by_time: FloatArray
) -> FloatArray:
    """Return what marks take (R, K) of the basis that is left, or give back of what they took."""
    given = totals(taken)
    back = (wanted * given < 0.0) & (wanted * totals(left) <= 0.0)
    share = np.where(back, 0.0, share_passed(left, wanted, by_time))
    passed = share[:, None] * left
    passed[back] += np.maximum(wanted[back] / given[back], -1.0)[:, None] * taken[back]
    return np.asarray(passed)
