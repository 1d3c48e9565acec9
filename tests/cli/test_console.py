from __future__ import annotations

import json
import math

import numpy as np
import pytest

from sim.cli.console import amount, emit_json, emit_table, plain


def test_json_has_no_nan_and_no_infinity(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json({"a": math.nan, "b": [math.inf, -math.inf, np.float64("nan"), 1.5], "c": {"d": 2}})
    text = capsys.readouterr().out
    assert json.loads(text) == {"a": None, "b": [None, None, None, 1.5], "c": {"d": 2}}
    assert "NaN" not in text
    assert "Infinity" not in text


def test_numpy_becomes_plain() -> None:
    values = {1: np.int64(3), "x": np.array([1.0, np.nan]), "y": np.bool_(True), "z": (1, "a")}
    found = plain(values)
    assert found == {"1": 3, "x": [1.0, None], "y": True, "z": [1, "a"]}
    assert type(found["1"]) is int
    assert type(found["y"]) is bool


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (1234567.891, "1,234,567.89"),
        (0.0123456, "0.0123456"),
        (1e-12, "1.000e-12"),
        (0.0, "0"),
        (math.nan, "-"),
        (None, "-"),
        (np.int64(4500), "4,500"),
        (np.float64(99.5), "99.5"),
        (True, "True"),
    ],
)
def test_amounts(value: object, text: str) -> None:
    assert amount(value) == text


def test_a_narrow_screen_cuts_no_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    emit_table(None, ("account", "first", "second"), [("a-long-name", "1,234,567.89", "98,765.4")])
    assert capsys.readouterr().out.splitlines()[-2].split() == [
        "a-long-name",
        "1,234,567.89",
        "98,765.4",
    ]
    emit_table(None, ("name", "text"), [("first", "many words " * 10)], left=2)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 30


def test_tables_in_a_pipe_are_plain_and_keep_long_cells(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emit_table("title", ("name", "value"), [("[bold]x[/bold]" * 12, "1"), (":smile:", "2")])
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "[bold]x[/bold][bold]" in text
    assert ":smile:" in text
    assert not any(line.endswith(" ") for line in text.split("\n"))
