"""In random worlds, losses by cause are what equity went down by, whatever the scheduler."""

from __future__ import annotations

import copy
from functools import partial

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import sim
from tests.engine.backstop_worlds import backstopped
from tests.engine.breaks_oracle import assert_exact, assert_sellers, watched
from tests.engine.combined_worlds import combined_worlds
from tests.engine.lending_worlds import lending_worlds
from tests.engine.random_worlds import load, worlds
from tests.engine.test_margin_worlds import margined
from tests.engine.test_mark_worlds import marked_worlds

TABLES = ("breaks", "break_exposures", "break_flows", "value_moves", "price_causes")

ANY = st.one_of(
    worlds(), marked_worlds(), margined(), lending_worlds(), backstopped(), combined_worlds()
)
examples = partial(settings, phases=[Phase.generate], suppress_health_check=[*HealthCheck])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder whose book every example overwrites."""
    return tmp_path_factory.mktemp("worlds")


def play(world, folder, mode, **record):
    variant = copy.deepcopy(world)
    variant.setdefault("engine", {})["margin_check"] = mode
    variant["record"] = {**variant.get("record", {}), **record}
    try:
        return sim.run(load(variant, folder), check=True)
    except sim.RunError as error:  # a price without bound is no counterexample
        assume("ran away" not in str(error))
        raise


def check(world, folder, monkeypatch):
    try:
        load(world, folder)
    except sim.ScenarioError:
        assume(False)
    with watched(monkeypatch) as oracles:
        full = play(world, folder, "full")
        assert_exact(full, oracles[-1])
        due = play(world, folder, "due")
        assert_exact(due, oracles[-1])
    for name in TABLES:
        one, other = getattr(full, name), getattr(due, name)
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert_sellers(due)
    without = play(world, folder, "due", breaks=False)
    for name in ("liquidations", "venues", "prices", "price_causes", "cohorts", "mechanisms"):
        one, other = getattr(due, name), getattr(without, name)
        pd.testing.assert_frame_equal(one, other, check_exact=True)


@examples(max_examples=40)
@given(world=ANY)
def test_losses_are_exact(folder, monkeypatch, sweeps, world):
    check(world, folder, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(900)
@examples(max_examples=500)
@given(world=ANY)
def test_losses_are_exact_in_many_worlds(folder, monkeypatch, sweeps, world):
    check(world, folder, monkeypatch)
