"""The table of causes that a run prints."""

from __future__ import annotations

from pathlib import Path

from tests.cli.command import SMALL, invoke

FUND = "{kind: insurance_fund, size: 1e5}"
BACKSTOP = "{kind: backstop, capital: 1e6, takes_negative: true, unwind: 3s}"


def headings(text: str, folder: Path) -> str:
    """Run a scenario and return what stands over its table of causes."""
    file = folder / "small.yaml"
    file.write_text(text, encoding="utf-8")
    shown = invoke("run", file, "--out", folder / "results", "--no-figures")
    assert shown.exit_code == 0, shown.output
    return shown.output.partition("price moves by cause")[2].partition("alpha/BTC-PERP")[0]


def test_a_cause_has_a_column_only_where_it_moved_a_price(tmp_path: Path) -> None:
    assert "backstop" not in headings(SMALL, tmp_path)
    assert "backstop" in headings(SMALL.replace(FUND, f"{FUND}, {BACKSTOP}", 1), tmp_path)
