"""Aliases for the array types used everywhere."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Int32Array: TypeAlias = NDArray[np.int32]
Int16Array: TypeAlias = NDArray[np.int16]
Int8Array: TypeAlias = NDArray[np.int8]
BoolArray: TypeAlias = NDArray[np.bool_]


def sums(group: NDArray[Any], values: NDArray[Any], size: int) -> FloatArray:
    """Return the sum of the values of each of `size` groups, added in the order given."""
    return np.asarray(np.bincount(group, values, size), dtype=np.float64)
