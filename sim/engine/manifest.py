"""What a run was: enough to run it again and compare."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.core.version import code_version
from sim.kernels import backend
from sim.schema import file_digests, resolved, scenario_id

if TYPE_CHECKING:
    from sim.agents import TraderPlan
    from sim.engine.world import World
    from sim.schema import Scenario

LIBRARIES = (
    "numpy", "pandas", "networkx", "mesa", "scipy", "numba", "duckdb", "matplotlib", "pydantic",
)  # fmt: skip


@cache
def _library_versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "missing"
    return versions


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that results may depend on."""
    return dict(_library_versions())


def git_state(folder: Path) -> dict[str, Any]:
    """Return commit and dirty flag of the repository that holds the code, if it is one.

    They are asked for once: what a process runs is the code as it was when it began.
    """
    return dict(_git_state(folder))


@cache
def _git_state(folder: Path) -> dict[str, Any]:
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        dirty = bool(_git(folder, "status", "--porcelain", "--", "sim"))
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": dirty}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def build_manifest(
    scenario: Scenario,
    seed: int,
    run_id: str,
    world: World,
    wall_seconds: float,
    traders: Sequence[TraderPlan],
) -> dict[str, Any]:
    """Return the manifest of a run; digests of the outputs are added when it is saved."""
    return {
        "manifest_version": 1,
        "run_id": run_id,
        "scenario_id": scenario_id(scenario),
        "seed": seed,
        "code_version": code_version(),
        "scenario": resolved(scenario),
        "source": {
            "file": scenario.source.file,
            "base_dir": str(scenario.source.base_dir.resolve()),
            "files": file_digests(scenario),
        },
        "check": world.checked,
        "handwritten_traders": [plan.name for plan in traders],
        "shocks": world.exogenous.marks(),
        "population": [
            {
                "name": roster.name,
                "traders": roster.traders,
                "accounts": roster.accounts,
                "leverage_capped": roster.capped,
                "topped_up": roster.topped_up,
            }
            for roster in world.rosters
        ],
        "kernel_backend": backend(),
        "versions": library_versions(),
        "platform": platform.platform(),
        "git": git_state(Path(__file__).resolve().parent),
        "wall_seconds": wall_seconds,
        "outputs": {},
    }
