"""``liqsim reverse`` and ``liqsim optimise`` as a user meets them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import ROOT, invoke, start
from tests.experiments.fakes import written

FALL = """
name: total-default
factors: [{path: shocks.0.return, name: fall, range: [-0.3, 0]}]
metrics: [accounts_liquidated]
reverse: {condition: accounts_liquidated == accounts, tolerance: 0.01}
"""
BEST = """
name: cheap
replications: 2
factors:
  - {path: markets.0.impact.coefficient, name: k, range: [0.1, 0.4]}
  - {path: venues.one.margin.maintenance_rate, name: rate, values: [0, 0.01]}
metrics: [accounts_liquidated]
optimise:
  objectives: [{minimise: mean(accounts_liquidated), name: sold}, {maximise: mean(k)}]
  trials: 6
  population: 3
  finalists: 1
"""


def figures_of(folder: Path, name: str) -> None:
    """Check that both pictures are there and the vector one carries no date."""
    assert (folder / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    assert "<dc:date>" not in (folder / f"{name}.svg").read_text(encoding="utf-8")


def test_the_table_names_the_point_its_share_and_what_speaks_against_it(tmp_path: Path) -> None:
    result = invoke("reverse", written(tmp_path, FALL), "--out", tmp_path, "--workers", 1)
    assert result.exit_code == 0, result.stderr
    assert "accounts_liquidated == accounts   found    -0.1" in result.stdout
    assert "1 (0.025 to 1)" in result.stdout
    assert "no interval: it takes 6 replications, there are 1" in result.stderr
    figures_of(tmp_path / "total-default", "reverse")


def test_a_factor_that_keeps_a_word_is_no_column(tmp_path: Path) -> None:
    fixed = "factors: [{path: clock.horizon, name: long, values: [2s]}, "
    file = written(tmp_path, FALL.replace("factors: [", fixed))
    result = invoke("reverse", file, "--out", tmp_path, "--workers", 1)
    assert result.exit_code == 0, result.stderr
    assert "long" not in result.stdout
    kept = json.loads((tmp_path / "total-default" / "reverse.json").read_text(encoding="utf-8"))
    assert kept["answers"][0]["point"]["long"] == "2s"


def test_one_json_document_and_nothing_else(tmp_path: Path) -> None:
    file = written(tmp_path, FALL)
    result = invoke("reverse", file, "--out", tmp_path, "--workers", 1, "--json", "-q")
    document = json.loads(result.stdout)
    assert result.stderr == ""
    (answer,) = document["answers"]
    assert answer["status"] == "found"
    assert -0.103 <= answer["point"]["fall"] <= -0.0995
    assert answer["interval"] == [None, None]
    assert document["done_before"] == 0
    kept = json.loads((tmp_path / "total-default" / "reverse.json").read_text(encoding="utf-8"))
    assert kept["answers"] == document["answers"]
    table = invoke("query", tmp_path / "total-default", "SELECT count(*) AS n FROM runs", "--json")
    assert json.loads(table.stdout) == [{"n": document["runs"]}]
    again = invoke("reverse", file, "--out", tmp_path, "--workers", 1, "--json", "-q")
    assert json.loads(again.stdout)["done_before"] == document["runs"]
    assert json.loads(again.stdout)["answers"] == document["answers"]


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    file = written(tmp_path, FALL)
    one = invoke("reverse", file, "--out", tmp_path / "one", "--workers", 1, "--json", "-q")
    two = invoke("reverse", file, "--out", tmp_path / "two", "--workers", 2, "--json", "-q")
    assert json.loads(two.stdout)["answers"] == json.loads(one.stdout)["answers"]
    points = [tmp_path / name / "total-default" / "points.jsonl" for name in ("one", "two")]
    assert points[0].read_bytes() == points[1].read_bytes()


def test_a_value_set_for_all_runs_moves_the_answer(tmp_path: Path) -> None:
    """All are sold beyond Theta (1 - lambda / Theta): 0.2 for lambda 0.3."""
    file = written(tmp_path, FALL)
    setting = ("--set", "markets.0.impact.coefficient=0.3")
    result = invoke("reverse", file, "--out", tmp_path, "--workers", 1, "--json", "-q", *setting)
    assert json.loads(result.stdout)["answers"][0]["size"] == pytest.approx(-0.2, abs=0.004)


def test_the_best_settings_with_intervals_in_a_table(tmp_path: Path) -> None:
    file = written(tmp_path, BEST)
    result = invoke("optimise", file, "--out", tmp_path, "--workers", 1)
    assert result.exit_code == 0, result.stderr
    assert "sold" in result.stdout.splitlines()[1]
    assert "undominated" in result.stdout
    figures_of(tmp_path / "cheap", "optimise")
    again = invoke("optimise", file, "--out", tmp_path, "--workers", 1, "--json", "-q")
    document = json.loads(again.stdout)
    assert document["done_before"] == document["runs"]
    assert document["tried"] == 6
    for finalist in document["finalists"]:
        # nothing is random in this world
        for found in finalist["objectives"].values():
            assert found["fresh"]["value"] == found["in_search"]["value"]


@pytest.mark.parametrize(
    ("verb", "old", "new", "message"),
    [
        ("reverse", "accounts_liquidated ==", "acounts ==", "did you mean 'accounts'"),
        ("reverse", "tolerance: 0.01", "probability: 2", "a number below 1"),
        ("reverse", "range: [-0.3, 0]", "values: [a, b]", "which can be halved"),
        ("optimise", "reverse:", "optimise:", "unknown key 'condition'"),
        ("optimise", "", "", "optimise: found nothing"),
    ],
)
def test_mistakes_are_told_with_their_place(
    tmp_path: Path, verb: str, old: str, new: str, message: str
) -> None:
    file = written(tmp_path, FALL.replace(old, new) if old else FALL)
    result = invoke(verb, file, "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert message in result.stderr
    assert f"{file}:" in result.stderr
    assert "Traceback" not in result.stderr


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sim.experiments.reverse as module
    from sim.experiments.task import perform

    count = [0]

    def interrupted(task: Any) -> Any:
        count[0] += 1
        if count[0] == 4:
            raise KeyboardInterrupt
        return perform(task)

    search = module.reverse

    def cut(*arguments: Any, **settings: Any) -> Any:
        return search(*arguments, **{**settings, "perform": interrupted})

    file = written(tmp_path, FALL)
    with monkeypatch.context() as patched:
        patched.setattr(module, "reverse", cut)
        result = invoke("reverse", file, "--out", tmp_path, "--workers", 1)
    assert result.exit_code == 130
    assert "interrupted; 3 runs are kept in" in result.stderr
    again = invoke("reverse", file, "--out", tmp_path, "--workers", 1, "--json", "-q")
    assert json.loads(again.stdout)["done_before"] == 3


@pytest.mark.slow
def test_a_killed_search_goes_on(tmp_path: Path) -> None:
    file = written(tmp_path, FALL)
    command = [sys.executable, "-m", "sim", "reverse", str(file), "--workers", "1", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path)], env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    journal = tmp_path / "total-default" / "journal.jsonl"
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") >= 3:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.005)
    assert process.wait() == -signal.SIGKILL
    whole = start("reverse", file, "--workers", "1", "--json", "--out", tmp_path / "whole")
    resumed = start("reverse", file, "--workers", "1", "--json", "--out", tmp_path)
    assert json.loads(resumed.stdout)["done_before"] >= 3
    assert json.loads(resumed.stdout)["answers"] == json.loads(whole.stdout)["answers"]
