"""Figures of a run found by name in a nested table."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from typing import Any

from sim.core.lexer import KEYED, ExpressionError


class UnknownNameError(ExpressionError):
    """A condition names a figure that does not exist."""


class NotFiniteError(ExpressionError):
    """A figure of a condition, or a step of its arithmetic, is not a finite number."""


def lookup(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return the figure that a path of keys leads to.

    Raises
    ------
    UnknownNameError
        If a key does not exist, with the nearest one that does, or the path ends at a table.
    """
    place: Any = values
    for depth, key in enumerate(path):
        if not isinstance(place, Mapping):
            raise UnknownNameError(f"'{spell(path[:depth])}' is a figure and has no '{key}'")
        if key not in place:
            raise UnknownNameError(unknown_name(path[:depth], key, place))
        place = place[key]
    if isinstance(place, Mapping):
        inside = ", ".join(str(key) for key in list(place)[:8])
        raise UnknownNameError(f"'{spell(path)}' is a table; name a figure in it: {inside}")
    return place


def unknown_name(parent: tuple[str, ...], key: str, known: Mapping[str, Any]) -> str:
    """Return the message for a key that a table does not have, with the nearest one."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    message = f"no figure '{spell((*parent, key))}'"
    if near:
        return f"{message}; did you mean '{spell((*parent, near[0]))}'?"
    return f"{message}; there are: {', '.join(names[:20])}"


def figure(values: Mapping[str, Any], path: tuple[str, ...]) -> float:
    """Return the finite number that a path of keys leads to.

    Raises
    ------
    UnknownNameError
        If there is no such figure or it is not a number.
    NotFiniteError
        If it has no finite value.
    """
    found = lookup(values, path)
    if found is None:
        raise NotFiniteError(f"'{spell(path)}' has no value in this run")
    if isinstance(found, str) or not hasattr(found, "__float__"):
        raise UnknownNameError(f"'{spell(path)}' is {found!r}, not a number")
    number = float(found)
    if not math.isfinite(number):
        raise NotFiniteError(f"'{spell(path)}' is not a finite number in this run")
    return number


def spell(path: tuple[str, ...]) -> str:
    """Write a path of keys the way a condition writes it."""
    text = path[0] if path else ""
    for depth, key in enumerate(path[1:], start=1):
        keyed = depth == 1 and path[0] in KEYED
        simple = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_/:@-]*" if keyed else r"[A-Za-z0-9_]+", key)
        text += f".{key}" if simple else f'["{key}"]'
    return text
