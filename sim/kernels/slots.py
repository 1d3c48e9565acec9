"""Position slots of chosen rows: the ranges ``start[r] : start[r + 1]`` one after the other."""

from __future__ import annotations

import numpy as np

from sim.core.arrays import IntArray
from sim.kernels.compiling import HAS_NUMBA, compiled


@compiled
def slots_loop(position_start: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Return slots and owners; the compiled twin of `slots_numpy`."""
    count = 0
    for row in rows:
        if not 0 <= row < position_start.shape[0] - 1:
            raise IndexError("no such row")
        count += position_start[row + 1] - position_start[row]
    slots, owner = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    place = 0
    for i in range(rows.shape[0]):
        for slot in range(position_start[rows[i]], position_start[rows[i] + 1]):
            slots[place], owner[place] = slot, i
            place += 1
    return slots, owner


def slots_numpy(position_start: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Return slots and owners; the plain reference."""
    start, stop = position_start[rows], position_start[rows + 1]
    counts = stop - start
    owner = np.repeat(np.arange(len(rows)), counts)
    offset = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(start, counts) + offset, owner


def slots_of(position_start: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Return the slots of rows.

    Parameters
    ----------
    position_start : (R + 1,) int64
    rows : (N,) int64

    Returns
    -------
    slots : (S,) int64
        Row by row, in the order of `rows`.
    owner : (S,) int64
        For each slot the index into `rows`.

    Raises
    ------
    IndexError
        There is no such row.
    """
    if not HAS_NUMBA:
        return slots_numpy(position_start, rows)
    return slots_loop(position_start, np.ascontiguousarray(rows, dtype=np.int64))
