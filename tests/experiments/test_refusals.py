"""What an experiment may not be: everything is said before anything runs, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sim.core.errors import ScenarioError
from sim.experiments.check import stretches
from sim.experiments.plan import prepare
from tests.experiments.base import plan, problems, said, write


def factor(path: Any, *values: Any, **keys: Any) -> dict[str, Any]:
    return {"path": path, "values": list(values), **keys}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("shocks.0.retrun", "did you mean 'return'?"),
        ("venues.alhpa.margin.initial_rate", "did you mean 'alpha'?"),
        ("venues.alpha.margn.initial_rate", "did you mean 'margin'?"),
        ("shocks.1.return", "'1' as an item of shocks"),
        ("shocks.0.return.size", "below shocks.0.return, which is -0.08"),
        ("shocks..return", "a path with an empty part"),
    ],
)
def test_a_path_that_leads_nowhere_is_one_problem(tmp_path: Path, path: str, words: str) -> None:
    """It is said once for all cells, at the line of its factor, with the nearest name."""
    factors = [factor("shocks.0.at", 1, 2, 3), factor(path, 0.1, 0.2)]
    (problem,) = problems(tmp_path, factors=factors)
    text = str(problem)
    assert words in text
    assert problem.path == "factors.1"
    assert problem.line == line_of(tmp_path, path)
    assert "in all 6 cells" in text


def line_of(folder: Path, text: str) -> int:
    """Return the line of an experiment file at which the factor with a text begins."""
    lines = (folder / "experiment.yaml").read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if text in line)
    return next(number for number in range(at, -1, -1) if lines[number].startswith("- ")) + 1


def test_every_cell_that_cannot_run_is_listed(tmp_path: Path) -> None:
    """A range whose lower part is no return: the cells are numbered, the first is described."""
    factors = [
        {"path": "shocks.0.return", "name": "fall", "range": [-1.5, -0.1], "levels": 8},
        factor("shocks.0.at", 1, 2, name="at"),
    ]
    (problem,) = problems(tmp_path, factors=factors)
    bad = [cell for cell in range(16) if -1.5 + (cell // 2) * 0.2 <= -1 + 1e-9]
    assert bad == list(range(6))
    assert problem.path == "factors.0"
    assert "cell 0 (fall = -1.5, at = 1)" in problem.found
    assert "6 cells of 16: 0-5" in problem.found
    assert problem.allowed == "a number above -1"


def test_all_mistakes_are_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    factors = [factor("shocks.0.retrun", 1), factor("assets.BTC.price", -5), factor("nothing.x", 1)]
    found = problems(tmp_path, factors=factors, metrics=["shortfal", "accounts +"])
    assert [problem.path for problem in found] == [
        "factors.0", "factors.1", "factors.2", "metrics.0", "metrics.1",
    ]  # fmt: skip
    assert [problem.line for problem in found] == sorted(problem.line or 0 for problem in found)


def test_a_path_into_a_block_of_another_factor_is_fine(tmp_path: Path) -> None:
    """A value may be bad alone and good beside others."""
    impacts = [{"kind": "power", "adv": 1e9, "outstanding": 1e8}]
    factors = [
        factor("markets.0.impact", *impacts, name="law"),
        factor("markets.0.impact.adv", 1e8, 1e9),
    ]
    assert [cell.number for cell in plan(tmp_path, factors=factors).cells] == [0, 1]


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("shortfal", "did you mean 'shortfall'?"),
        ("venues.alpha.shortfal", "did you mean 'venues.alpha.shortfall'?"),
        ("venues.gamma.shortfall", "no figure 'venues.gamma'"),
        ("venues", "'venues' is a table"),
        ("run_id * 1", "'run_id' is text"),
        ("1 +", "column 4"),
        ("mean(shortfall)", "no function 'mean'"),
    ],
)
def test_a_metric_that_no_run_has_is_refused(tmp_path: Path, metric: str, words: str) -> None:
    (problem,) = problems(tmp_path, metrics=[{"name": "m", "value": metric}])
    assert problem.path == "metrics.0"
    assert words in str(problem)


def test_a_metric_of_some_cells_is_accepted(tmp_path: Path) -> None:
    """A layer that only some cells have; elsewhere the figure has no value."""
    waterfalls = [
        [{"kind": "insurance_fund", "size": 1e5}, {"kind": "socialise"}],
        [{"kind": "socialise"}],
    ]
    factors = [factor("venues.alpha.waterfall", *waterfalls, name="layers")]
    metric = {"name": "paid", "value": "venues.alpha.layers.insurance_fund"}
    assert not said(tmp_path, factors=factors, metrics=[metric])


def test_cells_of_a_list_are_named_by_number_and_line(tmp_path: Path) -> None:
    design = {"kind": "list", "cells": [{"shocks.0.return": -0.1}, {"shocks.0.retrun": -0.1}]}
    (problem,) = problems(tmp_path, design=design, factors=None)
    assert problem.path == "design.cells.1.shocks.0.retrun"
    assert problem.line is not None


def test_a_scenario_that_is_missing_or_broken_is_refused(tmp_path: Path) -> None:
    assert "which does not exist" in said(tmp_path, scenario="smal.yaml")
    file = write(tmp_path, text="name: small\n")
    with pytest.raises(ScenarioError, match="'clock' is required"):
        prepare(file)


def test_values_set_for_all_cells_are_checked(tmp_path: Path) -> None:
    file = write(tmp_path)
    assert prepare(file, overrides={"clock.horizon": "10s"}).base.scenario({}).clock.horizon == 10
    with pytest.raises(ScenarioError, match="did you mean 'horizon'"):
        prepare(file, overrides={"clock.horizn": "10s"})


@pytest.mark.parametrize("word", ["yes", "1e3", "a: b", "{", "#", "é😀", "\u2028", "'", "null", ""])
def test_a_word_arrives_as_it_is(tmp_path: Path, word: str) -> None:
    """A text is never read as YAML once more: no boolean, number or block comes of it."""
    made = plan(tmp_path, factors=[factor("description", word)])
    assert made.base.scenario(made.cells[0].overrides).description == word


def test_cells_are_listed_in_stretches() -> None:
    assert stretches([3]) == "3"
    assert stretches([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
    assert stretches(range(0, 200, 2)).endswith("78 and 60 more")


def test_seeds_fit_into_the_table(tmp_path: Path) -> None:
    assert plan(tmp_path, seed=2**63 - 2, replications=2).seed_of(0, 1) == 2**63 - 1
    assert "seed: found a seed of 9223372036854775808" in said(
        tmp_path, seed=2**63 - 1, replications=2
    )
