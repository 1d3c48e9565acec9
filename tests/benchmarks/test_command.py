"""The command of the benchmarks: options, table, file."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import catalogue
from benchmarks.catalogue import BENCHMARKS, QUICK, Details, Sizes
from benchmarks.figures import Figure, slope, write
from benchmarks.machine import machine
from benchmarks.measure import JobError, Stopwatch, run_job
from benchmarks.places import LATEST, ROOT


def test_a_figure_says_whether_it_meets_its_target() -> None:
    assert Figure("b", "time", 2.0, "s", 2.0).met is True
    assert Figure("b", "time", 2.1, "s", 2.0).met is False
    assert Figure("b", "ratio", 2.1, "1", 2.0, at_most=False).met is True
    assert Figure("b", "ratio", 1.9, "1", 2.0, at_most=False).met is False
    assert Figure("b", "only told", 1.9, "1").met is None
    assert Figure("b", "time", math.nan, "s", 2.0).met is False


def test_the_slope_of_a_power_law_is_its_exponent() -> None:
    sizes = [10.0, 100.0, 1000.0]
    assert slope(sizes, [3.0 * size**0.3 for size in sizes]) == pytest.approx(0.3)
    # Least squares by hand: u = -1, 0, 1 decades and v = 0, 0, 1 give (1 - 0) / 2.
    assert slope(sizes, [1.0, 1.0, 10.0]) == pytest.approx(0.5)


def test_the_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "new" / "latest.json"
    about = machine()
    write(place, [Figure("b", "time", 2.1, "s", 2.0)], {"b": {"raw": [1]}}, about, False)
    read = json.loads(place.read_text(encoding="utf-8"))
    assert read["figures"][0]["met"] is False
    assert read["machine"] == about
    assert read["details"] == {"b": {"raw": [1]}}
    with pytest.raises(TypeError):
        write(place, [], {"b": object()}, about, True)
    assert json.loads(place.read_text(encoding="utf-8")) == read
    assert [path.name for path in place.parent.iterdir()] == ["latest.json"]


def test_the_machine_is_described() -> None:
    about = machine()
    assert {"processor", "cores", "memory_bytes", "python", "numpy", "numba", "liqsim"} < set(about)
    assert about["processor"]
    json.dumps(about)


def test_memory_is_in_bytes() -> None:
    # In a process of its own, since a peak never falls.
    program = (
        "from benchmarks.measure import peak_memory; before = peak_memory(); "
        "held = bytearray(b'x') * (200 << 20); print(peak_memory() - before)"
    )
    call = [sys.executable, "-c", program]
    done = subprocess.run(call, capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(done.stdout) == pytest.approx(200 << 20, rel=0.5)


def test_the_stopwatch_leaves_out_what_comes_before_the_first_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter([10.0, 11.0, 14.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    watch = Stopwatch()
    for done in (50, 60, 90):
        watch(done, 90)
    assert watch.seconds_per_tick == pytest.approx(0.1)


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(["b1", "b99"])
    assert left.value.code == 2
    assert "unknown benchmark 'b99'; there are b1, " in capsys.readouterr().err


def test_a_failed_benchmark_is_told_and_the_others_still_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(sizes: Sizes) -> tuple[list[Figure], Details]:
        raise JobError("no such thing")

    def works(sizes: Sizes) -> tuple[list[Figure], Details]:
        assert sizes is QUICK
        return [Figure("b2", "time", 9.0, "s", 2.0)], {}

    monkeypatch.setitem(BENCHMARKS, "b1", breaks)
    monkeypatch.setitem(BENCHMARKS, "b2", works)
    place = tmp_path / "out.json"
    assert command.main(["b2", "b1", "--quick", "--output", str(place)]) == 1
    read = json.loads(place.read_text(encoding="utf-8"))
    assert read["quick"] is True
    assert read["details"]["b1"] == {"failed": "no such thing"}
    assert [(f["benchmark"], f["met"]) for f in read["figures"]] == [("b2", None)]
    printed = capsys.readouterr()
    assert "b1 failed: no such thing" in printed.err
    assert "targets are not judged" in printed.out
    assert command.main(["b2", "--quick", "--output", str(place)]) == 0


def test_a_job_that_fails_says_why() -> None:
    with pytest.raises(JobError, match="unexpected keyword argument 'size'"):
        run_job("build", size=3)


def test_memory_of_a_run_is_judged_by_accounts_and_positions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def measured(name: str, accounts: int, seconds: int) -> dict[str, float]:
        return {
            "accounts": accounts, "positions": 3.5 * accounts, "accounts_liquidated": accounts / 10,
            "wall_seconds": 1.0, "peak_bytes": 1e8 + 300.0 * accounts,
        }  # fmt: skip

    monkeypatch.setattr(catalogue, "run_job", measured)
    figures = {figure.name: figure for figure in catalogue.b1(catalogue.FULL)[0]}
    assert figures["memory above a small run"].measured == pytest.approx(300.0)
    assert figures["memory above a small run"].target == 340.0
    assert figures["accounts liquidated"].met is True


def test_results_are_not_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert f"/{LATEST.parent.relative_to(ROOT).as_posix()}/" in ignored


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_command_runs_every_benchmark(tmp_path: Path) -> None:
    place = tmp_path / "latest.json"
    # Runs that are timed are not checked after every phase.
    environment = {name: value for name, value in os.environ.items() if name != "LIQSIM_CHECK"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--output", str(place)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=800,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    read = json.loads(place.read_text(encoding="utf-8"))
    assert {figure["benchmark"] for figure in read["figures"]} == set(BENCHMARKS)
    assert all(math.isfinite(figure["measured"]) for figure in read["figures"])
