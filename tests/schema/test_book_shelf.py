"""Books that are kept between runs: what is read again, and what never changes a figure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.engine import run
from sim.schema import books as reading
from sim.schema import load, load_book
from sim.schema.book_shelf import MOST_KEPT, Shelf, books_kept
from tests.cli.command import ROOT

LINEAR = ROOT / "scenarios" / "analytic" / "linear-cascade.yaml"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Count how often the files of a book are read."""
    times: list[Any] = []
    original = reading._read

    def counted(*given: Any) -> Any:
        times.append(given)
        return original(*given)

    monkeypatch.setattr(reading, "_read", counted)
    return times


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a copy of the linear cascade with its book."""
    (tmp_path / "books").mkdir()
    for path in (LINEAR.parent / "books").glob("uniform-*.csv"):
        (tmp_path / "books" / path.name).write_bytes(path.read_bytes())
    file = tmp_path / "linear.yaml"
    file.write_bytes(LINEAR.read_bytes())
    return file


def figures(file: Path, **overrides: Any) -> dict[str, Any]:
    summary = run(load(file, overrides)).summary
    return {key: value for key, value in summary.items() if key != "wall_seconds"}


def test_a_kept_book_gives_the_same_run(place: Path, read: list[Any]) -> None:
    settings = [{}, {"shocks.0.return": -0.04}, {"markets.0.impact.coefficient": 0.2}, {}]
    fresh = [figures(place, **one) for one in settings]
    assert len(read) == 4
    shelf = Shelf()
    with books_kept(shelf):
        kept = [figures(place, **one) for one in settings]
    assert kept == fresh
    assert len(read) == 5
    figures(place)
    assert len(read) == 6


def test_a_kept_book_cannot_be_changed(place: Path) -> None:
    scenario = load(place)
    with books_kept(Shelf()):
        book = load_book(scenario.traders[0], scenario)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="read-only"):
        book.quantity[0] = 7.0
    assert isinstance(book.quantity, np.ndarray)


def test_a_changed_file_is_read_again(place: Path, read: list[Any]) -> None:
    with books_kept(Shelf()):
        before = figures(place)
        balances = place.parent / "books" / "uniform-balances.csv"
        lines = balances.read_text(encoding="utf-8").splitlines(keepends=True)
        balances.write_text("".join([*lines[:-1], lines[-1].rstrip() + "1\n"]), encoding="utf-8")
        os.utime(balances, ns=(1, 1))
        after = figures(place)
    assert len(read) == 2
    assert after["run_id"] != before["run_id"]


def test_other_names_in_a_scenario_read_the_book_again(place: Path, read: list[Any]) -> None:
    """A market more shifts the numbers of markets; a book that does not fit is refused."""
    text = place.read_text(encoding="utf-8").replace(
        "markets:\n",
        "markets:\n  - {venue: one, symbol: Y, kind: spot, base: X, quote: USD,"
        " impact: {kind: linear, coefficient: 1}}\n",
    )
    other = place.with_name("other.yaml")
    other.write_text(text, encoding="utf-8")
    with books_kept(Shelf()):
        first, second = figures(place), figures(other)
    assert len(read) == 2
    assert second["markets"]["one/X"] == first["markets"]["one/X"]


def test_a_shelf_has_room_for_few_books() -> None:
    shelf = Shelf()
    for number in range(MOST_KEPT + 2):
        shelf.put(number, f"book {number}")
    assert [shelf.get(number) is None for number in range(MOST_KEPT + 2)] == [
        True, True, *[False] * MOST_KEPT,
    ]  # fmt: skip
    shelf.clear()
    assert shelf.get(MOST_KEPT) is None
