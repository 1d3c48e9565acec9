"""Tables of a summary: few venues side by side, many one below the other."""

from __future__ import annotations

import pytest

from sim.cli.summary import emit_summary


def shown(capsys: pytest.CaptureFixture[str], count: int) -> list[str]:
    figures = {"equity": 1e6, "layers": {"insurance_fund": 7.25, "adl": 0.0}}
    emit_summary({"venues": {f"v{number}": figures for number in range(count)}})
    return capsys.readouterr().out.splitlines()


def test_few_venues_stand_side_by_side_with_what_each_layer_paid(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = [line.split() for line in shown(capsys, 4)]
    assert ["venues", "v0", "v1", "v2", "v3"] in lines
    assert ["layers.insurance_fund", *4 * ["7.25"]] in lines


def test_what_layers_paid_of_many_venues_has_a_table_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = shown(capsys, 5)
    rows = [line.split() for line in lines]
    assert [row for row in rows if row[:1] == ["v3"]] == [
        ["v3", "1,000,000.00"],
        ["v3", "7.25", "0"],
    ]
    assert "layers" in lines
    assert max(len(line) for line in lines) < 60
