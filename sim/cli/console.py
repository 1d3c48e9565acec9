"""What the command writes: results to stdout, everything else to stderr."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPE_WIDTH = 1000
"""Most characters of a table's line where stdout is not a terminal: nothing is wrapped there."""


def emit(text: str) -> None:
    """Write a result to stdout; a reader that has gone away is not an error."""
    _write(sys.stdout, text)


def say(text: str) -> None:
    """Write one line for a human to stderr."""
    _write(sys.stderr, text + "\n")


def emit_json(document: Any) -> None:
    """Write one JSON document to stdout; what is not a finite number becomes null."""
    import json

    emit(json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def plain(value: Any) -> Any:
    """Return a value as JSON has it: NaN and infinities as None, NumPy scalars as Python's."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


def emit_table(
    title: str | None, columns: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1
) -> None:
    """Write a table to stdout.

    Parameters
    ----------
    title : str or None
        Line above the table.
    columns : sequence of str
        Headings.
    rows : iterable of sequence of str
        Cells, already formatted.
    left : int
        Number of leading columns of text, flush left; the others are numbers, flush right. The
        last column is folded to the terminal's width if it is text.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title, style="bold") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for number, column in enumerate(columns):
        if number == len(columns) - 1 and left == len(columns):
            table.add_column(Text(column), overflow="fold", min_width=20)
        elif number < left:
            level: Literal["top", "bottom"] = "top" if left == len(columns) else "bottom"
            table.add_column(Text(column), no_wrap=True, vertical=level)
        else:
            table.add_column(Text(column), justify="right", no_wrap=True, vertical="bottom")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    _emit_rich(table)


def _emit_rich(table: Table) -> None:
    """Write a table, with colours only for a terminal without NO_COLOR.

    A table that cannot be made as narrow as the terminal keeps its width; no number is cut.
    """
    console = _stdout_console()
    narrowest = console.measure(table, options=console.options.update(width=PIPE_WIDTH)).minimum
    console.width = max(console.width, narrowest)
    with console.capture() as captured:
        console.print(table)
    lines = captured.get().split("\n")
    emit("\n".join(line.rstrip(" ") for line in lines))


def amount(value: object, digits: int = 2) -> str:
    """Format a number for a human: thousands apart, short, ``-`` where there is none."""
    if value is None or isinstance(value, bool) or not hasattr(value, "__float__"):
        return "-" if value is None else str(value)
    if not isinstance(value, float) and hasattr(value, "__index__"):
        return f"{value:,d}"
    number = float(value)
    if not math.isfinite(number):
        return "-"
    if number == 0:
        return "0"
    if not 1e-4 <= abs(number) < 1e15:
        return f"{number:.3e}"
    if abs(number) >= 100:
        return f"{number:,.{digits}f}"
    return f"{number:.6g}"


def _stdout_console() -> Console:
    from rich.console import Console

    terminal = sys.stdout.isatty()
    width = None if terminal or os.environ.get("COLUMNS", "").isdigit() else PIPE_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        hush(stream)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()


def hush(stream: TextIO) -> None:
    """Send what is still written to a stream nowhere, so that a closed pipe stays quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
