"""Where things are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""

DAY = ROOT / "benchmarks" / "scenarios" / "day.yaml"
"""The scenario of the benchmarks, at its full size."""

LATEST = ROOT / "benchmarks" / "results" / "latest.json"
"""Where the figures of a run are written."""
