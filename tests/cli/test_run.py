from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import sim
from sim.engine.figure_names import known_figures
from tests.cli.command import ROOT, invoke, small, start


def _run(folder: Path, *options: str) -> tuple[int, dict[str, object], str]:
    result = invoke("run", small(folder), "--out", folder / "out", "--json", *options)
    return result.exit_code, json.loads(result.stdout) if result.stdout else {}, result.stderr


def test_json_is_the_summary_and_where_it_lies(tmp_path: Path) -> None:
    code, document, errors = _run(tmp_path)
    assert code == 0
    assert errors == "running small: 20 ticks, seed 7\n"
    folder = Path(str(document["folder"]))
    assert folder.parent == tmp_path / "out" / "small"
    assert document["run_id"] == folder.name
    assert document["accounts"] == 40
    assert document["seed"] == 7
    saved = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert {key: document[key] for key in saved} == saved
    figures = document["figures"]
    assert isinstance(figures, list)
    assert {Path(path).suffix for path in figures} == {".png", ".svg"}
    assert all(Path(path).is_file() for path in figures)


def test_tables_for_a_human(tmp_path: Path) -> None:
    result = invoke(
        "run", small(tmp_path), "--out", tmp_path / "out", "--quiet", "--check", "--no-figures"
    )
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    for word in ("liquidated_notional", "alpha/BTC-PERP", "max_drawdown", "beta"):
        assert word in result.stdout
    folder = result.stdout.split("results: ")[1].splitlines()[0]
    assert (Path(folder) / "manifest.json").is_file()
    assert "figure:" not in result.stdout


def test_the_seed_and_set_reach_the_run(tmp_path: Path) -> None:
    first = _run(tmp_path, "--no-figures", "--seed", "11")[1]
    again = _run(tmp_path, "--no-figures", "--seed", "11", "--check")[1]
    other = _run(tmp_path, "--no-figures", "--set", "traders.0.count=30")[1]
    assert first["seed"] == 11
    assert first["liquidated_notional"] == again["liquidated_notional"]
    assert other["accounts"] == 30


@pytest.mark.parametrize(
    ("gate", "code"),
    [
        ("accounts > 1", 4),
        ("accounts < 1", 0),
        ("markets.alpha/BTC-PERP.max_drawdown > 5%", 4),
        ("venues.beta.shortfall < 0 or generations < 0", 0),
    ],
)
def test_fail_if_decides_the_exit_code(tmp_path: Path, gate: str, code: int) -> None:
    found, document, errors = _run(tmp_path, "--no-figures", "--fail-if", gate)
    assert found == code
    assert document["fail_if"] == {"expression": gate, "breached": code == 4}
    assert ("breached" in errors) == (code == 4)


@pytest.mark.parametrize(
    ("gate", "near"),
    [
        ("acounts > 1", "accounts"),
        ("shortfall > 1 or venues.beta.shortfal > 1", "venues.beta.shortfall"),
        ("markets.alpha/BTC-PERF.min_price > 1", "markets.alpha/BTC-PERP"),
    ],
)
def test_an_unknown_figure_is_refused_before_the_run(tmp_path: Path, gate: str, near: str) -> None:
    code, document, errors = _run(tmp_path, "--no-figures", "--fail-if", gate)
    assert code == 2
    assert document == {}
    assert f"did you mean '{near}'?" in errors
    assert "running" not in errors
    assert not (tmp_path / "out").exists()


def test_the_figures_known_before_a_run_are_those_it_has(tmp_path: Path) -> None:
    scenario = sim.load(small(tmp_path))
    assert _names(sim.run(scenario).summary) == _names(known_figures(scenario))


def _names(table: Mapping[str, Any], prefix: str = "") -> set[str]:
    names = set()
    for key, value in table.items():
        inner = isinstance(value, Mapping)
        names |= _names(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}"}
    return names


def test_a_gate_without_an_answer_is_a_failure(tmp_path: Path) -> None:
    gate = "markets.alpha/BTC-PERP.amplification > 1"
    code, document, errors = _run(tmp_path, "--no-figures", "--set", "shocks=[]", "--fail-if", gate)
    assert code == 1
    assert document["fail_if"] == {"expression": gate, "breached": None}
    assert "amplification' has no value in this run" in errors


def test_a_terminal_gets_a_bar_and_a_pipe_one_line(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sim", "run", str(small(tmp_path)), "--json", "--no-figures"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    out, _ = process.communicate(timeout=120)
    os.close(ours)
    assert process.returncode == 0
    assert json.loads(out)["accounts"] == 40
    assert b"ticks" in shown
    assert b"20/20" in shown
    assert b"running small" not in shown


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, listening: None) -> None:
    out = tmp_path / "out"
    file = small(tmp_path, **{"horizon: 20s": "horizon: 20d"})
    process = subprocess.Popen(
        [sys.executable, "-m", "sim", "run", str(file), "--out", str(out)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("running small: 1,728,000 ticks")
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()  # who did not hear it would run for hours
    assert process.returncode == 130
    assert stdout == ""
    assert stderr == "interrupted; nothing was written\n"
    assert not [path for path in out.rglob("*") if path.is_file()]


def test_a_reader_that_leaves_does_not_change_the_exit_code(tmp_path: Path) -> None:
    file = small(tmp_path)
    command = f"{sys.executable} -m sim run {file} -q --no-figures --out {tmp_path}/out"
    script = f"({command} --fail-if 'accounts > 1'; echo $? >&2) | true"
    result = subprocess.run(
        ["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.stderr.splitlines()[-1] == "4"
    assert "Traceback" not in result.stderr
    assert "Broken" not in result.stderr


def test_bundled_names_work_from_any_folder(tmp_path: Path) -> None:
    options = ("--set", "clock.horizon=10s", "--set", "shocks=[]", "--no-figures", "--json")
    result = start("run", "two-venues", *options, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    folder = Path(json.loads(result.stdout)["folder"])
    assert (tmp_path / folder / "manifest.json").is_file()
