"""The Makefile: its targets, and which Python it takes."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.files import ROOT

TARGETS = ("install", "run", "test", "slow", "lint", "bench", "clean", "help")
CANDIDATES = ("python3.13", "python3.12", "python3.11", "python3", "python")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def make(
    *arguments: str, cwd: Path = ROOT, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run make as from a new shell, optionally with one more folder in front of PATH."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PYTHON", "SCENARIO"}
    }
    if path is not None:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def script(folder: Path, name: str, body: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with a blank in its name and what `make` reads, but no environment."""
    folder = tmp_path / "fresh clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder of pythons that exist and fail, as the shims of a version manager do."""
    folder = tmp_path / "shims"
    folder.mkdir()
    for name in CANDIDATES:
        script(folder, name, "echo 'command not found' >&2; exit 127")
    return folder


@pytest.mark.parametrize("target", TARGETS)
def test_target_exists_and_is_explained(target: str, clone: Path) -> None:
    done = make("-n", target, cwd=clone)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"^  {target} +\w", make("help", cwd=clone).stdout, flags=re.MULTILINE)


def test_a_bare_make_only_helps(clone: Path) -> None:
    assert make(cwd=clone).stdout == make("help", cwd=clone).stdout
    assert not (clone / ".venv").exists()


def test_run_starts_the_first_scenario_with_runtime_parts_only(clone: Path) -> None:
    recipe = make("-n", "run", cwd=clone).stdout
    assert '.venv/bin/liqsim run "scenarios/october-2025.yaml"' in recipe
    assert "-c constraints.txt -e .\n" in recipe
    assert "[dev]" not in recipe


def test_a_python_that_exists_but_fails_is_passed_over(broken: Path, clone: Path) -> None:
    script(broken, "python3", f'exec "{sys.executable}" "$@"')
    done = make("which-python", cwd=clone, path=broken)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "python3"


def test_without_a_python_one_line_says_what_to_do(broken: Path, clone: Path) -> None:
    done = make("install", cwd=clone, path=broken)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1
    assert "Python 3.11 or newer" in said[0]
    assert not (clone / ".venv").exists()


def test_the_callers_python_is_the_only_candidate(broken: Path, clone: Path) -> None:
    taken = make("which-python", f"PYTHON={sys.executable}", cwd=clone, path=broken)
    assert taken.stdout.strip() == sys.executable
    refused = make("which-python", "PYTHON=no-such-python", cwd=clone)
    assert refused.returncode != 0
    assert "no-such-python" in refused.stderr


def test_an_environment_that_works_is_installed_into_once(clone: Path) -> None:
    binaries = clone / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "activate").write_text(f"VIRTUAL_ENV='{clone.resolve()}/.venv'\n", encoding="utf-8")
    log = clone / "log"
    script(binaries, "python", f'echo "$@" >> "{log}"')
    for _ in range(2):
        assert make("install", cwd=clone).returncode == 0
    assert log.read_text(encoding="utf-8").count("pip --disable") == 1
    os.utime(clone / "constraints.txt", (2**31, 2**31))
    assert make("install", cwd=clone).returncode == 0
    assert log.read_text(encoding="utf-8").count("pip --disable") == 2


def test_an_environment_of_another_folder_is_not_trusted(clone: Path) -> None:
    binaries = clone / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "activate").write_text("VIRTUAL_ENV=elsewhere\n", encoding="utf-8")
    for stamp in (".installed-runtime", ".installed-dev"):
        (clone / ".venv" / stamp).touch()
    assert "-m venv .venv" in make("-n", "run", cwd=clone).stdout


def test_continuous_integration_runs_the_linters_and_the_tests_last() -> None:
    file = ROOT / ".ci" / "run"
    assert os.access(file, os.X_OK)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert "set -euo pipefail" in lines
    commands = [line for line in lines if line.startswith("make")]
    assert [command.split()[-1] for command in commands] == ["lint", "test"]
    assert lines[-1] == commands[-1]
