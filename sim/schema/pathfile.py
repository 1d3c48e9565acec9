"""Paths of prices for the shock `path`: a CSV file, or the points of the scenario."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sim.core.arrays import FloatArray
from sim.core.errors import Problem, ScenarioError
from sim.schema.base import show
from sim.schema.book_tables import check_columns, csv_header
from sim.schema.scenario import Scenario
from sim.schema.shocks import PathShock

MOST_PROBLEMS = 20
"""Problems of a file that are told one by one."""


class PricePath(NamedTuple):
    """A path of prices.

    Parameters
    ----------
    time : (N,) float64 [s]
        Strictly increasing times since the path's own time 0.
    price : (N,) float64 [quote]
        Prices above 0.
    """

    time: FloatArray
    price: FloatArray


def load_path(shock: PathShock, scenario: Scenario) -> PricePath:
    """Return the path of a shock, from its points or its file.

    Parameters
    ----------
    shock : PathShock
        The shock; its file is relative to the scenario file.
    scenario : Scenario
        Its `clock.start` is time 0 of a path with dates.

    Raises
    ------
    ScenarioError
        With file, line, column, what was found and what is allowed; the first 20 problems and
        the number of the others.
    """
    if shock.file is None:
        points = np.array(shock.points, dtype=np.float64)
        return PricePath(points[:, 0].copy(), points[:, 1].copy())
    path = scenario.source.base_dir / shock.file
    return read_path(path, scenario.clock.start)


def read_path(path: Path, start: str | None) -> PricePath:
    """Read a CSV file with columns ``time, price``.

    Parameters
    ----------
    path : Path
        The file.
    start : str or None
        Instant of time 0 (ISO-8601), needed where times are dates. A time without zone is UTC.

    Raises
    ------
    ScenarioError
        As :func:`load_path`.
    """
    file = str(path)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise ScenarioError(Problem(file, None, None, "file", found, "an existing CSV file"))
    if path.suffix.lower() != ".csv":
        raise ScenarioError(
            Problem(file, None, None, "file", f"the ending '{path.suffix}'", ".csv")
        )
    header = csv_header(path, file)
    check_columns(header, ["time", "price"], file, 1)
    reader = _Reader(file, header, None if start is None else datetime.fromisoformat(start))
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader.read(stream)
    except UnicodeDecodeError:
        raise ScenarioError(
            Problem(file, None, None, "file", "bytes that are not UTF-8", "text in UTF-8")
        ) from None
    return reader.path()


class _Reader:
    """Rows of one file, checked one by one."""

    def __init__(self, file: str, header: list[str], start: datetime | None) -> None:
        self.file = file
        self.header = header
        self.start = start
        self.times: list[float] = []
        self.prices: list[float] = []
        self.problems: list[Problem] = []
        self.unread = 0

    def refuse(self, line: int, column: str, found: str, allowed: str) -> None:
        """Note a problem; past the first ones only their number."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(self.file, line, None, column, found, allowed))
        else:
            self.unread += 1

    def read(self, stream: Iterable[str]) -> None:
        """Read every row after the header; empty lines are skipped."""
        rows = csv.reader(stream)
        next(rows, None)
        previous = -math.inf
        for row in rows:
            line = rows.line_num
            if not row:
                continue
            if len(row) != 2:
                self.refuse(line, "row", f"{len(row)} values", "2 values, one per column")
                continue
            values = dict(zip(self.header, row, strict=True))
            time = self.time(values["time"], line)
            price = self.price(values["price"], line)
            if time is not None and time <= previous:
                self.refuse(
                    line,
                    "time",
                    show(values["time"].strip()),
                    f"a time after the one before it, {previous:g} s",
                )
            if time is not None:
                previous = time
            if time is not None and price is not None:
                self.times.append(time)
                self.prices.append(price)

    def time(self, text: str, line: int) -> float | None:
        """Return a time [s], written as seconds or as an instant."""
        allowed = "seconds of 0 or more, or an ISO-8601 time"
        number = _number(text)
        if number is None:
            try:
                instant = datetime.fromisoformat(text.strip())
            except ValueError:
                self.refuse(line, "time", show(text), allowed)
                return None
            if self.start is None:
                self.refuse(
                    line,
                    "time",
                    show(text.strip()),
                    "seconds (dates need clock.start in the scenario)",
                )
                return None
            if instant.tzinfo is None:
                instant = instant.replace(tzinfo=UTC)
            number = (instant - self.start).total_seconds()
        if not math.isfinite(number) or number < 0:
            self.refuse(line, "time", show(text.strip()), allowed)
            return None
        return number

    def price(self, text: str, line: int) -> float | None:
        """Return a price [quote]."""
        number = _number(text)
        if number is None or not math.isfinite(number) or number <= 0:
            self.refuse(
                line,
                "price",
                show(text.strip()) if text.strip() else "nothing",
                "a finite number above 0",
            )
            return None
        return number

    def path(self) -> PricePath:
        """Return the path, or raise what was found wrong."""
        if not self.problems and len(self.times) < 2:
            self.refuse(1, "rows", f"{len(self.times)} rows", "at least two rows")
        if self.unread:
            self.problems.append(
                Problem(
                    self.file,
                    None,
                    None,
                    "rows",
                    f"... and {self.unread} more problems",
                    "no problems",
                )
            )
        if self.problems:
            raise ScenarioError(self.problems)
        return PricePath(
            np.array(self.times, dtype=np.float64), np.array(self.prices, dtype=np.float64)
        )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
