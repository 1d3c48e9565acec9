"""The analytic scenarios as shipped: their books are reproduced, their comments are true."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import sim
from tests.analytic.bench import ANALYTIC

FALLS = {  # market: closed form of the file's comment, what 1,000 accounts may be off by
    "linear-cascade": {"one/X": (0.1, 0.00101)},
    "square-root-cascade": {"one/X": (0.0523607, 2.2e-4)},
    "pareto-leverage": {"one/X": (0.138197, 0.0023)},
    "pareto-leverage-margin": {"one/X": (0.169251, 8e-4)},
    "cross-impact": {"a/X": (0.028902, 5e-4), "b/X": (0.010405, 4e-4)},
    "arbitrage": {"a/X": (0.084757, 0.002), "b/X": (0.004854, 3e-4)},
    "cross-margin": {"one/X": (0.036667, 2e-4), "one/Y": (0.026667, 2e-4)},
    "leverage-targeting": {"one/X": (0.0245683, 5e-8)},
    "two-banks": {"regulator/SEC": (1.0 - 0.987317, 1e-6), "regulator/LOANS-A": (0.2, 1e-12)},
    "impact-laws": {"one/KYLE": (0.51, 1e-12), "one/DECAY": (0.01 + 0.05 * 2**-5.9, 1e-12)},
}


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_books", ANALYTIC / "make_books.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["make_books"] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["make_books"]
    return module


def test_the_script_writes_the_committed_books_byte_for_byte(tmp_path: Path) -> None:
    script().write_books(tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_bytes() for path in (ANALYTIC / "books").iterdir()}
    assert sorted(written) == sorted(committed)
    assert [name for name in written if written[name] != committed[name]] == []


def test_every_analytic_scenario_has_its_closed_form_here() -> None:
    assert {path.stem for path in ANALYTIC.glob("*.yaml")} == set(FALLS)


@pytest.mark.parametrize("name", sorted(FALLS))
def test_shipped_scenario_ends_where_its_comment_says(name: str) -> None:
    text = (ANALYTIC / f"{name}.yaml").read_text(encoding="utf-8")
    assert re.search(rf"^name: {name}$", text, flags=re.MULTILINE)
    result = sim.run(sim.load(ANALYTIC / f"{name}.yaml"), check=True)
    for market, (closed, within) in FALLS[name].items():
        facts = result.summary["markets"][market]
        found = 1.0 - facts["final_price"] / facts["initial_price"]
        assert found == pytest.approx(closed, abs=within)
    assert result.summary["conservation_error"] < 1e-9
