"""What marks pass on of the moves of the prices that they follow, and what they keep waiting.

A mark that follows its source at once passes all of it on. Any other keeps what it has not passed
on yet, ``G_k``: when it moves by d, it passes on ``(d / g) G_k`` with ``g = sum_k G_k``, at most
all and at least nothing; where the parts of G cancel, the half-life of the mark says how much. A
mark made of the index and of (an average of) the basis takes the index at once, and the basis as
above; what of the basis it had taken it gives back in the same proportion. What is left of d has
the cause ``mark``. What
waits is netted after each step: what cancels in it has moved nothing and will not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sim.core.arrays import FloatArray
from sim.engine.generations import mark_half_life
from sim.schema.mark import parts_of

CANCELLED = 1e-3
"""Net of what a mark has not passed on, as a share of the gross, below which it says nothing."""

SPENT = 1e-13
"""What a mark has not passed on, as a share of the mark, that is forgotten."""

LEAST = 0.02
"""Part of what a mark has not passed on, as a share of the largest, that counts to the others."""


class MarkKind(NamedTuple):
    """How the mark of a market follows prices.

    Attributes
    ----------
    of_index : bool
        Whether it follows the index first.
    basis : bool
        Whether it takes something of the basis beside.
    at_once : bool
        Whether it takes what it follows first without delay.
    half_life : float [s]
    """

    of_index: bool
    basis: bool
    at_once: bool
    half_life: float


def mark_kind(mark: Any) -> MarkKind:
    """Return how a mark of this configuration follows prices."""
    parts = parts_of(mark)
    sources = {"index" if p.kind in ("index", "funded_index") else getattr(p, "of", "last")
               for p in parts}  # fmt: skip
    of_index = sources != {"last"}
    quick = [p.kind in ("last", "index", "funded_index") for p in parts]
    if of_index:
        first = [p.kind in ("index", "funded_index") or getattr(p, "of", "") == "basis"
                 for p in parts]  # fmt: skip
        mixed = sources != {"index"}
        return MarkKind(True, mixed, any(first) if mixed else all(quick), mark_half_life(mark))
    return MarkKind(False, False, all(quick), mark_half_life(mark))


def netted(waiting: FloatArray, level: FloatArray) -> FloatArray:
    """Return what waits (R, K) without what cancels in it, and but for next to nothing.

    Each row keeps its sum, and of its parts those on the side of the sum, in proportion.
    """
    net = waiting.sum(axis=1, keepdims=True)
    side: FloatArray = np.maximum(waiting * np.sign(net), 0.0)
    least = np.maximum(LEAST * side.max(axis=1, initial=0.0), SPENT * level)[:, None]
    side[side <= least] = 0.0
    gross = side.sum(axis=1, keepdims=True)
    side *= net / np.where(gross > 0.0, gross, 1.0)
    return side


def from_basis(
    left: FloatArray, taken: FloatArray, wanted: FloatArray, by_time: FloatArray
) -> FloatArray:
    """Return what marks take (R, K) of the basis that is left, or give back of what they took."""
    given = taken.sum(axis=1)
    back = (wanted * given < 0.0) & (wanted * left.sum(axis=1) <= 0.0)
    share = share_passed(left, wanted, by_time)
    if not back.any():
        return share[:, None] * left
    share[back] = 0.0
    passed = share[:, None] * left
    passed[back] += np.maximum(wanted[back] / given[back], -1.0)[:, None] * taken[back]
    return passed


def share_passed(waiting: FloatArray, wanted: FloatArray, by_time: FloatArray) -> FloatArray:
    """Return which share (M,) [1] of what waits (M, K) passes on when marks move as `wanted` (M,).

    Where the parts cancel, `by_time` (M,) [1] says it.
    """
    net, gross = waiting.sum(axis=1), np.abs(waiting).sum(axis=1)
    clear = np.abs(net) > CANCELLED * gross
    share = np.where(clear, wanted, 0.0) / np.where(clear, net, 1.0)
    share = np.minimum(np.maximum(share, 0.0), 1.0)
    return np.asarray(np.where(clear | (wanted == 0.0), share, by_time))
