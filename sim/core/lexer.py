"""Tokens of a condition: numbers with units, names with paths, words and signs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from sim.core.errors import SimError

KEYED = ("markets", "venues", "cohorts")
"""Tables of figures whose keys are names that a user chose."""
_SUFFIX = {"%": 1e-2, "bps": 1e-4, "": 1.0}
_HINTS = {"=": "==", "&": "and", "&&": "and", "|": "or", "||": "or", "!": "not", "^": "*"}

_NUMBER = re.compile(r"((?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)(%|bps)?")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SEGMENT = re.compile(r"\.([A-Za-z0-9_]+)")
_KEY = re.compile(r"\.([A-Za-z0-9_][A-Za-z0-9_/:@-]*)(?=[.\[])")
_BRACKET = re.compile(r"""\[\s*(?:"([^"]*)"|'([^']*)')\s*\]""")
_OPERATOR = re.compile(r"<=|>=|==|!=|[<>+\-*/(),]")


class ExpressionError(SimError, ValueError):
    """A condition cannot be read or has no answer."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word or sign of a condition; `column` counts from 1."""

    kind: str
    text: str
    column: int
    number: float = 0.0
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text if self.kind == "end" else f"'{self.text}'"


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a condition, closed by one of kind ``end``.

    Raises
    ------
    ExpressionError
        If a character has no meaning in a condition.
    """
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        token, position = _next_token(text, position)
        yield token
    yield Token("end", "the end", len(text) + 1)


def _next_token(text: str, start: int) -> tuple[Token, int]:
    column = start + 1
    if match := _NUMBER.match(text, start):
        digits, suffix = match.group(1).replace("_", ""), match.group(2) or ""
        if _WORD.match(text, match.end()):
            refuse(
                column,
                f"found '{text[start:].split(maxsplit=1)[0]}', which is neither number nor name",
            )
        number = float(digits) * _SUFFIX[suffix]
        if not math.isfinite(number):
            refuse(column, f"'{match.group()}' is too large for a number")
        return Token("number", match.group(), column, number=number), match.end()
    if match := _WORD.match(text, start):
        if match.group() in ("and", "or", "not"):
            return Token(match.group(), match.group(), column), match.end()
        path, end = _path(text, match.group(), match.end())
        return Token("name", text[start:end], column, path=path), end
    if match := _OPERATOR.match(text, start):
        return Token(match.group(), match.group(), column), match.end()
    found = text[start : start + 2] if text[start : start + 2] in _HINTS else text[start]
    hint = f"; write '{_HINTS[found]}'" if found in _HINTS else ""
    refuse(column, f"found '{found}', which has no meaning here{hint}")


def _path(text: str, word: str, end: int) -> tuple[tuple[str, ...], int]:
    path = [word]
    while end < len(text) and text[end] in ".[":
        keyed = len(path) == 1 and word in KEYED
        match = (keyed and _KEY.match(text, end)) or _SEGMENT.match(text, end)
        match = match or _BRACKET.match(text, end)
        if not match:
            refuse(end + 1, f"a key is expected after '{text[: end + 1].rsplit(maxsplit=1)[-1]}'")
        path.append(next(group for group in match.groups() if group is not None))
        end = match.end()
    return tuple(path), end


def refuse(column: int, message: str) -> NoReturn:
    """Raise ExpressionError at a column."""
    raise ExpressionError(f"column {column}: {message}")
