"""Checks of arguments."""

from __future__ import annotations

from numbers import Integral


def whole(name: str, value: object, least: int) -> int:
    """Return a whole number from `least` on.

    Raises
    ------
    ValueError
        If the value is none.
    """
    if type(value) is bool or not isinstance(value, Integral) or int(value) < least:
        raise ValueError(f"{name} is {value!r}; allowed: a whole number from {least} on")
    return int(value)
