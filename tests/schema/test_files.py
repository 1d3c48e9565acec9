"""Files that are no scenarios, and everything YAML allows."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml.comments import CommentedSeq

from sim.core.errors import ScenarioError
from sim.schema import load, load_mapping, load_text
from sim.schema.yamlfile import plain
from tests.schema.base import GOOD, problems


def test_good_scenario_loads_from_a_file(tmp_path: Path) -> None:
    """Paths of the scenario are relative to its file."""
    path = tmp_path / "good.yaml"
    path.write_text(GOOD, encoding="utf-8")
    scenario = load(path)
    assert scenario.name == "two-venues"
    assert scenario.source.file == str(path)
    assert scenario.source.base_dir == tmp_path
    assert scenario.clock.horizon == 1800.0
    assert scenario.clock.ticks == 1800
    assert scenario.clock.start == "2025-10-10T20:50:00Z"
    assert scenario.shocks[0].return_ == -0.12  # type: ignore[union-attr]
    assert [market.id for market in scenario.markets][:2] == ["alpha/BTC-PERP", "beta/BTC-PERP"]
    assert scenario.market_price(scenario.markets[0]) == 121_000.0


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "an empty file"),
        (b"\n# only a comment\n", "an empty file"),
        (b"- a\n- b\n", "a list of 2"),
        (b"just text\n", "'just text'"),
        (b"42\n", "found 42"),
        (b"name: \xff\n", "0xff, which is not UTF-8"),
        (b"a: 1\n\tb: 2\n", "not YAML"),
        (b"a: [1, 2\n", "not YAML"),
        (b"a: *nowhere\n", "undefined alias"),
        (b"a: 1\n---\nb: 2\n", "not YAML"),
        (b"? [a, b]\n: 1\n", "as a key"),
        (b"a: !secret b\n", "a value with a tag"),
        (b"a: !!binary aGVsbG8=\n", "a value with a tag"),
        (b"\x00", "not YAML"),
    ],
)
def test_what_is_no_scenario_is_refused(tmp_path: Path, content: bytes, part: str) -> None:
    """Bytes, text and values that are no scenario give one clear problem."""
    path = tmp_path / "case.yaml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert part in str(caught.value)
    assert str(path) in str(caught.value)


def test_byte_that_is_not_utf8_has_its_place(tmp_path: Path) -> None:
    """Line and column count bytes from 1."""
    path = tmp_path / "case.yaml"
    path.write_bytes(b"schema_version: 1\nname: \xe9t\xe9\n")
    with pytest.raises(ScenarioError) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, 7)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    """A missing file and a folder are problems of the user, not of the program."""
    with pytest.raises(ScenarioError, match="no such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ScenarioError, match="a folder"):
        load(tmp_path)
    with pytest.raises(ScenarioError, match="cannot be read"):
        load("a\0b")


def test_anchors_that_explode_are_refused() -> None:
    """A small file may not expand without measure."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for n in range(1, 9):
        lines.append(f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]")
    assert "anchors that expand" in str(problems("\n".join(lines))[0])


def test_value_that_contains_itself_is_refused() -> None:
    """A cycle is told, not followed."""
    cycle = CommentedSeq([1])
    cycle.append(cycle)
    with pytest.raises(ScenarioError, match="contains itself"):
        plain(cycle, "case.yaml")


def test_deep_nesting_is_refused() -> None:
    """A file nested beyond all measure is no crash."""
    assert "nested too deeply" in str(problems("a: " + "[" * 5000 + "]" * 5000)[0])


def test_anchors_and_merge_keys() -> None:
    """Anchors and merge keys are resolved."""
    text = GOOD.replace(
        "BTC: {price: 121000, volatility: 0.45}", "BTC: &a {price: 9, volatility: 1}"
    )
    text = text.replace(
        "ETH: {price: 4300, volatility: 60%, haircut: 5%}", "ETH: {<<: *a, price: 4300}"
    )
    assets = load_text(text).assets
    assert (assets["ETH"].price, assets["ETH"].volatility) == (4300.0, 1.0)


def test_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    """Editors of Windows write both."""
    path = tmp_path / "case.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(path).name == "two-venues"


def test_words_that_yaml_1_1_reads_as_switches() -> None:
    """In YAML 1.2 ``NO`` and ``on`` are text."""
    text = GOOD.replace("ETH-SPOT", "NO")
    assert load_text(text).markets[4].symbol == "NO"


@pytest.mark.parametrize("name", ["wallet", "outside"])
def test_reserved_names_of_venues(name: str) -> None:
    """Words of the ledger are no names of venues."""
    text = GOOD.replace("gamma", name)
    found = {problem.path: problem for problem in problems(text)}
    assert "reserved name" in found[f"venues.{name}"].found


def test_scenario_from_python_values() -> None:
    """Values without a file are checked alike."""
    with pytest.raises(ScenarioError, match="'clock' is required"):
        load_mapping({"schema_version": 1})
    with pytest.raises(ScenarioError, match="a mapping with keys"):
        load_mapping([])
