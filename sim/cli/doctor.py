"""``liqsim doctor``: whether the installation is sound."""

from __future__ import annotations

import platform
import time

import typer

from sim.cli.guard import RUN_FAILED
from sim.cli.options import Json

PACKAGES = (
    "liqsim",
    "numpy",
    "pandas",
    "scipy",
    "networkx",
    "mesa",
    "numba",
    "duckdb",
    "matplotlib",
    "pydantic",
    "typer",
    "rich",
)
"""Distributions whose versions are reported."""


def doctor(as_json: Json = False) -> None:
    """Check the installation: versions, kernels, a short self-test."""
    from sim.cli.console import emit, emit_json, emit_table

    versions = {"python": platform.python_version(), **_versions()}
    started = time.perf_counter()
    checks = _self_test()
    seconds = time.perf_counter() - started
    sound = all(passed for _, passed, _ in checks)
    if as_json:
        tests = [{"name": name, "ok": ok, "detail": detail} for name, ok, detail in checks]
        report = {"ok": sound, "versions": versions, "platform": platform.platform()}
        emit_json({**report, "backend": _backend(), "self_test": tests, "seconds": seconds})
    else:
        rows = [(name, version or "missing") for name, version in versions.items()]
        rows += [("platform", platform.platform()), ("kernels", _backend())]
        emit_table(None, ("what", "version"), rows, left=2)
        tests_shown = [(name, "ok" if ok else "FAILED", detail) for name, ok, detail in checks]
        emit_table("self-test", ("check", "result", "detail"), tests_shown, left=3)
        emit(f"{'ok' if sound else 'FAILED'} in {seconds:.1f} s\n")
    if not sound:
        raise typer.Exit(RUN_FAILED)


def _versions() -> dict[str, str | None]:
    """Return the version of each package, None where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _self_test() -> list[tuple[str, bool, str]]:
    """Return (name, passed, detail) of each check; one that cannot run has failed."""
    try:
        from sim.engine import self_test

        return list(self_test())
    except Exception as error:  # noqa: BLE001  # whatever is broken here is the finding
        return [("self-test", False, f"{type(error).__name__}: {error}")]


def _backend() -> str:
    """Return what the kernels run on."""
    from sim.kernels import backend

    return backend()
