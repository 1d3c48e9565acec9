"""From an error to a message and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from sim.cli.console import hush, say
from sim.core.errors import ReplayMismatch, ScenarioError, SimError

RUN_FAILED, USAGE, INVALID, BREACHED, MISMATCH, INTERRUPTED = 1, 2, 3, 4, 5, 130
"""Exit codes of the command; 0 is success."""


@contextmanager
def guarded(debug: bool) -> Iterator[None]:
    """Turn every error that leaves a verb into a message on stderr and an exit code.

    Parameters
    ----------
    debug : bool
        Whether errors that liqsim did not raise on purpose show their traceback.
    """
    try:
        yield
    except KeyboardInterrupt:
        say("interrupted; nothing was written")
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        hush(sys.stdout)
        raise typer.Exit(0) from None
    except SimError as error:
        if debug:
            _traceback()
        raise typer.Exit(report(error)) from None
    except Exception as error:  # the one place where any error becomes a message
        if _is_typers(error):
            raise
        if debug:
            _traceback()
        say(f"error: {sentence(error)}")
        if not debug:
            say("add --debug to see the traceback")
        raise typer.Exit(RUN_FAILED) from None


def report(error: SimError) -> int:
    """Write an error of liqsim to stderr and return its exit code."""
    if isinstance(error, ScenarioError):
        for problem in error.problems:
            say(one_line(str(problem)))
        say(count(len(error.problems), "problem"))
        return INVALID
    say(f"error: {one_line(str(error))}")
    return MISMATCH if isinstance(error, ReplayMismatch) else RUN_FAILED


def sentence(error: BaseException) -> str:
    """Return an unexpected error as one sentence."""
    if isinstance(error, MemoryError):
        return "not enough memory for this run"
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    text = one_line(str(error))
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def one_line(text: str) -> str:
    """Return a text with its line ends made spaces."""
    return " ".join(text.split("\n")).strip()


def count(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``2 problems``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _is_typers(error: Exception) -> bool:
    """Whether an error is typer's own way of ending (usage errors, exits)."""
    return isinstance(error, (typer.Exit, typer.Abort)) or (
        hasattr(error, "exit_code") and hasattr(error, "show")
    )


def _traceback() -> None:
    import traceback

    traceback.print_exc(file=sys.stderr)
