"""Sums by group: in the order given, however many there are."""

from __future__ import annotations

import numpy as np
import pytest

from sim.core.arrays import BLOCK, add_to, blocks, sums


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_blocks_cover_everything_once_and_in_order(size):
    parts = list(blocks(size))
    covered = np.concatenate([np.arange(size)[part] for part in parts] or [np.arange(0)])
    assert covered.tolist() == list(range(size))
    assert all(0 < part.stop - part.start <= BLOCK for part in parts)


@pytest.mark.parametrize("kind", [np.int16, np.int64])
@pytest.mark.parametrize("size", [0, 5, BLOCK, 2 * BLOCK + 17])
def test_sums_add_one_after_the_other(kind, size):
    random = np.random.default_rng(1)
    group = random.integers(0, 7, size).astype(kind)
    values = random.normal(size=size) * 10.0 ** random.integers(-8, 8, size)
    expected = np.zeros(8)
    for g, value in zip(group.tolist(), values.tolist(), strict=True):
        expected[g] += value
    assert sums(group, values, 8).tolist() == expected.tolist()
    count = sums(group, values > 0.0, 8)
    assert count.tolist() == np.bincount(group[values > 0.0], minlength=8).tolist()


def test_groups_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="negative"):
        add_to(np.zeros(3), np.array([0, -1]), np.ones(2))
    with pytest.raises(IndexError):
        add_to(np.zeros(3), np.array([0, 3]), np.ones(2))
