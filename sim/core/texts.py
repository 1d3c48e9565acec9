"""Many short texts, such as the ids of a million accounts, in little memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 12  # texts whose ends are Python integers at one time


class Texts:
    """A fixed list of texts, kept as one block of UTF-8 bytes.

    A text becomes a Python string when it is asked for. An id of 14 letters takes 18 bytes here
    and about 70 as a string.

    Parameters
    ----------
    texts : iterable of str
    """

    __slots__ = ("_block", "_ends")

    def __init__(self, texts: Iterable[str] = ()) -> None:
        listed = list(texts)
        whole = "".join(listed)
        self._block = whole.encode("utf-8", "surrogatepass")
        if len(self._block) == len(whole):  # every letter is a byte
            sizes = list(map(len, listed))
        else:
            sizes = [len(text.encode("utf-8", "surrogatepass")) for text in listed]
        self._ends = _offsets(len(sizes), len(self._block))
        np.cumsum(sizes, out=self._ends)

    @classmethod
    def join(cls, parts: Sequence[Texts]) -> Texts:
        """Return all texts of several lists, in that order."""
        whole = cls()
        whole._block = b"".join([part._block for part in parts])
        whole._ends = _offsets(sum(map(len, parts)), len(whole._block))
        first = shift = 0
        for part in parts:
            whole._ends[first : first + len(part)] = part._ends
            whole._ends[first : first + len(part)] += shift
            first, shift = first + len(part), shift + len(part._block)
        return whole

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self._ends):
            raise IndexError(f"no text {index} among {len(self._ends)}")
        start = self._ends[index - 1] if index else 0
        return self._block[start : self._ends[index]].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        start = 0
        for first in range(0, len(self._ends), _BLOCK):
            for end in self._ends[first : first + _BLOCK].tolist():
                yield self._block[start:end].decode("utf-8", "surrogatepass")
                start = end

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Texts):
            return NotImplemented
        return self._block == other._block and np.array_equal(self._ends, other._ends)

    __hash__ = None  # type: ignore[assignment]


def _offsets(count: int, size: int) -> NDArray[Any]:
    """Return room for `count` offsets into `size` bytes."""
    return np.empty(count, dtype=np.uint32 if size < 1 << 32 else np.int64)
