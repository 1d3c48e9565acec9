"""A program that is killed at any moment: nothing is lost, nothing done twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from sim.experiments.sweep import sweep
from tests.cli.command import ROOT
from tests.experiments.base import untimed, write


def command(file: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """Start a sweep as a process, the leader of a group that its workers belong to."""
    return subprocess.Popen(
        [sys.executable, "-m", "sim", "sweep", str(file), "--out", str(out), *more],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def whole_lines(out: Path) -> list[str]:
    """Return the lines of a journal that are complete."""
    path = out / "falls" / "journal.jsonl"
    if not path.exists():
        return []
    return [line for line in path.read_text("utf-8").splitlines(keepends=True) if line[-1] == "\n"]


def wait_for(out: Path, lines: int, process: subprocess.Popen[str]) -> None:
    """Wait until a process has written more lines, or has ended."""
    deadline = time.monotonic() + 120
    while len(whole_lines(out)) < lines and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def kill_repeatedly(tmp_path: Path, moments: int, workers: str) -> None:
    """Kill a sweep again and again, then let it end, and compare."""
    file, out = write(tmp_path, replications=6), tmp_path / "killed"
    chance = random.Random(workers)
    for moment in range(moments):
        before = whole_lines(out)
        process = command(file, out, "--workers", workers)
        wait_for(out, len(before) + chance.randrange(1, 4), process)
        time.sleep(chance.random() * 0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert whole_lines(out)[: len(before)] == before, moment
    kept = whole_lines(out)
    assert len(kept) >= moments
    process = command(file, out, "--workers", workers)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    lines = whole_lines(out)
    assert lines[: len(kept)] == kept
    runs = [(row["cell"], row["replication"]) for row in map(json.loads, lines)]
    assert len(runs) == len(set(runs)) == 24
    undisturbed = sweep(file, out=tmp_path / "undisturbed", workers=1)
    again = sweep(file, out=out, workers=1)
    assert again.done_before == 24
    pd.testing.assert_frame_equal(untimed(again.frame), untimed(undisturbed.frame))


def test_killed_again_and_again_in_one_process(tmp_path: Path) -> None:
    kill_repeatedly(tmp_path, 2, "1")


@pytest.mark.slow
def test_killed_again_and_again_with_workers(tmp_path: Path) -> None:
    kill_repeatedly(tmp_path, 6, "2")


def test_workers_end_with_a_program_that_is_killed(tmp_path: Path) -> None:
    """Nobody is left behind that would wait for work for ever."""
    file, out = write(tmp_path, replications=500), tmp_path / "out"
    process = command(file, out, "--workers", "2")
    wait_for(out, 2, process)
    process.kill()
    process.communicate(timeout=60)  # which waits for all that hold its output open


def test_an_interruption_keeps_what_is_finished(tmp_path: Path, listening: None) -> None:
    """Ctrl-C: exit code 130, one message with the number of runs, and the command goes on."""
    file, out = write(tmp_path, replications=50), tmp_path / "out"
    process = command(file, out, "--workers", "1")
    wait_for(out, 2, process)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    kept = len(whole_lines(out))
    assert kept >= 2
    assert (
        f"interrupted; {kept} of 200 runs are kept in {out}/falls, the same command goes on" in told
    )
    assert "Traceback" not in told


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    file, out = write(tmp_path, replications=200), tmp_path / "out"
    first = command(file, out, "--workers", "1")
    try:
        wait_for(out, 1, first)
        second = command(file, out, "--workers", "1")
        _, told = second.communicate(timeout=60)
        assert second.returncode == 1
        assert "is being written by another process" in told
        assert first.poll() is None
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
