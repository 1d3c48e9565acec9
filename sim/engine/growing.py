"""An array to whose end rows are appended."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class GrowingArray:
    """Rows of one shape and type, kept as one array.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row; ``()`` for single numbers.
    kind : dtype
    room : int
        Rows for which there is room before the array must grow.
    """

    def __init__(self, shape: tuple[int, ...], kind: DTypeLike, room: int = 1024) -> None:
        self._data: NDArray[Any] = np.empty((max(room, 1), *shape), dtype=kind)
        self.size = 0

    @property
    def values(self) -> NDArray[Any]:
        """The rows so far (N, ...), a view."""
        return self._data[: self.size]

    def extend(self, rows: int) -> NDArray[Any]:
        """Add so many rows and return them, to be filled in; a view."""
        first, self.size = self.size, self.size + rows
        if self.size > len(self._data):
            data = np.empty((max(self.size, 2 * len(self._data)), *self._data.shape[1:]),
                            dtype=self._data.dtype)  # fmt: skip
            data[:first] = self._data[:first]
            self._data = data
        return self._data[first : self.size]

    def append(self, row: Any) -> None:
        """Add one row."""
        self.extend(1)[0] = row
