"""Expressions over the figures of a run, such as ``shortfall > 1e6 and generations >= 3``.

:mod:`sim.core.grammar` says how they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sim.core.figures import lookup
from sim.core.grammar import Node, Parser, Statistic
from sim.core.lexer import ExpressionError

MAX_LENGTH = 4096
"""Most characters of an expression."""


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
    _root: Node

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


@dataclass(frozen=True, slots=True)
class Formula:
    """A figure made of others; a condition is a figure of 0 or 1.

    Attributes
    ----------
    text : str
        The formula as it was written.
    names : tuple of tuple of str
        Every figure it names, as the keys that lead to it.
    """

    text: str
    names: tuple[tuple[str, ...], ...]
    _root: Node

    @property
    def logical(self) -> bool:
        """Whether it is a condition, whose value is 0 or 1."""
        return self._root.logical

    def value(self, values: Mapping[str, Any]) -> float:
        """Return the figure for a nested table of figures.

        Raises
        ------
        UnknownNameError, NotFiniteError
            As :meth:`Condition.holds`.
        """
        return float(self._root.evaluate(values))

    def check_names(self, values: Mapping[str, Any]) -> None:
        """Raise UnknownNameError if any named figure is missing."""
        for path in self.names:
            lookup(values, path)


def parse_condition(
    text: str, statistic: Callable[[str], Statistic | None] | None = None, known: str = ""
) -> Condition:
    """Read a condition.

    Parameters
    ----------
    text : str
        The condition.
    statistic : callable, optional
        Makes it a condition on many runs: returns the statistic that a name means, or None.
    known : str
        The statistics there are, as messages name them.

    Raises
    ------
    ExpressionError
        If the text is not a condition; the message says where and what is expected there.
    """
    root, names = _parse(text, statistic, known)
    if not root.logical:
        raise ExpressionError(
            f"'{text.strip()}' is a number, not a condition; compare it, as in '{text.strip()} > 0'"
        )
    return Condition(text, names, root)


def parse_formula(text: str) -> Formula:
    """Read a formula.

    Raises
    ------
    ExpressionError
        If the text is not an expression; the message says where and what is expected there.
    """
    root, names = _parse(text, None, "")
    return Formula(text, names, root)


def _parse(
    text: str, statistic: Callable[[str], Statistic | None] | None, known: str
) -> tuple[Node, tuple[tuple[str, ...], ...]]:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    parser = Parser(text, statistic, known)
    return parser.whole(), tuple(parser.names)
