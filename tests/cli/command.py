"""Running the command in tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner, Result

from sim.cli.main import app

ROOT = Path(__file__).resolve().parents[2]

SMALL = """\
schema_version: 1
name: small
description: Two venues, forty accounts, one fall.
seed: 7
clock: {tick: 1s, horizon: 20s}
assets:
  USDT: {price: 1.0}
  BTC: {price: 100_000, volatility: 0.5}
venues:
  alpha:
    margin: {kind: cross, initial_rate: 0.02, maintenance_rate: 0.01}
    liquidation: {kind: full, latency: 1s, fee_bps: 10}
    waterfall: [{kind: insurance_fund, size: 1e5}, {kind: adl}, {kind: socialise}]
  beta:
    margin: {kind: cross, initial_rate: 0.02, maintenance_rate: 0.01}
    waterfall: [{kind: insurance_fund, size: 1e5}, {kind: adl}, {kind: socialise}]
markets:
  - {venue: alpha, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {kind: linear, depth: 1e7}}
  - {venue: beta, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {kind: linear, depth: 1e7}}
traders:
  - cohort: retail
    count: 40
    venues: {alpha: 0.5, beta: 0.5}
    equity: {dist: uniform, min: 1000, max: 20000}
    leverage: {dist: uniform, min: 2, max: 20}
    long_share: 0.7
shocks:
  - {kind: jump, at: 5s, asset: BTC, return: -0.08}
"""


def invoke(*arguments: str | Path) -> Result:
    """Run the command inside this process."""
    return CliRunner(env={"COLUMNS": None}).invoke(
        app, [str(argument) for argument in arguments], prog_name="liqsim"
    )


def start(
    *arguments: str | Path, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "sim", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def small(folder: Path, **replaced: str) -> Path:
    """Write the small scenario, with pieces of its text replaced, and return its path."""
    text = SMALL
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    file = folder / "small.yaml"
    file.write_text(text, encoding="utf-8")
    return file
