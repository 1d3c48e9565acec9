"""Loans under both margin checks: the same tables, to the last byte, with money conserved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from tests.engine.agreement import check_all_ways, check_ways, examples
from tests.engine.lending_worlds import lending_worlds


def check_keepers(due):
    profit = due.mechanisms[due.mechanisms["series"] == "keeper_profit"]
    for _, earned in profit.groupby("venue")["value"]:
        assert (np.diff(earned) >= -1e-6).all()


@examples(max_examples=10)
@given(world=lending_worlds())
def test_all_ways_agree_on_random_loans(folder, world):
    check_keepers(check_ways(world, folder))


@pytest.mark.slow
@pytest.mark.timeout(900)
@examples(max_examples=150)
@given(world=lending_worlds())
def test_all_ways_agree_on_many_random_loans(folder, world):
    check_keepers(check_all_ways(world, folder))
