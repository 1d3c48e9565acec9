"""The split of moves of values: its twins agree to the last bit, and every row adds up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels.lagging import netted, totals
from sim.kernels.passing import Instant, Wiring, split, split_numpy

ASSETS = 3  # asset 0 is the numeraire, 1 is quoted in it, 2 in 0 or 1
QUOTE = np.array([0, 0, 0, 1, 0])
MARKETS = len(QUOTE)


def wiring(random):
    asset_share = np.zeros((ASSETS, MARKETS))
    asset_share[1, :2] = random.uniform(0.1, 1.0, 2)
    asset_share[2, 2:4] = random.uniform(0.1, 1.0, 2)
    index_share = np.zeros((3, MARKETS))
    index_share[0, :2] = random.dirichlet([1.0, 1.0])
    index_share[1, 2:4] = [(0.5, 0.5), (1.0, 0.0)][random.integers(2)]
    kinds = random.integers(0, 2, (3, MARKETS)).astype(bool)
    return Wiring(
        QUOTE, np.array([0, 0, 1, 1, 2]), np.array([0, 2, 4]), np.array([1, 2]), asset_share,
        index_share, random.permutation(MARKETS)[: random.integers(3)], kinds[0] | kinds[2],
        kinds[1], np.flatnonzero(kinds[2]),
    )  # fmt: skip


def instant(random, base, values, still):
    """Return prices near `base`; with `still`, some of them are those of `base`."""

    def near(level):
        return level * np.where(random.random(len(level)) < still, 1.0,
                                np.exp(random.normal(0.0, 0.02, len(level))))  # fmt: skip

    asset = near(base.asset)
    asset[0] = 1.0
    return Instant(
        near(base.last), near(base.reference), near(base.mark), asset, near(base.value[:values]),
        random.random(MARKETS) < 0.8,
    )  # fmt: skip


def case(seed, keys):
    random = np.random.default_rng(seed)
    links = wiring(random)
    values = MARKETS + ASSETS + len(links.own)
    level = random.uniform(1.0, 100.0, MARKETS)
    base = Instant(level, level, level, np.array([1.0, 2.0, 50.0]), np.full(values, 50.0), level)
    still = random.choice([0.0, 0.5, 1.0])
    then, now = (instant(random, base, values, still) for _ in range(2))
    last = random.normal(size=(MARKETS, keys)) * (random.random((MARKETS, keys)) < 0.5)
    last[:, :2] = 0.0
    lagging = np.flatnonzero(links.slow | (random.random(MARKETS) < 0.5))
    waiting = random.normal(size=(len(lagging) + 2 * len(links.basis), keys))
    waiting *= random.random(waiting.shape) < 0.5
    return links, then, now, last, lagging, random.uniform(size=MARKETS), waiting


@settings(max_examples=300)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_twins_agree_and_rows_add_up(seed, keys):
    links, then, now, last, lagging, by_time, waiting = case(seed, keys)
    kept, plainly_kept, before = waiting.copy(), waiting.copy(), last.copy()
    move = split(links, then, now, last, lagging, by_time, kept)
    plain = split_numpy(links, then, now, last, lagging, by_time, plainly_kept)
    np.testing.assert_array_equal(move, plain)
    np.testing.assert_array_equal(kept, plainly_kept)
    np.testing.assert_array_equal(last, before)
    total = now.value - then.value
    # A row of moves much larger than their sum is as exact as its largest move.
    size = np.abs(now.value) + np.abs(move).sum(axis=1)
    assert (np.abs(totals(move) - total) <= 1e-12 * size).all()


def test_a_mark_at_the_last_price_takes_the_moves_of_it():
    """One market in the numeraire: its mark moves by what moved its last price, cause by cause."""
    one, none = np.ones(1), np.empty(0, dtype=np.int64)
    zero, no = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=bool)
    links = Wiring(zero, zero, zero, none, np.zeros((1, 1)), np.ones((1, 1)), none, no, no, none)
    up = np.ones(1, dtype=bool)
    then = Instant(100 * one, 100 * one, 100 * one, one, np.array([100.0, 1.0]), up)
    now = Instant(93 * one, 93 * one, 93 * one, one, np.array([93.0, 1.0]), up)
    last = np.array([[0.0, 0.0, -5.0, -2.0]])
    move = split(links, then, now, last, none, one, np.zeros((0, 4)))
    assert move.tolist() == [[0.0, 0.0, -5.0, -2.0], [0.0] * 4]


def test_a_lagging_mark_keeps_what_it_has_not_passed_on():
    """Of -6 and -2 a mark that fell by 4 has passed on a half of each."""
    one, none = np.ones(1), np.empty(0, dtype=np.int64)
    zero, no = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=bool)
    links = Wiring(zero, zero, zero, none, np.zeros((1, 1)), np.ones((1, 1)), none, no, ~no, none)
    then = Instant(100 * one, 100 * one, 100 * one, one, np.array([100.0, 1.0]), ~no)
    now = Instant(92 * one, 92 * one, 96 * one, one, np.array([96.0, 1.0]), ~no)
    waiting = np.zeros((1, 4))
    last = np.array([[0.0, 0.0, -6.0, -2.0]])
    move = split(links, then, now, last, zero, one, waiting)
    assert move[0].tolist() == [0.0, 0.0, -3.0, -1.0]
    assert waiting.tolist() == [[0.0, 0.0, -3.0, -1.0]]


@pytest.mark.parametrize(
    ("waits", "kept"),
    [([3.0, -1.0, 0.0], [2.0, 0.0, 0.0]), ([-4.0, -4.0, 2.0], [-3.0, -3.0, 0.0]),
     ([1.0, 1.0, 0.001], [1.0005, 1.0005, 0.0])],
)  # fmt: skip
def test_what_cancels_does_not_wait(waits, kept):
    np.testing.assert_allclose(netted(np.array([waits]), np.ones(1)), [kept], rtol=1e-12)
