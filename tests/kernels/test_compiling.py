"""Where compiled kernels are kept, and that code of another version is never loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sim.kernels import compiling
from sim.kernels.compiling import backend, cache_folder, slow_backend, sources_digest

ROOT = Path(__file__).parents[2]


def test_the_digest_follows_every_source_and_the_versions(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text("y = 1\n")
    first = sources_digest(tmp_path, "1.0")
    assert first == sources_digest(tmp_path, "1.0")
    assert first != sources_digest(tmp_path, "1.1")
    (tmp_path / "b.py").write_text("y = 2\n")
    second = sources_digest(tmp_path, "1.0")
    assert second != first
    (tmp_path / "c.py").write_text("")
    assert sources_digest(tmp_path, "1.0") not in (first, second)


def folder_with(monkeypatch, **settings):
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    cache_folder.cache_clear()
    try:
        return cache_folder()
    finally:
        cache_folder.cache_clear()


def test_the_cache_is_beside_the_kernels_or_where_the_user_says(monkeypatch, tmp_path):
    beside = folder_with(monkeypatch)
    assert beside.parent == ROOT / "sim" / "kernels" / "__pycache__"
    given = folder_with(monkeypatch, NUMBA_CACHE_DIR=tmp_path / "mine")
    assert given == tmp_path / "mine" / beside.name


def test_where_nothing_can_be_written_kernels_compile_without_a_cache(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    assert folder_with(monkeypatch, NUMBA_CACHE_DIR=tmp_path / "file") is None


def test_a_run_without_numba_says_so(monkeypatch):
    assert backend() == "numba"
    assert slow_backend() is None
    monkeypatch.setattr(compiling, "HAS_NUMBA", False)
    monkeypatch.delenv(compiling.PLAIN, raising=False)
    assert backend() == "numpy"
    assert "pip install numba" in slow_backend()
    monkeypatch.setenv(compiling.PLAIN, "1")
    assert "LIQSIM_NUMPY=1" in slow_backend()


LOOK = """
import numpy as np
import sim, sim.kernels.radius
from sim.engine.build import build_world
from sim.engine.watch import DueWatch
world = build_world(sim.load("world.yaml"), 1)
watch = DueWatch(world, np.empty(0))
watch.scan()
print(watch.levels.level.tolist())
"""

WORLD = """
schema_version: 1
name: cache
clock: {tick: 1s, horizon: 2s}
assets: {USD: {price: 1}, X: {price: 1}}
venues: {one: {margin: {kind: cross, maintenance_rate: 0.01}}}
markets:
  - {venue: one, symbol: X-PERP, kind: perpetual, base: X, quote: USD, impact: {kind: none}}
traders:
  - {cohort: longs, count: 4, venues: {one: 1}, long_share: 1,
     equity: {dist: constant, value: 1}, leverage: {dist: constant, value: 2}}
"""


@pytest.mark.slow
def test_changing_a_kernel_that_another_file_calls_changes_what_is_computed(tmp_path):
    shutil.copytree(ROOT / "sim", tmp_path / "sim", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "world.yaml").write_text(WORLD)

    def levels():
        command = [sys.executable, "-c", LOOK]
        environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    before = levels()
    assert levels() == before
    source = tmp_path / "sim" / "kernels" / "radius.py"
    text = source.read_text()
    # A radius a quarter as large: two more halvings, four levels lower.
    changed = text.replace("        radius[i] = least\n", "        radius[i] = 0.25 * least\n")
    assert changed != text
    source.write_text(changed)
    first = eval_list(before)
    assert eval_list(levels()) == [level - 4 for level in first]


def eval_list(text):
    return [int(part) for part in text.strip().strip("[]").split(",")]
