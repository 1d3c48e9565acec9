from __future__ import annotations

import json

import pytest

import sim.engine
from tests.cli.command import invoke


def test_doctor_is_content_here() -> None:
    result = invoke("doctor", "--json")
    assert result.exit_code == 0, result.stdout
    document = json.loads(result.stdout)
    assert document["ok"] is True
    assert document["backend"] in ("numba", "numpy")
    assert document["self_test"]
    wanted = ("python", "liqsim", "numpy", "pandas", "networkx", "mesa", "numba", "duckdb")
    assert {*wanted, "matplotlib"} <= set(document["versions"])


def test_doctor_for_a_human() -> None:
    result = invoke("doctor")
    assert result.exit_code == 0
    assert "self-test" in result.stdout
    assert "FAILED" not in result.stdout


def _fails() -> list[tuple[str, bool, str]]:
    return [("sums", True, ""), ("conservation", False, "1e-3 off")]


def _breaks() -> list[tuple[str, bool, str]]:
    raise OSError("libgomp is missing")


@pytest.mark.parametrize("self_test", [_fails, _breaks])
def test_a_failing_self_test_is_exit_1(monkeypatch: pytest.MonkeyPatch, self_test: object) -> None:
    monkeypatch.setattr(sim.engine, "self_test", self_test)
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "FAILED" in result.stdout
    document = json.loads(invoke("doctor", "--json").stdout)
    assert document["ok"] is False
