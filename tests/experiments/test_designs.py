"""Designs: which cells an experiment has."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim.experiments.design import Cell, cells_of, levels_of, values_at
from sim.schema.experiment import Experiment, Factor
from tests.experiments.base import plan


def cells(design: dict[str, Any], *factors: dict[str, Any]) -> list[Cell]:
    """Return the cells of a design over factors that are named a, b, ..."""
    named = [{"path": f"x.{'abcdefgh'[k]}", **factor} for k, factor in enumerate(factors)]
    said = {"schema_version": 1, "name": "e", "scenario": "s.yaml", "metrics": ["shortfall"]}
    return cells_of(Experiment.model_validate({**said, "design": design, "factors": named}))


def column(found: list[Cell], name: str) -> list[Any]:
    return [cell.values[name] for cell in found]


def test_grid_has_every_combination_once_the_last_factor_fastest() -> None:
    found = cells({"kind": "grid"}, {"values": [1, 2, 3]}, {"values": ["p", "q"]})
    assert [cell.number for cell in found] == list(range(6))
    pairs = [(cell.values["x.a"], cell.values["x.b"]) for cell in found]
    assert pairs == [(1, "p"), (1, "q"), (2, "p"), (2, "q"), (3, "p"), (3, "q")]


def test_grid_without_factors_is_one_cell_as_the_scenario_is() -> None:
    assert cells({"kind": "grid"}) == [Cell(0, {}, {})]


def test_a_factor_of_several_paths_sets_them_all_to_one_value(tmp_path: Path) -> None:
    paths = ["venues.alpha.waterfall.0.size", "venues.beta.waterfall.0.size"]
    made = plan(tmp_path, factors=[{"path": paths, "name": "fund", "values": [1, 2]}])
    assert [cell.values for cell in made.cells] == [{"fund": 1}, {"fund": 2}]
    for cell in made.cells:
        assert cell.overrides == dict.fromkeys(paths, cell.values["fund"])
        scenario = made.base.scenario(cell.overrides)
        funds = {venue.waterfall[0].model_dump()["size"] for venue in scenario.venues.values()}
        assert funds == {cell.values["fund"]}


def test_paired_takes_the_kth_values_together() -> None:
    found = cells({"kind": "paired"}, {"values": [1, 2, 3]}, {"values": [10, 20, 30]})
    assert [tuple(cell.values.values()) for cell in found] == [(1, 10), (2, 20), (3, 30)]


def test_a_list_is_taken_as_written_and_leaves_the_rest_alone() -> None:
    design = {"kind": "list", "cells": [{"x.a": 1}, {}, {"x.b": "word", "x.a": 2}]}
    found = cells(design)
    assert [cell.overrides for cell in found] == design["cells"]


@given(st.integers(1, 60), st.integers(0, 2**31))
def test_latin_hypercube_uses_every_stratum_once(size: int, seed: int) -> None:
    """N cells cut each range into N equal parts, and one cell lies in each."""
    found = cells(
        {"kind": "latin_hypercube", "cells": size, "seed": seed},
        {"range": [0, 1]},
        {"range": [-3, 5]},
        {"range": [1, 1000], "scale": "log"},
    )
    a, b, c = (np.array(column(found, f"x.{name}")) for name in "abc")
    for shares in (a, (b + 3) / 8, np.log(c) / math.log(1000)):
        strata = np.floor(shares * size - 1e-9 * (shares == 1)).astype(int)
        assert sorted(strata) == list(range(size))


@pytest.mark.parametrize("power", [2, 5, 7])
def test_sobol_points_fill_every_elementary_interval(power: int) -> None:
    """2**m scrambled points are a net: each of the 2**m parts of a range holds exactly one."""
    size = 2**power
    found = cells({"kind": "sobol", "cells": size}, {"range": [0, 1]}, {"range": [0, 1]})
    for name in ("x.a", "x.b"):
        strata = np.floor(np.array(column(found, name)) * size).astype(int)
        assert sorted(strata) == list(range(size))
    halves = {(a < 0.5, b < 0.5) for a, b in (cell.values.values() for cell in found)}
    assert halves == set(itertools.product((True, False), repeat=2))


@pytest.mark.parametrize("kind", ["latin_hypercube", "sobol"])
def test_drawn_designs_depend_on_their_seed_alone(kind: str) -> None:
    def drawn(seed: int) -> list[Cell]:
        return cells({"kind": kind, "cells": 12, "seed": seed}, {"range": [0, 1]})

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


def test_fewer_sobol_cells_are_the_first_of_more() -> None:
    few, many = (
        cells({"kind": "sobol", "cells": size}, {"range": [0, 1]}, {"range": [2, 3]})
        for size in (5, 8)
    )
    assert few == many[:5]


@pytest.mark.parametrize("kind", ["latin_hypercube", "sobol"])
def test_drawn_designs_without_factors_are_cells_as_the_scenario_is(kind: str) -> None:
    assert [cell.overrides for cell in cells({"kind": kind, "cells": 3})] == [{}, {}, {}]


def test_levels_of_a_range_are_equal_steps_with_both_ends() -> None:
    linear = levels_of(Factor(path=["x"], range=(-1, 2), levels=4))
    assert linear == pytest.approx([-1, 0, 1, 2], abs=1e-12)
    ratios = levels_of(Factor(path=["x"], range=(1e2, 1e6), scale="log", levels=5))
    assert ratios == pytest.approx([1e2, 1e3, 1e4, 1e5, 1e6], rel=1e-12)
    assert (linear[0], linear[-1], ratios[0], ratios[-1]) == (-1.0, 2.0, 1e2, 1e6)
    negative = levels_of(Factor(path=["x"], range=(-100, -1), scale="log", levels=3))
    assert negative == pytest.approx([-100, -10, -1], rel=1e-12)


def test_whole_numbers_are_whole_and_each_once_in_a_grid() -> None:
    levels = levels_of(Factor(path=["x"], range=(0, 3), levels=7, whole=True))
    assert levels == [0, 1, 2, 3]
    assert all(type(level) is int for level in levels)


def test_levels_of_a_distribution_are_middles_of_equal_probability() -> None:
    factor = Factor.model_validate(
        {"path": "x", "distribution": {"dist": "lognormal", "median": 8, "sigma": 0.5}, "levels": 4}
    )
    shares = [0.125, 0.375, 0.625, 0.875]
    wanted = stats.lognorm.ppf(shares, 0.5, scale=8)
    assert levels_of(factor) == pytest.approx(wanted, rel=1e-9)


def test_a_distribution_is_finite_at_every_probability() -> None:
    factor = Factor.model_validate(
        {"path": "x", "distribution": {"dist": "lognormal", "median": 8, "sigma": 0.5}}
    )
    assert np.isfinite(values_at(factor, np.array([0.0, 0.5, 1.0]))).all()


@given(
    low=st.floats(1e-6, 1e6), ratio=st.floats(1.001, 1e6), sign=st.sampled_from([1, -1]),
    share=st.floats(0, 1), log=st.booleans(),
)  # fmt: skip
def test_values_stay_within_their_range_and_grow(
    low: float, ratio: float, sign: int, share: float, log: bool
) -> None:
    bounds = sorted((sign * low, sign * low * ratio))
    factor = Factor(path=["x"], range=bounds, scale="log" if log else "linear")
    first, middle, last = values_at(factor, np.array([0.0, share, 1.0]))
    assert (first, last) == tuple(bounds)
    assert bounds[0] <= middle <= bounds[1]


def test_words_have_equal_weight_in_a_drawn_design() -> None:
    found = cells({"kind": "sobol", "cells": 16}, {"values": ["p", "q", "r", "s"]})
    assert {word: column(found, "x.a").count(word) for word in "pqrs"} == dict.fromkeys("pqrs", 4)


def test_seeds_are_common_or_each_their_own(tmp_path: Path) -> None:
    common = plan(tmp_path, seed=5, replications=3)
    assert [[common.seed_of(c, r) for r in range(3)] for c in range(2)] == [[5, 6, 7]] * 2
    own = plan(tmp_path, seed=5, replications=3, common_random_numbers=False)
    seeds = [own.seed_of(cell.number, replication) for cell, replication in own.order()]
    assert len(set(seeds)) == own.runs == 12


def test_the_seed_is_the_scenarios_own_where_none_is_given(tmp_path: Path) -> None:
    assert plan(tmp_path).seed == 7
    assert plan(tmp_path, seed=0).seed == 0


@pytest.mark.parametrize("kind", ["latin_hypercube", "sobol"])
def test_whole_numbers_have_equal_shares_the_ends_too(kind: str) -> None:
    found = cells({"kind": kind, "cells": 512}, {"range": [1, 4], "whole": True})
    counts = np.bincount(column(found, "x.a"), minlength=5)
    assert counts.tolist() == [0, 128, 128, 128, 128]


def test_whole_levels_of_a_grid_meet_both_ends() -> None:
    for low, high, levels in ((0, 10, 11), (0, 10, 6), (1, 100, 2), (-5, 5, 3)):
        factor = Factor.model_validate(
            {"path": "x", "range": [low, high], "levels": levels, "whole": True}
        )
        step = (high - low) // (levels - 1)
        assert levels_of(factor) == list(range(low, high + 1, step))
