"""The error tree of liqsim.

::

    SimError
     ├── ScenarioError (ValueError)        what a user wrote cannot be run        exit code 3
     │    └── BookError                    the same, in a book of accounts        exit code 3
     ├── RunError (RuntimeError)           a run failed                           exit code 1
     │    └── ConservationError (ArithmeticError)   money or quantity was not conserved
     ├── ReplayMismatch (AssertionError)   a replay wrote other bytes             exit code 5
     └── MissingExtraError (ImportError)   an optional part is not installed      exit code 1

Insolvency is an event of the simulation and never an exception.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class SimError(Exception):
    """Base of every error that liqsim raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a user's file.

    Parameters
    ----------
    file : str
        File as the user named it.
    line, column : int or None
        Place, counted from 1; None where the file has no such place (a missing key has
        the place of its parent).
    path : str
        Path of the key, such as ``venues.alpha.margin.tiers.0.rate``; for a table the
        column name.
    found : str
        What stands there.
    allowed : str
        What may stand there.
    hint : str or None
        Nearest legal name for a misspelt one.
    """

    file: str
    line: int | None
    column: int | None
    path: str
    found: str
    allowed: str
    hint: str | None = None

    def __str__(self) -> str:
        place = self.file
        if self.line is not None:
            place += f":{self.line}"
            if self.column is not None:
                place += f":{self.column}"
        text = f"{place}: {self.path}: found {self.found}; allowed: {self.allowed}"
        if self.hint is not None:
            text += f"; did you mean '{self.hint}'?"
        return text


class ScenarioError(SimError, ValueError):
    """A scenario or book cannot be used; `problems` lists every reason found."""

    def __init__(self, problems: Iterable[Problem] | Problem) -> None:
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class BookError(ScenarioError):
    """A book of accounts cannot be used."""


class RunError(SimError, RuntimeError):
    """A run failed after its scenario was accepted."""


class ConservationError(RunError, ArithmeticError):
    """Money or quantity appeared or vanished; always a defect of the program."""


class ReplayMismatch(SimError, AssertionError):
    """A replayed run did not write the same bytes; `outputs` names the files that differ."""

    def __init__(self, message: str, outputs: Iterable[str] = ()) -> None:
        self.outputs: tuple[str, ...] = tuple(outputs)
        super().__init__(message)


class MissingExtraError(SimError, ImportError):
    """An optional dependency is not installed."""
