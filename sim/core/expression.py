"""Conditions on the figures of a run, such as ``shortfall > 1e6 and generations >= 3``.

A condition is read by a small recursive-descent parser; nothing is ever evaluated as Python.

::

    condition   = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation    = "not" negation | comparison
    comparison  = sum { ("<" | "<=" | ">" | ">=" | "==" | "!=") sum }
    sum         = product { ("+" | "-") product }
    product     = factor { ("*" | "/") factor }
    factor      = "-" factor | "+" factor | primary
    primary     = number | name | function "(" condition { "," condition } ")" | "(" condition ")"

A number may carry ``%`` or ``bps`` and underscores (``0.5%``, ``40bps``, ``1_000_000``). A name
walks into a nested table: ``venues.beta.shortfall``, ``markets.alpha/BTC-PERP.max_drawdown``,
or with brackets ``markets["alpha/BTC-PERP"].max_drawdown`` where a key holds a dot or a space.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sim.core.figures import NotFiniteError, figure, lookup
from sim.core.lexer import ExpressionError, Token, refuse, tokens

Value = float | bool

FUNCTIONS: dict[str, tuple[Callable[..., float], int]] = {
    "abs": (abs, 1),
    "min": (min, 2),
    "max": (max, 2),
}
"""Functions of a condition, with the least number of arguments (`abs` takes exactly one)."""

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_MAX_LENGTH = 4096
_MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class _Node:
    """A step of a condition: whether it answers yes or no, and how it is worked out."""

    logical: bool
    column: int
    evaluate: Callable[[Mapping[str, Any]], Value]


@dataclass(frozen=True, slots=True)
class Condition:
    """A question about a run that is answered by yes or no.

    Attributes
    ----------
    text : str
        The condition as it was written.
    names : tuple of tuple of str
        Every figure it names, as the keys that lead to it.
    """

    text: str
    names: tuple[tuple[str, ...], ...]
    _root: _Node

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return the answer for a nested table of figures.

        Raises
        ------
        UnknownNameError
            If a figure does not exist or is not a number.
        NotFiniteError
            If a figure that matters has no finite value, or the arithmetic leaves the finite
            numbers (a division by zero, an overflow).
        """
        return bool(self._root.evaluate(values))

    def check_names(self, values: Mapping[str, Any]) -> None:
        """Raise UnknownNameError if any named figure is missing, even one that is not reached."""
        for path in self.names:
            lookup(values, path)


def parse_condition(text: str) -> Condition:
    """Read a condition.

    Raises
    ------
    ExpressionError
        If the text is not a condition; the message says where and what is expected there.
    """
    if len(text) > _MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {_MAX_LENGTH} characters")
    parser = _Parser(text)
    root = parser.whole()
    if not root.logical:
        raise ExpressionError(
            f"'{text.strip()}' is a number, not a condition; compare it, as in '{text.strip()} > 0'"
        )
    return Condition(text, tuple(parser.names), root)


class _Parser:
    """Recursive descent over the tokens of one condition."""

    def __init__(self, text: str) -> None:
        self._stream = tokens(text)
        self._token = next(self._stream)
        self._depth = 0
        self.names: list[tuple[str, ...]] = []

    def whole(self) -> _Node:
        node = self._condition()
        if self._token.kind != "end":
            refuse(self._token.column, f"found {self._token} after a complete expression")
        return node

    def _advance(self) -> Token:
        token = self._token
        self._token = next(self._stream)
        return token

    def _condition(self) -> _Node:
        return self._logic("or", lambda: self._logic("and", self._negation))

    def _deeper(self, parse: Callable[[], _Node]) -> _Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            refuse(self._token.column, f"nested more than {_MAX_DEPTH} deep")
        node = parse()
        self._depth -= 1
        return node

    def _logic(self, word: str, parse: Callable[[], _Node]) -> _Node:
        first = parse()
        parts = [first]
        while self._token.kind == word:
            self._advance()
            parts.append(parse())
        if len(parts) == 1:
            return first
        for part in parts:
            _need(part, logical=True, what=f"a side of '{word}'")
        decide = any if word == "or" else all
        return _Node(
            True, first.column, lambda values: decide(part.evaluate(values) for part in parts)
        )

    def _negation(self) -> _Node:
        if self._token.kind != "not":
            return self._comparison()
        column = self._advance().column
        inner = self._deeper(self._negation)
        _need(inner, logical=True, what="what follows 'not'")
        return _Node(True, column, lambda values: not inner.evaluate(values))

    def _comparison(self) -> _Node:
        parts = [self._sum()]
        signs: list[Callable[[float, float], bool]] = []
        while self._token.kind in _COMPARISONS:
            signs.append(_COMPARISONS[self._advance().kind])
            parts.append(self._sum())
        if not signs:
            return parts[0]
        for part in parts:
            _need(part, logical=False, what="a side of a comparison")

        def compare(values: Mapping[str, Any]) -> bool:
            numbers = [part.evaluate(values) for part in parts]
            return all(sign(numbers[i], numbers[i + 1]) for i, sign in enumerate(signs))

        return _Node(True, parts[0].column, compare)

    def _sum(self) -> _Node:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/"), self._factor))

    def _chain(self, signs: tuple[str, str], parse: Callable[[], _Node]) -> _Node:
        first = parse()
        steps: list[tuple[Token, _Node]] = []
        while self._token.kind in signs:
            steps.append((self._advance(), parse()))
        return _arithmetic(first, steps) if steps else first

    def _factor(self) -> _Node:
        if self._token.kind not in ("-", "+"):
            return self._primary()
        token = self._advance()
        inner = self._deeper(self._factor)
        _need(inner, logical=False, what=f"what follows '{token.text}'")
        sign = -1.0 if token.kind == "-" else 1.0
        return _Node(False, token.column, lambda values: sign * inner.evaluate(values))

    def _primary(self) -> _Node:
        token = self._advance() if self._token.kind != "end" else self._token
        if token.kind == "number":
            return _Node(False, token.column, lambda values: token.number)
        if token.kind == "(":
            node = self._deeper(self._condition)
            self._close(token)
            return node
        if token.kind == "name" and self._token.kind == "(":
            return self._call(token)
        if token.kind == "name":
            self.names.append(token.path)
            return _Node(False, token.column, lambda values: figure(values, token.path))
        refuse(token.column, f"found {token} where a number or a name is expected")

    def _close(self, opening: Token) -> None:
        if self._token.kind != ")":
            refuse(
                self._token.column,
                f"found {self._token}; the '(' of column {opening.column} is not closed",
            )
        self._advance()

    def _call(self, name: Token) -> _Node:
        if name.text not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            refuse(name.column, f"no function '{name.text}'; there are: {known}")
        opening = self._advance()
        arguments = [self._deeper(self._condition)]
        while self._token.kind == ",":
            self._advance()
            arguments.append(self._deeper(self._condition))
        self._close(opening)
        function, least = FUNCTIONS[name.text]
        if len(arguments) < least or (name.text == "abs" and len(arguments) != 1):
            wanted = "one argument" if name.text == "abs" else "two or more arguments"
            refuse(name.column, f"'{name.text}' takes {wanted}, found {len(arguments)}")
        for argument in arguments:
            _need(argument, logical=False, what=f"an argument of '{name.text}'")
        return _Node(
            False,
            name.column,
            lambda values: function(*(argument.evaluate(values) for argument in arguments)),
        )


def _need(node: _Node, *, logical: bool, what: str) -> None:
    if node.logical != logical:
        kinds = ("a number", "a condition")
        refuse(node.column, f"{what} must be {kinds[logical]}, found {kinds[node.logical]}")


def _arithmetic(first: _Node, steps: list[tuple[Token, _Node]]) -> _Node:
    """Return the step that works out ``first + second - third ...`` from the left."""
    _need(first, logical=False, what=f"a side of '{steps[0][0].text}'")
    for token, node in steps:
        _need(node, logical=False, what=f"a side of '{token.text}'")

    def evaluate(values: Mapping[str, Any]) -> float:
        number: float = first.evaluate(values)
        for token, node in steps:
            other = node.evaluate(values)
            if token.kind == "/" and other == 0:
                raise NotFiniteError(f"the '/' of column {token.column} divides by zero")
            number = _ARITHMETIC[token.kind](number, other)
            if not math.isfinite(number):
                raise NotFiniteError(f"the '{token.text}' of column {token.column} overflows")
        return number

    return _Node(False, first.column, evaluate)
