"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sim.core.version import code_version


def machine() -> dict[str, Any]:
    """Return the machine, the versions and the time, JSON-able."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_bytes": memory(),
        "load_average": load_average(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "numba", "mesa", "duckdb")},
        "liqsim": code_version(),
    }


def processor() -> str:
    """Return the model of the processor as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def memory() -> int | None:
    """Return the memory of the machine [bytes], where the system says."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def load_average() -> float | None:
    """Return how many processes wanted a core over the last minute, before the first figure."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None
