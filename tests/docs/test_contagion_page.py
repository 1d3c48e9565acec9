"""The page of contagion: its examples print what it shows."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.docs.pages import ROOT, blocks

PAGE = "docs/contagion.md"


@pytest.mark.parametrize("number", range(len(blocks(PAGE, "python"))))
def test_the_python_prints_what_it_shows(
    number: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    code, shown = blocks(PAGE, "python")[number], blocks(PAGE, "text")[number]
    with pd.option_context("display.width", 120):
        exec(compile(code, PAGE, "exec"), {})  # noqa: S102
    printed = capsys.readouterr().out
    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()
