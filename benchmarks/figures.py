"""Measured figures, their targets, and how both are shown and written."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 110
"""Columns of the table where the output is no terminal."""


@dataclass(frozen=True)
class Figure:
    """One figure of a benchmark.

    Attributes
    ----------
    benchmark, name, unit : str
    measured : float
    target : float or None
        None where the figure is only reported.
    at_most : bool
        Whether the target is an upper bound, else a lower one.
    """

    benchmark: str
    name: str
    measured: float
    unit: str
    target: float | None = None
    at_most: bool = True

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one. What is not a number meets nothing."""
        if self.target is None:
            return None
        return self.measured <= self.target if self.at_most else self.measured >= self.target


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the exponent b of the least-squares fit of ``y = a x ** b`` in logarithms."""
    u, v = [math.log(value) for value in x], [math.log(value) for value in y]
    mean_u, mean_v = math.fsum(u) / len(u), math.fsum(v) / len(v)
    along = math.fsum((a - mean_u) * (b - mean_v) for a, b in zip(u, v, strict=True))
    return along / math.fsum((a - mean_u) ** 2 for a in u)


def number(value: float) -> str:
    """Return a figure with four digits, large ones with separators."""
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.4g}"


def show(figures: Sequence[Figure], machine: dict[str, Any], quick: bool) -> None:
    """Print the figures as a table."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    memory = machine["memory_bytes"]
    console.print(
        f"{machine['processor']}, {machine['cores']} cores"
        + (f", {memory / 1e9:.1f} GB" if memory else "")
        + f"; Python {machine['python']}, numpy {machine['numpy']}, numba {machine['numba']}; "
        f"liqsim {machine['liqsim']}; {machine['date']}",
        highlight=False,
    )
    if quick:
        console.print("--quick: small sizes, so the targets are not judged", highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading, justify in (
        ("benchmark", "left"), ("figure", "left"), ("target", "right"),
        ("measured", "right"), ("unit", "left"), ("met", "left"),
    ):  # fmt: skip
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for figure in figures:
        target = "" if figure.target is None else number(figure.target)
        sign = "" if figure.target is None else ("<= " if figure.at_most else ">= ")
        met = "" if figure.met is None or quick else ("yes" if figure.met else "NO")
        table.add_row(
            figure.benchmark, figure.name, sign + target, number(figure.measured), figure.unit, met
        )
    console.print(table, highlight=False)


def write(
    path: Path,
    figures: Sequence[Figure],
    details: dict[str, Any],
    machine: dict[str, Any],
    quick: bool,
) -> None:
    """Write everything as JSON, beside the place first, so that no half file is left there."""
    document = {
        "quick": quick,
        "machine": machine,
        "figures": [{**asdict(f), "met": None if quick else f.met} for f in figures],
        "details": details,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            json.dump(document, file, indent=1)
            file.write("\n")
        except BaseException:
            os.unlink(file.name)
            raise
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
