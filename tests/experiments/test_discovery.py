"""Scenario discovery on the stores of experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.core.errors import RunError, ScenarioError
from sim.core.lexer import ExpressionError
from sim.experiments.discovery import discover
from sim.experiments.sweep import sweep
from tests.experiments.substitutes import Formula, Substitute, factors, planned


def corner(values: dict[str, Any], seed: int) -> dict[str, float | None]:
    """A loss where x1 is above 7 and x2 below 6; how large, is luck."""
    luck = float(np.random.default_rng([seed, int(1e9 * values["x1"])]).random())
    return {"shortfall": (values["x1"] > 7 and values["x2"] < 6) * (0.1 + luck)}


def store(
    folder: Path,
    formula: Formula = corner,
    lines: list[str] | None = None,
    head: str = "replications: 1",
    block: str = "design: {kind: latin_hypercube, cells: 300}",
) -> Path:
    """Return the folder of an experiment whose runs are a formula."""
    plan = planned(folder, block, lines or factors(3, 4.0, 10.0), head=head)
    return sweep(plan, out=folder, executor=Substitute(plan, formula)).folder


@pytest.fixture(scope="module")
def cornered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 300 runs that lose in a corner."""
    return store(tmp_path_factory.mktemp("corner"))


def test_the_corner_is_found_with_its_figures(cornered: Path) -> None:
    found = discover(cornered, "shortfall > 0")
    assert found.points == 300
    # A Latin hypercube: half of the cells have x1 > 7, a third x2 < 6.
    assert found.cases / found.points == pytest.approx(1 / 6, abs=0.04)
    first, chosen = found.frame.iloc[0], found.chosen.iloc[0]
    assert (first["coverage"], first["mass"], first["restricted"]) == (1.0, 1.0, 0)
    assert first["density"] == found.cases / found.points
    assert chosen["coverage"] > 0.9
    assert chosen["density"] > 0.9
    limits = found.limits.set_index("factor")
    assert list(limits.index) == ["x1", "x2"]
    assert limits["low"]["x1"] == pytest.approx(7, abs=0.25)
    assert limits["high"]["x2"] == pytest.approx(6, abs=0.25)
    assert np.isnan(limits["high"]["x1"])
    assert max(limits["p_low"]["x1"], limits["p_high"]["x2"]) < 1e-9
    assert found.warnings == ()


def test_a_condition_of_statistics_makes_cells_the_points(tmp_path: Path) -> None:
    block = "design: {kind: latin_hypercube, cells: 120}"
    folder = store(tmp_path, head="replications: 3", block=block)
    runs = discover(folder, "shortfall > 0")
    assert runs.points == 360
    assert "counted as if they were independent" in runs.warnings[0]
    cells = discover(folder, "share(shortfall > 0) > 50%")
    assert (cells.points, cells.cases) == (120, runs.cases // 3)
    assert not any("independent" in text for text in cells.warnings)
    assert cells.limits["factor"].tolist() == ["x1", "x2"]


def test_words_are_factors_too_and_a_second_box_is_found_outside_the_first(
    tmp_path: Path,
) -> None:
    lines = [
        *factors(1, 4.0, 10.0),
        "  - {path: clock.horizon, name: rule, values: [1s, 2s, 3s]}",
        "  - {path: assets.X2.price, name: fixed, values: [3]}",
    ]

    def two(values: dict[str, Any], seed: int) -> dict[str, float | None]:
        first = values["rule"] == "2s" and values["x1"] > 8
        return {"shortfall": float(first or (values["rule"] == "3s" and values["x1"] < 5))}

    found = discover(store(tmp_path, two, lines), "shortfall == 1", boxes=3)
    rules = found.limits[found.limits["factor"] == "rule"].set_index("box")["words"]
    assert sorted(rules[:2]) == ["2s", "3s"]
    assert found.chosen["coverage"][:2].sum() > 0.9
    assert not found.frame["restricted"].gt(2).any()
    paths = found.save()
    before = [path.read_bytes() for path in paths]
    assert [path.name for path in paths] == [
        "discovery.csv", "discovery-limits.csv", "discovery.svg", "discovery.png",
    ]  # fmt: skip
    again = discover(tmp_path / "known", "shortfall == 1", boxes=3).save()
    assert [path.read_bytes() for path in again] == before


def test_a_step_can_be_chosen(cornered: Path) -> None:
    found = discover(cornered, "shortfall > 0", step=2)
    assert found.chosen["step"].tolist() == [2]
    assert found.limits["factor"].nunique() == found.chosen["restricted"].iloc[0]
    with pytest.raises(IndexError, match="step must be from 0 to"):
        discover(cornered, "shortfall > 0", step=1000)
    with pytest.raises(ValueError, match="boxes must be at least 1, found 0"):
        discover(cornered, "shortfall > 0", boxes=0)


def test_runs_without_an_answer_are_left_out_and_counted(tmp_path: Path) -> None:
    def holes(values: dict[str, Any], seed: int) -> dict[str, float | None]:
        if values["x3"] > 9:
            raise ZeroDivisionError("no world")
        return {"shortfall": None if values["x3"] < 5 else float(values["x1"] > 7)}

    folder = store(tmp_path, holes)
    found = discover(folder, "shortfall > 0")
    assert found.points == pytest.approx(200, abs=2)
    assert found.warnings[0].endswith("of 300 runs failed or have no value; left out")
    cells = discover(folder, "mean(shortfall) > 0")
    assert cells.points == found.points
    assert "cells left out" in cells.warnings[0]


def test_luck_is_not_sold_as_a_finding(tmp_path: Path) -> None:
    def luck(values: dict[str, Any], seed: int) -> dict[str, float | None]:
        return {"shortfall": float(np.sin(1e9 * values["x1"]) > 0.9)}

    found = discover(store(tmp_path, luck), "shortfall > 0")
    assert any("may be luck, quasi-p" in text for text in found.warnings)


@pytest.mark.parametrize(
    ("where", "error", "said"),
    [
        ("shortfall > 9", RunError, "holds in none of 300; there is nothing to tell apart"),
        ("shortfall >= 0", RunError, "holds in all of 300"),
        ("shortfal > 0", ExpressionError, "did you mean 'shortfall'"),
        ("mean(shortfal) > 0", ExpressionError, "did you mean 'shortfall'"),
        ("shortfall >", ExpressionError, "a number or a name is expected"),
        ("shortfall", ExpressionError, "is a number, not a condition"),
    ],
)
def test_a_condition_that_tells_nothing_apart_is_refused(
    cornered: Path, where: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        discover(cornered, where)


def test_factors_that_some_cells_leave_out_or_none_changes_are_refused(tmp_path: Path) -> None:
    cells = "design: {kind: list, cells: [{assets.X1.price: 2}, {assets.X2.price: 2}]}"
    plan = planned(tmp_path, cells, [])
    with pytest.raises(ScenarioError, match="'liqsim sweep' wrote it"):
        discover(tmp_path / "nowhere", "shortfall > 0")
    folder = sweep(
        plan,
        out=tmp_path,
        executor=Substitute(plan, lambda v, seed: {"shortfall": float("assets.X1.price" in v)}),
    ).folder
    with pytest.raises(ScenarioError, match="1 runs without a value of"):
        discover(folder, "shortfall > 0")
    (tmp_path / "same").mkdir()
    line = "  - {path: assets.X1.price, name: p, values: [1]}"
    alike = store(
        tmp_path / "same",
        lambda v, seed: {"shortfall": float(seed % 2)},
        [line],
        "replications: 4",
        "",
    )
    with pytest.raises(RunError, match="no factor differs"):
        discover(alike, "shortfall > 0")
