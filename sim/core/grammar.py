"""Grammar of the expressions over figures of a run; the text is never evaluated as Python.

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

A statistic is a function over many runs, such as ``p99(shortfall)``; which ones there are, the
caller of the parser says.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.core.figures import NotFiniteError, figure
from sim.core.lexer import Token, refuse, tokens

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
MAX_DEPTH = 50
"""Most parentheses, signs and calls within each other."""

RUNS = "runs"
"""Key under which the runs stand that statistics are taken over."""

Statistic = Callable[[Sequence[float]], float]
"""A figure of many runs."""


@dataclass(frozen=True, slots=True)
class Node:
    """A step of a condition: whether it answers yes or no, and how it is worked out."""

    logical: bool
    column: int
    evaluate: Callable[[Mapping[str, Any]], Value]


class Parser:
    """Recursive descent over the tokens of one expression.

    Parameters
    ----------
    text : str
        The expression.
    statistic : callable, optional
        Returns the statistic of a name, or None where there is none. With it, a figure may
        stand within a statistic only: outside it has as many values as there are runs.
    known : str
        The statistics there are, as messages name them.
    """

    def __init__(
        self,
        text: str,
        statistic: Callable[[str], Statistic | None] | None = None,
        known: str = "",
    ) -> None:
        self._statistic = statistic
        self._known = ", ".join(filter(None, [known, *FUNCTIONS]))
        self._within = False
        self._stream = tokens(text)
        self._token = next(self._stream)
        self._depth = 0
        self.names: list[tuple[str, ...]] = []

    def whole(self) -> Node:
        """Return the expression that is the whole text."""
        node = self._condition()
        if self._token.kind != "end":
            refuse(self._token.column, f"found {self._token} after a complete expression")
        return node

    def _advance(self) -> Token:
        token = self._token
        self._token = next(self._stream)
        return token

    def _condition(self) -> Node:
        return self._logic("or", lambda: self._logic("and", self._negation))

    def _deeper(self, parse: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            refuse(self._token.column, f"nested more than {MAX_DEPTH} deep")
        node = parse()
        self._depth -= 1
        return node

    def _logic(self, word: str, parse: Callable[[], Node]) -> Node:
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
        return Node(
            True, first.column, lambda values: decide(part.evaluate(values) for part in parts)
        )

    def _negation(self) -> Node:
        if self._token.kind != "not":
            return self._comparison()
        column = self._advance().column
        inner = self._deeper(self._negation)
        _need(inner, logical=True, what="what follows 'not'")
        return Node(True, column, lambda values: not inner.evaluate(values))

    def _comparison(self) -> Node:
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

        return Node(True, parts[0].column, compare)

    def _sum(self) -> Node:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/"), self._factor))

    def _chain(self, signs: tuple[str, str], parse: Callable[[], Node]) -> Node:
        first = parse()
        steps: list[tuple[Token, Node]] = []
        while self._token.kind in signs:
            steps.append((self._advance(), parse()))
        return _arithmetic(first, steps) if steps else first

    def _factor(self) -> Node:
        if self._token.kind not in ("-", "+"):
            return self._primary()
        token = self._advance()
        inner = self._deeper(self._factor)
        _need(inner, logical=False, what=f"what follows '{token.text}'")
        sign = -1.0 if token.kind == "-" else 1.0
        return Node(False, token.column, lambda values: sign * inner.evaluate(values))

    def _primary(self) -> Node:
        token = self._advance() if self._token.kind != "end" else self._token
        if token.kind == "number":
            return Node(False, token.column, lambda values: token.number)
        if token.kind == "(":
            node = self._deeper(self._condition)
            self._close(token)
            return node
        if token.kind == "name" and self._token.kind == "(":
            return self._call(token)
        if token.kind == "name":
            if self._statistic is not None and not self._within:
                refuse(
                    token.column,
                    f"'{token.text}' differs from run to run; say which statistic of it, as in "
                    f"mean({token.text})",
                )
            self.names.append(token.path)
            return Node(False, token.column, lambda values: figure(values, token.path))
        refuse(token.column, f"found {token} where a number or a name is expected")

    def _close(self, opening: Token) -> None:
        if self._token.kind != ")":
            refuse(
                self._token.column,
                f"found {self._token}; the '(' of column {opening.column} is not closed",
            )
        self._advance()

    def _over_runs(self, name: Token, statistic: Statistic) -> Node:
        if self._within:
            refuse(name.column, f"'{name.text}' stands within another statistic")
        opening = self._advance()
        self._within = True
        inner = self._deeper(self._condition)
        self._within = False
        if self._token.kind == ",":
            refuse(self._token.column, f"'{name.text}' takes one argument")
        self._close(opening)
        return Node(
            False,
            name.column,
            lambda values: statistic([float(inner.evaluate(run)) for run in values[RUNS]]),
        )

    def _call(self, name: Token) -> Node:
        statistic = self._statistic(name.text) if self._statistic is not None else None
        if statistic is not None:
            return self._over_runs(name, statistic)
        if name.text not in FUNCTIONS:
            refuse(name.column, f"no function '{name.text}'; there are: {self._known}")
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
        return Node(
            False,
            name.column,
            lambda values: function(*(argument.evaluate(values) for argument in arguments)),
        )


def _need(node: Node, *, logical: bool, what: str) -> None:
    if node.logical != logical:
        kinds = ("a number", "a condition")
        refuse(node.column, f"{what} must be {kinds[logical]}, found {kinds[node.logical]}")


def _arithmetic(first: Node, steps: list[tuple[Token, Node]]) -> Node:
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

    return Node(False, first.column, evaluate)
