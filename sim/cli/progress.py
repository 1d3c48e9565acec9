"""Progress on stderr: the ticks of a run, the runs of an experiment."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sim.cli.console import say

Watch = Callable[[int, int, int], None]
"""Called with the runs finished, the runs expected and the runs that failed."""

Report = Callable[[int, int], None]
"""Called with what is done and what there is in all, such as ticks."""


@contextmanager
def ticking(label: str, line: str, *, quiet: bool, what: str = "ticks") -> Iterator[Report | None]:
    """Show the progress of a run, or of several.

    Parameters
    ----------
    label : str
        Text before the bar.
    line : str
        Line written instead of a bar where stderr is not a terminal.
    quiet : bool
        Whether to write nothing at all.
    what : str
        What is counted.

    Yields
    ------
    callable or None
        What is to be called with (done, in all).
    """
    if quiet:
        yield None
    elif not sys.stderr.isatty():
        say(line)
        yield None
    else:
        with _bar(label, what) as report:
            yield lambda done, total: report(done, total, "")


Count = Callable[[int, int, str], None]
"""Called with how many are done, how many there are, and a remark."""


@contextmanager
def counting(label: str, line: str, unit: str, *, quiet: bool) -> Iterator[Count | None]:
    """Show how many of something are done, with the time left; as `ticking`."""
    if quiet:
        yield None
    elif not sys.stderr.isatty():
        say(line)
        yield None
    else:
        with _bar(label, unit) as report:
            yield report


@contextmanager
def watching(label: str, line: str, done: list[int], *, quiet: bool) -> Iterator[Watch]:
    """Yield what is told of every finished run of an experiment; `done` [1] keeps how many."""
    with counting(label, line, "runs", quiet=quiet) as report:

        def watch(finished: int, expected: int, failed: int) -> None:
            done[0] = finished
            if report is not None:
                report(finished, expected, f"{failed:,} failed" if failed else "")

        yield watch


@contextmanager
def _bar(label: str, unit: str) -> Iterator[Count]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit},"),
        TimeLeft(),
        TextColumn("left"),
        TextColumn("{task.fields[remark]}", markup=False),
    )
    console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=None, remark="")

        def report(done: int, total: int, remark: str) -> None:
            progress.update(task, completed=done, total=total, remark=remark)

        yield report
