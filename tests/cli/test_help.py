from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.cli.command import ROOT, invoke, start

VERBS = (
    "run", "validate", "margin", "whatif", "list", "show", "cascade", "replay", "schema", "doctor",
)  # fmt: skip
HEAVY = ("numpy", "pandas", "numba", "mesa", "matplotlib", "networkx", "duckdb", "pydantic", "rich")


def test_help_answers_in_half_a_second() -> None:
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        assert start("--help").returncode == 0
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) < 0.5


def test_help_imports_nothing_heavy() -> None:
    program = f"import sys, sim.cli.main; print([x for x in {HEAVY} if x in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True
    )
    assert found.stdout.strip() == b"[]"


def test_help_names_every_verb_and_the_exit_codes() -> None:
    text = invoke("--help").stdout
    for verb in VERBS:
        assert f"\n  {verb} " in text
    assert "5 replay mismatch" in text
    assert "..." not in text.split("Commands:")[1]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    result = invoke(verb, "--help")
    assert result.exit_code == 0
    assert f"Usage: liqsim {verb}" in result.stdout


def test_no_arguments_show_the_help_and_are_a_usage_error() -> None:
    result = invoke()
    assert result.exit_code == 2
    assert "Commands:" in result.output
