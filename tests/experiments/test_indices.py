"""Estimators of sensitivity indices against functions whose indices are known in closed form."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from SALib.analyze import morris as salib_morris
from SALib.analyze import pawn as salib_pawn
from scipy.integrate import quad

from sim.core.arrays import FloatArray
from sim.experiments.indices import elementary_effects, indices_of, pawn_indices
from sim.experiments.samples import points_of, problem
from sim.schema.experiment_sensitivity import MorrisEffects, PawnIndices, SobolIndices


def ishigami(points: FloatArray) -> FloatArray:
    """sin x1 + 7 sin^2 x2 + 0.1 x3^4 sin x1, each x uniform on [-pi, pi]."""
    x = (2 * points - 1) * math.pi
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


def ishigami_indices() -> tuple[list[float], list[float], float]:
    """First-order and total indices and S13 (Ishigami and Homma 1990), a = 7, b = 0.1."""
    a, b, p4 = 7.0, 0.1, math.pi**4
    v1, v2 = 0.5 * (1 + b * p4 / 5) ** 2, a**2 / 8
    v13 = b**2 * p4**2 * (1 / 18 - 1 / 50)
    v = v1 + v2 + v13
    return [v1 / v, v2 / v, 0.0], [(v1 + v13) / v, v2 / v, v13 / v], v13 / v


def g_function(points: FloatArray, a: FloatArray) -> FloatArray:
    """Product of (|4 u - 2| + a) / (1 + a)."""
    return np.asarray(np.prod((np.abs(4 * points - 2) + a) / (1 + a), axis=1))


def check(rows: list[dict[str, float]], index: str, known: list[float], width: float) -> None:
    """Each known value lies within its interval, and no interval is wider than said."""
    for row, value in zip(rows, known, strict=True):
        assert row[f"{index}_low"] <= value <= row[f"{index}_high"]
        assert row[f"{index}_low"] <= row[index] <= row[f"{index}_high"]
        assert row[f"{index}_high"] - row[f"{index}_low"] < width


def test_sobol_indices_of_the_ishigami_function() -> None:
    settings = SobolIndices(samples=2048, second_order=True, level=0.999, resamples=200)
    found = indices_of(settings, ["a", "b", "c"], [0, 0, 0], ishigami(points_of(settings, 3)))
    first, total, s13 = ishigami_indices()
    assert [round(value, 4) for value in (*first, *total)] == [
        0.3139, 0.4424, 0.0, 0.5576, 0.4424, 0.2437,
    ]  # fmt: skip
    check(found.rows, "S1", first, 0.5)
    check(found.rows, "ST", total, 0.5)
    assert [(pair["factor"], pair["other"]) for pair in found.pairs] == [
        ("a", "b"), ("a", "c"), ("b", "c"),
    ]  # fmt: skip
    check(found.pairs, "S2", [0.0, s13, 0.0], 0.6)


def test_sobol_indices_of_the_g_function() -> None:
    a = np.array([0.0, 1.0, 4.5, 9.0])
    settings = SobolIndices(samples=2048, level=0.999, resamples=200, seed=3)
    found = indices_of(settings, [*"abcd"], [0] * 4, g_function(points_of(settings, 4), a))
    parts = 1 / (3 * (1 + a) ** 2)
    whole = np.prod(1 + parts) - 1
    check(found.rows, "S1", list(parts / whole), 0.3)
    check(found.rows, "ST", list(parts * np.prod(1 + parts) / (1 + parts) / whole), 0.3)
    assert not found.pairs


def test_sobol_indices_of_the_linear_cascade() -> None:
    """D = s / (1 - g) with s and g uniform: a product, whose variances are quadratures."""
    low, high = np.array([0.01, 0.2]), np.array([0.02, 0.8])
    settings = SobolIndices(samples=1024, level=0.999, resamples=200)
    x = low + points_of(settings, 2) * (high - low)
    found = indices_of(settings, ["s", "g"], [0, 0], x[:, 0] / (1 - x[:, 1]))

    def mean(power: int, of: int) -> float:
        def value(t: float) -> float:
            return float((t if of == 0 else 1 / (1 - t)) ** power)

        integral, _ = quad(value, low[of], high[of])
        return float(integral / (high[of] - low[of]))

    spread = [mean(2, k) / mean(1, k) ** 2 - 1 for k in (0, 1)]
    whole = (1 + spread[0]) * (1 + spread[1]) - 1
    check(found.rows, "S1", [spread[0] / whole, spread[1] / whole], 0.3)
    total = [spread[k] * (1 + spread[1 - k]) / whole for k in (0, 1)]
    check(found.rows, "ST", total, 0.3)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_hold_the_true_value_about_as_often_as_they_say(level: float) -> None:
    first, total, _ = ishigami_indices()
    held = []
    for seed in range(40):
        settings = SobolIndices(samples=256, level=level, resamples=100, seed=seed)
        found = indices_of(settings, ["a", "b", "c"], [0] * 3, ishigami(points_of(settings, 3)))
        for row, s1, st in zip(found.rows, first, total, strict=True):
            held.append(row["S1_low"] <= s1 <= row["S1_high"])
            held.append(row["ST_low"] <= st <= row["ST_high"])
    # A scrambled sequence is better than the bootstrap knows: never less often than stated.
    assert np.mean(held) > level - 0.05


def test_morris_effects_of_a_linear_function_are_its_slopes() -> None:
    settings = MorrisEffects(samples=10)
    points = points_of(settings, 3)
    found = indices_of(settings, [*"abc"], [0] * 3, points @ np.array([2.0, -3.0, 0.0]))
    for row, slope in zip(found.rows, (2.0, -3.0, 0.0), strict=True):
        assert row["mu"] == pytest.approx(slope, abs=1e-12)
        assert row["mu_star"] == pytest.approx(abs(slope), abs=1e-12)
        assert row["sigma"] == pytest.approx(0.0, abs=1e-12)
        assert row["mu_star_high"] - row["mu_star_low"] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("levels", [2, 4, 10])
def test_morris_effects_are_those_of_salib(levels: int) -> None:
    settings = MorrisEffects(samples=20, levels=levels, seed=5)
    points = points_of(settings, 3)
    values = ishigami(points) + points[:, 0] * points[:, 1]
    theirs = salib_morris.analyze(problem(3), points, values, num_levels=levels, seed=1)
    found = indices_of(settings, [*"abc"], [0] * 3, values)
    for name in ("mu", "mu_star", "sigma"):
        assert [row[name] for row in found.rows] == pytest.approx(list(theirs[name]), rel=1e-12)


def test_a_trajectory_changes_one_factor_at_a_time() -> None:
    points = points_of(MorrisEffects(samples=7), 5).reshape(7, 6, 5)
    for trajectory in points:
        changed = [np.flatnonzero(b - a) for a, b in pairwise(trajectory)]
        assert sorted(int(c[0]) for c in changed if len(c) == 1) == [0, 1, 2, 3, 4]
    effects = elementary_effects(points.reshape(-1, 5), points.reshape(-1, 5).sum(axis=1))
    assert effects == pytest.approx(np.ones((7, 5)))


def test_pawn_indices_are_those_of_salib_but_for_points_at_the_edges_of_slices() -> None:
    settings = PawnIndices(samples=1000, resamples=20)
    points = points_of(settings, 3)
    values = ishigami(points)
    theirs = salib_pawn.analyze(problem(3), points, values, S=10)
    found = indices_of(settings, [*"abc"], [0] * 3, values)
    # Slices of SALib end at sample quantiles: one or two of 100 points may be in the next one.
    for name, said in (("median", "median"), ("maximum", "maximum")):
        assert [row[name] for row in found.rows] == pytest.approx(list(theirs[said]), abs=0.02)


def test_pawn_tells_a_factor_without_effect_from_one_with() -> None:
    settings = PawnIndices(samples=400, resamples=200)
    points = points_of(settings, 2)
    found = indices_of(settings, ["acts", "idle"], [0, 0], points[:, 0] ** 2)
    acts, idle = found.rows
    assert acts["median_low"] > acts["floor"]
    assert idle["median"] < idle["floor"]
    # Y grows with the factor: the first of 10 slices is 0.9 away from the whole.
    assert acts["maximum"] == pytest.approx(0.9, abs=1e-12)


def test_the_distance_of_a_slice_does_not_depend_on_how_equal_values_are_ordered() -> None:
    parts = np.array([0, 0, 1, 1, 0, 1])
    values = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    # Slice 0 is all zeros, P(Y <= 0) = 5/6 over all: 1/6. Slice 1: |2/3 - 5/6| = 1/6.
    assert pawn_indices(parts, values, 2) == pytest.approx([1 / 6, 1 / 6, 0.0], abs=1e-12)
    order = [3, 1, 5, 0, 2, 4]
    assert np.array_equal(
        pawn_indices(parts[order], values[order], 2), pawn_indices(parts, values, 2)
    )


@pytest.mark.parametrize(
    "settings",
    [
        SobolIndices(samples=32, second_order=True, resamples=30, seed=0),
        MorrisEffects(samples=8, resamples=30, seed=0),
        PawnIndices(samples=64, resamples=30, seed=0),
    ],
    ids=lambda settings: settings.kind,
)
def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(
    settings: SobolIndices | MorrisEffects | PawnIndices,
) -> None:
    points = points_of(settings, 3)
    names, values = ["a", "b", "c"], ishigami(points)
    once = indices_of(settings, names, [0] * 3, values)
    assert np.array_equal(points, points_of(settings, 3))
    assert repr(once) == repr(indices_of(settings, names, [0] * 3, values))
    other = settings.model_copy(update={"seed": 1})
    assert not np.array_equal(points, points_of(other, 3))


@pytest.mark.parametrize("bad", [np.full(128, np.nan), np.zeros(5)])
def test_values_must_be_one_finite_number_per_cell(bad: FloatArray) -> None:
    with pytest.raises(ValueError, match="128 finite values are needed"):
        indices_of(SobolIndices(samples=32), ["a", "b"], [0, 0], bad)
