"""The registry of variants: one socket, many implementations, found by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Implementations of one socket by the `kind` a scenario writes.

    Examples
    --------
    >>> impacts: Registry[type] = Registry("impact")
    >>> @impacts.register("linear")
    ... class Linear: ...
    >>> impacts["linear"] is Linear
    True
    """

    def __init__(self, socket: str) -> None:
        self.socket = socket
        self._variants: dict[str, T] = {}

    def register(self, kind: str) -> Callable[[T], T]:
        """Return a decorator that files an implementation under `kind`; a kind is taken once."""

        def add(variant: T) -> T:
            if kind in self._variants:
                raise ValueError(f"{self.socket} kind {kind!r} is registered twice")
            self._variants[kind] = variant
            return variant

        return add

    def __getitem__(self, kind: str) -> T:
        try:
            return self._variants[kind]
        except KeyError:
            known = ", ".join(sorted(self._variants))
            raise KeyError(f"no {self.socket} kind {kind!r}; known: {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._variants)

    def __len__(self) -> int:
        return len(self._variants)
