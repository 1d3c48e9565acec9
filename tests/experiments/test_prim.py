"""Boxes: the same as those of ema_workbench, the ones that are there, and nothing by luck."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from sim.core.arrays import BoolArray
from sim.experiments.boxes import Box, Column, quasi_p, simplified
from sim.experiments.prim import between, trajectory

POINTS = 400


def columns_of(frame: pd.DataFrame) -> list[Column]:
    """Return the columns of a table."""
    return [
        Column(
            str(name),
            frame[name].to_numpy(dtype=np.float64)
            if pd.api.types.is_numeric_dtype(frame[name])
            else np.array([str(word) for word in frame[name]], dtype=object),
        )
        for name in frame
    ]


def world(seed: int, words: bool) -> tuple[pd.DataFrame, BoolArray]:
    """Return points of which most in a corner, and few elsewhere, are of interest."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.random((POINTS, 3)), columns=["a", "b", "c"])
    interest = (frame["a"] > 0.6) & (frame["b"] < 0.5)
    if words:
        frame["w"] = rng.choice(["p", "q", "r"], POINTS)
        interest &= frame["w"] != "q"
    return frame, interest.to_numpy() ^ (rng.random(POINTS) < 0.05)


@pytest.mark.parametrize(("seed", "words"), [(1, False), (2, True)])
@pytest.mark.filterwarnings("ignore")
def test_every_box_is_that_of_ema_workbench(seed: int, words: bool) -> None:
    from ema_workbench.analysis.prim import Prim  # warns of optional parts that are missing

    frame, interest = world(seed, words)
    prim = Prim(frame, interest.astype(int), threshold=0.05)
    theirs = prim.find_box()
    ours = trajectory(columns_of(frame), interest, patient=False)
    patient = trajectory(columns_of(frame), interest)
    assert patient[-1].density >= ours[-1].density
    assert len(ours) == len(theirs.peeling_trajectory)
    rows = theirs.peeling_trajectory.to_dict("records")
    for box, row, limits in zip(ours, rows, theirs.box_lims, strict=True):
        assert box.points / POINTS == row["mass"]
        assert box.density == row["density"]
        assert box.cases / interest.sum() == row["coverage"]
        for name, limit in zip(frame, box.limits, strict=True):
            if isinstance(limit, frozenset):
                assert limit == limits[name][0]
            elif limit is not None:
                for end, value in zip(limit, limits[name], strict=True):
                    assert not np.isfinite(end) or end == value
    chances = theirs._calculate_quasi_p(len(rows) - 1, [*frame])
    for k, end, chance in quasi_p(ours[-1], columns_of(frame), interest, np.ones(POINTS, bool)):
        place = {"low": 0, "high": 1, "words": 0}[end]
        assert chance == pytest.approx(chances[str(list(frame)[k])][place], rel=1e-9)


def test_a_box_that_is_there_is_found() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.random((2000, 3)), columns=["a", "b", "c"])
    frame["n"] = rng.integers(0, 10, 2000)
    interest = ((frame["a"] > 0.5) & (frame["n"] >= 7)).to_numpy()
    box = simplified(
        trajectory(columns_of(frame), interest)[-1],
        columns_of(frame),
        interest,
        np.ones(2000, dtype=np.bool_),
    )
    assert box.density == 1.0
    assert box.cases / interest.sum() > 0.9
    a, b, c, n = box.limits
    assert b is None
    assert c is None
    assert isinstance(a, tuple)
    assert isinstance(n, tuple)
    assert a[0] == pytest.approx(0.5, abs=0.05)
    assert n == (6.5, np.inf)
    assert max(p for _, _, p in quasi_p(box, columns_of(frame), interest, interest | True)) < 1e-20


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.floats(0.02, 0.3), st.floats(0.05, 0.4))
def test_boxes_obey_their_definition(seed: int, peel: float, mass: float) -> None:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.random(80), "k": rng.integers(0, 4, 80)})
    frame["w"] = rng.choice(["u", "v"], 80)
    interest = rng.random(80) < 0.1 + 0.8 * (frame["x"] > 0.5).to_numpy()
    hasty = trajectory(columns_of(frame), interest, peel=peel, mass=mass, patient=False)
    densities = [box.density for box in hasty]
    assert densities == sorted(densities)
    boxes = trajectory(columns_of(frame), interest, peel=peel, mass=mass)
    assert boxes[-1].density == max(box.density for box in boxes)
    assert all(box.points >= mass * 80 for box in boxes)
    for box in boxes:
        inside = np.ones(80, dtype=np.bool_)
        for column, limit in zip(columns_of(frame), box.limits, strict=True):
            inside &= column.holds(limit)
        assert np.array_equal(inside, box.inside)
        assert box.cases == int((inside & interest).sum())
        slim = simplified(box, columns_of(frame), interest, np.ones(80, dtype=np.bool_))
        assert np.array_equal(slim.inside, box.inside)
        assert slim.restricted <= box.restricted


@given(st.integers(0, 10_000))
@settings(max_examples=10)
def test_the_order_of_points_does_not_matter(seed: int) -> None:
    frame, interest = world(seed, words=True)
    order = np.random.default_rng(seed).permutation(POINTS)
    ours = trajectory(columns_of(frame), interest)
    shuffled = trajectory(columns_of(frame.iloc[order]), interest[order])
    assert [box.limits for box in ours] == [box.limits for box in shuffled]


def test_one_stray_case_in_a_corner_does_not_end_the_peeling() -> None:
    """20 points in a row, cases at the low end and a stray one at the high end."""
    values = np.arange(20.0)
    interest = (values < 5) | (values == 19)
    column = [Column("x", values)]
    assert len(trajectory(column, interest, mass=0.1, patient=False)) == 1
    best = trajectory(column, interest, mass=0.1)[-1]
    assert (best.density, best.cases, best.limits) == (1.0, 5, ((-np.inf, 4.5),))


def test_a_cut_lies_between_two_different_values() -> None:
    ties = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 3.0])
    assert between(ties, 0.05) == 1.5
    assert between(ties, 0.95) == 2.5


def test_the_quasi_p_value_is_a_binomial_tail() -> None:
    # Without the limit 10 of 40 are cases, with it 8 of 10.
    values = np.repeat([0.0, 1.0], [30, 10])
    interest = np.zeros(40, dtype=np.bool_)
    interest[[0, 1, *range(30, 38)]] = True
    column, everywhere = Column("x", values), np.ones(40, dtype=np.bool_)
    box = Box(((0.5, np.inf),), values > 0.5, 8)
    ((k, end, chance),) = quasi_p(box, [column], interest, everywhere)
    assert (k, end) == (0, "low")
    assert chance == pytest.approx(binomtest(8, 10, 0.25, alternative="greater").pvalue, rel=1e-9)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"peel": 0.0}, "peel must be between 0 and 1, found 0.0"),
        ({"paste": float("nan")}, "paste must be between 0 and 1, found nan"),
        ({"mass": 1.0}, "mass must be between 0 and 1, found 1.0"),
    ],
)
def test_a_share_that_is_none_is_refused(changes: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        trajectory([Column("x", np.arange(3.0))], np.array([True, False, True]), **changes)


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="3 values of x for 2 points"):
        trajectory([Column("x", np.arange(3.0))], np.array([True, False]))
    with pytest.raises(ValueError, match="0 factors and 1 points"):
        trajectory([], np.array([True]))
