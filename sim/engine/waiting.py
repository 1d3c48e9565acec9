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

from sim.engine.generations import mark_half_life
from sim.schema.mark import parts_of


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
