"""One world run in several ways, which must write the same tables to the last byte."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, assume, settings

import sim
from sim.engine import watch
from sim.kernels import compiling
from tests.engine.random_worlds import load

TABLES = ("liquidations", "venues", "prices", "price_causes", "cohorts", "mechanisms")

# A world is many choices, and shrinking one that fails takes minutes.
examples = partial(settings, phases=[Phase.generate], suppress_health_check=[*HealthCheck])


def play(world: dict[str, Any], folder: Path, **engine: Any) -> sim.Result:
    """Run a world with every invariant checked; a price that runs away is no counterexample.

    The book is written into `folder`, over that of the world before; `engine` are settings.
    """
    variant = copy.deepcopy(world)
    variant.setdefault("engine", {}).update(engine)
    try:
        return sim.run(load(variant, folder), check=True)
    except sim.RunError as error:
        assume("ran away" not in str(error))
        raise


def both_ways(world: dict[str, Any], folder: Path) -> tuple[sim.Result, sim.Result]:
    """Run a world with the full scan and with the due scheduler."""
    return play(world, folder, margin_check="full"), play(world, folder, margin_check="due")


def assert_same(one: sim.Result, other: sim.Result) -> None:
    """Assert that all tables of two runs are the same, to the last byte."""
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)


@contextmanager
def short_sweeps() -> Iterator[None]:
    """Make sweeps over everybody begin soon and end soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "SHORTEST_SWEEP", 2)
        patch.setattr(watch, "LONGEST_SWEEP", 5)
        patch.setattr(watch, "CROWDED", 1.5)
        yield


@contextmanager
def plain_kernels() -> Iterator[None]:
    """Make every kernel run as its plain twin."""
    users = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("sim.") and hasattr(module, "HAS_NUMBA")
    ]
    assert compiling.HAS_NUMBA
    assert len(users) >= 5
    with pytest.MonkeyPatch.context() as patch:
        for module in users:
            patch.setattr(module, "HAS_NUMBA", False)
        yield


def check_ways(world: dict[str, Any], folder: Path, *, plain: bool = True) -> sim.Result:
    """Assert that scheduler, length of sweeps and plain kernels do not matter; return a run."""
    full, due = both_ways(world, folder)
    assert_same(full, due)
    with short_sweeps():
        assert_same(play(world, folder), due)
    if plain:
        with plain_kernels():
            assert_same(play(world, folder), due)
    return due


def check_all_ways(world: dict[str, Any], folder: Path) -> sim.Result:
    """Do the same, and let plain kernels make short sweeps, too."""
    due = check_ways(world, folder)
    with plain_kernels(), short_sweeps():
        assert_same(play(world, folder), due)
    return due
