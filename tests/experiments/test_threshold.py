"""Thresholds found by halving, one seed at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.experiments.statistics import quantile_interval, runs_needed
from sim.experiments.threshold import Ask, find_threshold


def asking(holds: Callable[[float, int], bool], log: list[tuple[float, int]] | None = None) -> Ask:
    """Return what answers questions about places, and writes them down."""

    def ask(pairs: list[tuple[float, int]]) -> list[bool]:
        if log is not None:
            log.extend(pairs)
        return [holds(place, r) for place, r in pairs]

    return ask


def stepping(thresholds: Sequence[float], log: list[tuple[float, int]] | None = None) -> Ask:
    """Return what answers for seeds with thresholds of their own."""
    return asking(lambda place, r: place >= thresholds[r], log)


@given(st.floats(0.001, 0.999), st.sampled_from([0.1, 0.01, 0.001]), st.integers(1, 7))
def test_one_seed_is_found_within_the_tolerance(
    threshold: float, tolerance: float, scan: int
) -> None:
    found = find_threshold(stepping([threshold]), 1, 0.5, tolerance=tolerance, scan=scan)
    assert found.below < threshold <= found.place <= found.below + tolerance + 1e-12
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.monotone


@settings(max_examples=60)
@given(
    st.lists(st.floats(-0.3, 1.3), min_size=6, max_size=60),
    st.sampled_from([0.1, 0.5, 0.9]),
)
def test_the_answer_is_the_order_statistic_with_its_interval(
    thresholds: list[float], probability: float
) -> None:
    count, tolerance = len(thresholds), 0.01
    found = find_threshold(stepping(thresholds), count, probability, tolerance=tolerance)
    value = sorted(thresholds)[math.ceil(count * probability - 1e-9) - 1]
    if value > 1:
        assert found.place == math.inf
    elif value <= 0:
        assert found.place == 0.0
    else:
        assert found.below < value <= found.place <= found.below + tolerance
    if count < runs_needed(probability):
        assert math.isnan(found.low)
        return
    known = quantile_interval(thresholds, probability)
    assert found.low <= known.low or found.low == 1.0 or known.low <= 0
    assert found.high >= known.high or found.high == 0.0
    if 0 < known.low <= 1:
        assert found.low >= known.low - tolerance
    if 0 < known.high <= 1:
        assert found.high <= known.high + tolerance


def test_the_interval_covers_the_quantile_as_often_as_it_says() -> None:
    generator = np.random.Generator(np.random.PCG64(11))
    covered = 0
    for _ in range(200):
        drawn = generator.normal(0.5, 0.1, 40)
        found = find_threshold(stepping(drawn), 40, 0.5, tolerance=0.002)
        covered += found.low <= 0.5 <= found.high
    # 95 % or a little more, since ranks are whole: 0.958 at 40; three deviations below it
    assert covered / 200 >= 0.915


def test_seeds_that_cannot_matter_are_not_halved() -> None:
    log: list[tuple[float, int]] = []
    thresholds = np.linspace(0.02, 0.98, 200)
    find_threshold(stepping(thresholds, log), 200, 0.5, tolerance=0.001)
    assert len(log) == len(set(log))
    # every seed at 5 places and at both ends of the answer, and fewer than a third halved 8 times
    assert len(log) < 200 * 7 + 200 * 8 / 3


@given(st.permutations(list(range(12))))
def test_the_order_of_seeds_does_not_matter(order: list[int]) -> None:
    thresholds = np.linspace(0.1, 0.9, 12) ** 2
    plain = find_threshold(stepping(thresholds), 12, 0.3)
    other = find_threshold(stepping(thresholds[order]), 12, 0.3)
    assert (plain.place, plain.below, plain.low, plain.high) == (
        other.place, other.below, other.low, other.high,
    )  # fmt: skip


def test_the_ends_of_the_answer_are_proved_by_all_seeds() -> None:
    thresholds = np.linspace(0.1, 0.9, 31)
    found = find_threshold(stepping(thresholds), 31, 0.5)
    shares = {place: (held, asked) for place, held, asked in found.shares()}
    assert shares[found.place][1] == shares[found.below][1] == 31
    assert shares[found.place][0] >= 15.5 > shares[found.below][0]


def test_a_condition_that_holds_nowhere_or_everywhere() -> None:
    nowhere = find_threshold(asking(lambda place, r: False), 8, 0.5)
    assert (nowhere.place, nowhere.below, nowhere.monotone) == (math.inf, 1.0, True)
    assert nowhere.low == 1.0
    assert nowhere.high == math.inf
    everywhere = find_threshold(asking(lambda place, r: True), 8, 0.5)
    assert (everywhere.place, everywhere.below) == (0.0, -math.inf)


def test_a_window_is_not_monotone() -> None:
    found = find_threshold(asking(lambda place, r: 0.4 < place < 0.6), 10, 0.5)
    assert not found.monotone
    assert len(found.disorder) == 10
    assert len(found.crossings) == 2
    assert found.below <= 0.4 < found.place <= 0.41


def test_a_single_seed_out_of_order_is_seen() -> None:
    def holds(place: float, r: int) -> bool:
        return place >= 0.3 and not (r == 4 and place > 0.9)

    found = find_threshold(asking(holds), 10, 0.5)
    assert found.disorder == (4,)
    assert not found.monotone
    assert len(found.crossings) == 1


@pytest.mark.parametrize("probability", [0.05, 0.95])
def test_extreme_probabilities_reach_into_the_tail(probability: float) -> None:
    thresholds = (np.arange(100) + 0.5) / 100
    found = find_threshold(stepping(thresholds), 100, probability, tolerance=0.001)
    assert found.place == pytest.approx(probability - 0.005, abs=0.001)
    assert found.low < probability < found.high


def test_windows_of_single_seeds_do_not_add_up_to_an_answer() -> None:
    def holds(place: float, r: int) -> bool:
        return abs(place - 0.25 - 0.05 * r) < 0.03  # never in more than two seeds of ten at once

    found = find_threshold(asking(holds), 10, 0.5, scan=20)
    assert (found.place, found.below) == (math.inf, 1.0)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.by_shares


@pytest.mark.parametrize("seed", range(20))
def test_where_seeds_go_back_and_forth_the_share_itself_proves_the_answer(seed: int) -> None:
    generator = np.random.Generator(np.random.PCG64(seed))
    known: dict[tuple[float, int], bool] = {}

    def holds(place: float, r: int) -> bool:
        chance = 1 / (1 + math.exp((0.5 - place) / 0.05))
        return known.setdefault((place, r), bool(generator.random() < chance))

    found = find_threshold(asking(holds), 40, 0.5)
    shares = {place: held / asked for place, held, asked in found.shares()}
    assert not found.monotone
    assert shares[found.place] >= 0.5 > shares[found.below]
    assert found.place - found.below <= 0.01
    assert found.place == pytest.approx(0.5, abs=0.05)
    assert math.isnan(found.low) == found.by_shares
