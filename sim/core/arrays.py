"""Aliases for the array types used everywhere, and sums by group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Int32Array: TypeAlias = NDArray[np.int32]
Int16Array: TypeAlias = NDArray[np.int16]
Int8Array: TypeAlias = NDArray[np.int8]
BoolArray: TypeAlias = NDArray[np.bool_]

BLOCK = 1 << 16
"""Elements looked at together where a pass over everything must not need memory for everything."""


def blocks(size: int) -> Iterator[slice]:
    """Return consecutive slices of at most `BLOCK` elements that cover ``0 : size``, in order."""
    return (slice(first, min(first + BLOCK, size)) for first in range(0, size, BLOCK))


def add_to(total: FloatArray, group: NDArray[Any], values: NDArray[Any]) -> None:
    """Add each of the values to the total of its group, one after the other.

    Called block by block this gives the same bits as one call over everything.

    Parameters
    ----------
    total : (G,) float64
        Changed in place.
    group : (N,) integer
        Group of each value, in ``0 .. G - 1``.
    values : (N,) float64

    Raises
    ------
    ValueError
        A group is negative.
    IndexError
        A group is G or more.
    """
    if group.size and group.min() < 0:
        raise ValueError("groups must not be negative")
    np.add.at(total, group.astype(np.int64, copy=False), values.astype(np.float64, copy=False))


def sums(group: NDArray[Any], values: NDArray[Any], size: int) -> FloatArray:
    """Return the sum of the values of each of `size` groups, added in the order given."""
    if len(values) <= BLOCK:
        return np.asarray(np.bincount(group, values, size), dtype=np.float64)
    # Both casts would be copies of everything.
    total = np.zeros(size)
    for part in blocks(len(values)):
        add_to(total, group[part], values[part])
    return total


def union(*parts: IntArray) -> IntArray:
    """Return the numbers that are in any of the arrays, each once, ascending."""
    together: IntArray = np.sort(np.concatenate([np.empty(0, dtype=np.int64), *parts]))
    first = np.ones(len(together), dtype=bool)
    np.not_equal(together[1:], together[:-1], out=first[1:])
    return np.asarray(together[first])
