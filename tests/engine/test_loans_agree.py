"""Loans under both margin checks: the same tables, to the last byte, with money conserved."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from tests.engine.lending_worlds import lending_worlds
from tests.engine.test_watch import assert_same, both_ways

RANDOM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


def check(world, folder):
    full, due = both_ways(world, folder)
    assert_same(full, due)
    pd.testing.assert_frame_equal(full.mechanisms, due.mechanisms, check_exact=True)
    profit = due.mechanisms[due.mechanisms["series"] == "keeper_profit"]
    for _, earned in profit.groupby("venue")["value"]:
        assert (np.diff(earned) >= -1e-6).all()


@settings(max_examples=10, suppress_health_check=RANDOM, deadline=None)
@given(world=lending_worlds())
def test_due_and_full_agree_on_random_loans(tmp_path_factory, sweeps, world):
    check(world, tmp_path_factory.mktemp("world"))


@pytest.mark.slow
@settings(max_examples=400, suppress_health_check=RANDOM, deadline=None)
@given(world=lending_worlds())
def test_due_and_full_agree_on_many_random_loans(tmp_path_factory, sweeps, world):
    check(world, tmp_path_factory.mktemp("world"))
