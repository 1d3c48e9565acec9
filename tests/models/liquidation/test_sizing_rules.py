"""Sizes and prices of forced orders against the published figures of real venues."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.models.liquidation.base import slice_of_rest
from sim.models.liquidation.per_block import (
    bankruptcy_share,
    block_notional,
    cushion,
    fillable_price,
)
from sim.models.liquidation.to_target import size_for_shortage

ONE = np.ones(1)


def test_dydx_long_of_ten_eth():
    # 10 ETH long at an oracle price of 3,000, equity 240, maintenance margin 360.
    gone = bankruptcy_share(np.array([240.0]), np.array([360.0]))
    assert gone == pytest.approx([1 / 3])
    rate = np.array([360.0 / 30_000])
    assert fillable_price(3000 * ONE, ONE, rate, gone, 1.5) == pytest.approx([2982])
    assert fillable_price(3000 * ONE, -ONE, rate, gone, 1.5) == pytest.approx([3018])
    bust = cushion(np.array([240.0]), np.array([360.0]), np.array([360.0]))
    assert 3000 - bust / 10 == pytest.approx([2976])
    for price, fee in ((2990, 140), (2970, -60)):
        assert bust - 10 * (3000 - price) == pytest.approx([fee])
    assert block_notional(np.array([30_000.0]), 0.1, 1000, 100_000).tolist() == [3000]


@pytest.mark.parametrize(("held", "closed"), [(500, 500), (5000, 1000), (2e6, 1e5), (1e5, 1e4)])
def test_dydx_block_limits(held, closed):
    assert block_notional(np.array([float(held)]), 0.1, 1000, 100_000).tolist() == [closed]


def test_how_far_to_bankruptcy_stays_between_none_and_all():
    equity = np.array([400.0, 360.0, 0.0, -50.0, 180.0, -5.0])
    maintenance = np.array([360.0, 360, 360, 360, 360, 0])
    assert bankruptcy_share(equity, maintenance).tolist() == [0, 0, 1, 1, 0.5, 1]
    assert bankruptcy_share(np.array([180.0]), np.array([360.0]), 1.5).tolist() == [0.75]


def test_drift_size_for_a_shortage():
    assert size_for_shortage(500, 150, 0.05, 0.01, 0.01) == pytest.approx(111.11, abs=0.005)
    assert size_for_shortage(500, 150, 0.02, 0.01, 0.01) == math.inf


def test_slices_of_the_whole_add_up_to_it():
    left = 1.0
    for step in range(4):
        left *= 1.0 - slice_of_rest(np.array([step]), 0.3).item()
    assert left == 0.0
    assert slice_of_rest(np.array([0, 1, 2]), 0.4) == pytest.approx([0.4, 2 / 3, 1])
