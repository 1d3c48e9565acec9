"""Paths of prices."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.core.errors import ScenarioError
from sim.schema import PricePath, load_path, load_text
from sim.schema.shocks import PathShock
from tests.schema.base import GOOD

WITH_FILE = GOOD.replace("points: [[0, 4300], [60s, 4000]]", "file: path.csv")


def read(folder: Path, content: str | bytes, text: str = WITH_FILE) -> PricePath:
    """Return the path of the good scenario, read from a file with this content."""
    data = content if isinstance(content, bytes) else content.encode()
    (folder / "path.csv").write_bytes(data)
    scenario = load_text(text, base_dir=folder)
    (shock,) = [shock for shock in scenario.shocks if isinstance(shock, PathShock)]
    return load_path(shock, scenario)


def test_points_of_the_scenario() -> None:
    """Points are arrays of seconds and prices."""
    scenario = load_text(GOOD)
    (shock,) = [shock for shock in scenario.shocks if isinstance(shock, PathShock)]
    time, price = load_path(shock, scenario)
    assert (list(time), list(price)) == ([0.0, 60.0], [4300.0, 4000.0])


def test_seconds_and_dates(tmp_path: Path) -> None:
    """Times are seconds, or instants after the start of the clock."""
    path = read(tmp_path, "time,price\n0,10\n2025-10-10T20:51:00Z,11\n\n90.5,12\n")
    assert list(path.time) == [0.0, 60.0, 90.5]
    path = read(tmp_path, "\ufeffprice,time\r\n10,2025-10-10 20:50:00\r\n11,61\r\n")
    assert (list(path.time), list(path.price)) == ([0.0, 61.0], [10.0, 11.0])


@pytest.mark.parametrize(
    ("content", "line", "column", "part"),
    [
        ("", 1, "time", "no column 'time'"),
        ("time,price\n", 1, "rows", "0 rows"),
        ("time,price\n0,1\n", 1, "rows", "1 rows"),
        ("time,prise\n0,1\n", 1, "prise", "did you mean 'price'"),
        ("time,price,x\n0,1,2\n", 1, "x", "the column 'x'"),
        ("time;price\n0;1\n", 1, "header", "semicolons"),
        ("time,price\n0,1\n1,nan\n", 3, "price", "'nan'"),
        ("time,price\n0,1\n1,inf\n", 3, "price", "'inf'"),
        ("time,price\n0,1\n1,0\n", 3, "price", "above 0"),
        ("time,price\n0,1\n1,\n", 3, "price", "nothing"),
        ("time,price\n0,1\n1,-3\n", 3, "price", "'-3'"),
        ("time,price\n0,1\n0,2\n", 3, "time", "after the one before it, 0 s"),
        ("time,price\n5,1\n\n4,2\n", 4, "time", "after the one before it, 5 s"),
        ("time,price\n-1,1\n4,2\n", 2, "time", "of 0 or more"),
        ("time,price\nnan,1\n4,2\n", 2, "time", "'nan'"),
        ("time,price\nnoon,1\n4,2\n", 2, "time", "'noon'"),
        ("time,price\n2025-10-10T20:00:00Z,1\n4,2\n", 2, "time", "2025-10-10T20:00:00Z"),
        ("time,price\n0,1,2\n4,2\n", 2, "row", "3 values"),
        (b"time,price\n0,1\n4,\xff\n", None, "file", "not UTF-8"),
    ],
)
def test_mistake_is_told_with_its_row(
    tmp_path: Path, content: str | bytes, line: int | None, column: str, part: str
) -> None:
    """The problem names file, line and column."""
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path, content)
    found = [p for p in caught.value.problems if (p.line, p.path) == (line, column)]
    assert found, str(caught.value)
    assert part in str(found[0])
    assert found[0].file.endswith("path.csv")


def test_dates_need_a_start(tmp_path: Path) -> None:
    """Without `clock.start` a date says nothing."""
    text = WITH_FILE.replace(", start: 2025-10-10T20:50:00Z", "")
    with pytest.raises(ScenarioError, match=r"dates need clock\.start"):
        read(tmp_path, "time,price\n2025-10-10,1\n2025-10-11,1\n", text)


def test_missing_file(tmp_path: Path) -> None:
    """A path that is not there is refused."""
    scenario = load_text(WITH_FILE, base_dir=tmp_path)
    (shock,) = [shock for shock in scenario.shocks if isinstance(shock, PathShock)]
    with pytest.raises(ScenarioError, match="no such file"):
        load_path(shock, scenario)


def test_only_the_first_problems_are_told(tmp_path: Path) -> None:
    """Twenty problems, then how many more."""
    rows = "".join(f"{n},0\n" for n in range(30))
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path, "time,price\n" + rows)
    assert len(caught.value.problems) == 21
    assert "... and 10 more problems" in str(caught.value.problems[-1])
