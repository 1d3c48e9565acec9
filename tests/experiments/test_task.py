"""A run of an experiment leaves its row behind and nothing else."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.engine.world import World
from sim.experiments.task import Task, perform
from tests.experiments.base import plan


def _worlds() -> int:
    return sum(isinstance(found, World) for found in gc.get_objects())


@pytest.fixture
def never() -> Iterator[None]:
    """Let garbage pile up, as nearly happens in the command, which seldom looks for it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("never")
def test_the_world_of_a_run_is_gone_after_it(tmp_path: Path) -> None:
    made = plan(tmp_path)
    before = _worlds()
    for cell in made.cells[:3]:
        row = perform(Task(made.base, cell.overrides, cell.number, 0, made.seed, ()))
        assert row["status"] == "ok"
        assert _worlds() == before
