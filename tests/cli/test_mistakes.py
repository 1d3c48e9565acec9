"""What a beginner gets wrong, and what the command answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

import sim.cli.bundled
from sim.cli.guard import guarded
from sim.core.errors import ReplayMismatch, RunError
from tests.cli.command import invoke, small, start


@pytest.mark.parametrize("verb", ["run", "validate", "margin"])
def test_a_missing_file_names_the_bundled_scenarios(verb: str) -> None:
    result = invoke(verb, "no-such-file.yaml")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert "no-such-file.yaml: FILE: found no such file" in result.stderr
    assert "two-venues" in result.stderr
    assert result.stderr.endswith("\n1 problem\n")


def test_a_misspelt_file_names_the_nearest(tmp_path: Path) -> None:
    file = small(tmp_path)
    assert f"did you mean '{file}'?" in invoke("validate", tmp_path / "smal.yaml").stderr
    assert "did you mean 'two-venues'?" in invoke("validate", "two-venus").stderr


def test_a_folder_is_no_scenario(tmp_path: Path) -> None:
    file = small(tmp_path)
    result = invoke("run", tmp_path)
    assert result.exit_code == 3
    assert "found a folder" in result.stderr
    assert str(file) in result.stderr


@pytest.mark.parametrize(
    ("word", "verb"), [("rnu", "run"), ("validte", "validate"), ("REPLAY", "replay")]
)
def test_a_misspelt_verb_names_the_nearest(word: str, verb: str) -> None:
    result = invoke(word, "file.yaml")
    assert result.exit_code == 2
    assert f"No such verb '{word}'. Did you mean '{verb}'?" in result.stderr
    assert "Usage:" in result.stderr


def test_a_file_without_a_verb_names_run() -> None:
    result = invoke("mine.yaml")
    assert result.exit_code == 2
    assert "'liqsim run mine.yaml'" in result.stderr


def test_a_misspelt_path_of_set_names_the_nearest(tmp_path: Path) -> None:
    path = "venues.betta.margin.maintenance_rate"
    result = invoke("run", small(tmp_path), "--set", f"{path}=0.2", "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert f"--set: {path}: " in result.stderr
    assert "did you mean 'beta'?" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_wrong_unit_names_the_units(tmp_path: Path) -> None:
    file = small(tmp_path, **{"tick: 1s": "tick: 1sec"})
    result = invoke("validate", file)
    assert result.exit_code == 3
    line = result.stderr.splitlines()[0]
    assert line.startswith(f"{file}:5:15: clock.tick: found '1sec'")
    assert "ms, s, min, h, d" in line


@pytest.mark.parametrize(
    "options",
    [
        ("--set", "clock.tick"),
        ("--set", "=1"),
        ("--seed", "-1"),
        ("--seed", "x"),
        ("--fail-if", "shortfall"),
        ("--fail-if", "shortfall >"),
        ("--fail-if", "markets.gamma/BTC-PERP.max_drawdown > 1"),
        ("--fail-if", "venues.betta.shortfall > 1"),
        ("--no-such-option",),
    ],
)
def test_wrong_options_are_usage_errors_before_the_run(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    result = invoke("run", small(tmp_path), "--out", tmp_path / "out", *options)
    assert result.exit_code == 2
    assert "Usage: liqsim run" in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "out").exists()


def test_results_cannot_go_to_a_file(tmp_path: Path) -> None:
    file = small(tmp_path)
    for out in (file, file / "below"):
        result = invoke("run", file, "--out", out)
        assert result.exit_code == 2
        assert "is a file, not a folder" in result.stderr


def _raise(error: BaseException, *, debug: bool = False) -> int:
    with pytest.raises(typer.Exit) as caught, guarded(debug):
        raise error
    return caught.value.exit_code


def test_errors_of_liqsim_are_one_line_without_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _raise(RunError("the ledger\nis empty")) == 1
    assert _raise(ReplayMismatch("prices.parquet differs")) == 5
    assert capsys.readouterr().err.splitlines() == [
        "error: the ledger is empty",
        "error: prices.parquet differs",
    ]


def test_an_unexpected_error_is_a_sentence_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert _raise(KeyError("lost")) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: KeyError: 'lost'",
        "add --debug to see the traceback",
    ]
    assert _raise(PermissionError(13, "Permission denied", "results")) == 1
    assert "error: results: Permission denied" in capsys.readouterr().err


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert _raise(KeyError("lost"), debug=True) == 1
    text = capsys.readouterr().err
    assert "Traceback" in text
    assert "--debug" not in text


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_may_stand_anywhere(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    def broken() -> None:
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(sim.cli.bundled, "bundled", broken)
    words = ["--debug", "list"] if place == "before" else ["list", "--debug"]
    result = invoke(*words)
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "Traceback" not in invoke("list").stderr


def test_an_interrupt_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert _raise(KeyboardInterrupt()) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_closed_pipe_is_quiet() -> None:
    import subprocess
    import sys

    from tests.cli.command import ROOT

    program = f"{sys.executable} -m sim schema | head -c 10"
    result = subprocess.run(
        ["sh", "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.stderr == ""
    assert result.stdout.startswith("{")


def test_no_color_and_pipes_have_no_escapes() -> None:
    result = start("list", NO_COLOR="1")
    assert result.returncode == 0
    assert "\x1b" not in result.stdout + result.stderr
