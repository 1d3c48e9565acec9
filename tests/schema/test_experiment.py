"""Experiment files: what may be written in them, with the place of what may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from sim.core.errors import Problem, ScenarioError
from sim.schema import Experiment, load_experiment
from sim.schema import load as load_scenario
from sim.schema.json_schema import experiment_schema, json_schema_text
from tests.experiments.base import experiment, said, write

EXPERIMENTS = Path(__file__).parents[2] / "scenarios" / "experiments"


def load(folder: Path, **keys: Any) -> Experiment:
    """Return an experiment that was written with some keys replaced."""
    file = folder / "experiment.yaml"
    with file.open("w", encoding="utf-8") as stream:
        YAML(typ="safe").dump(experiment(**keys), stream)
    return load_experiment(file)


def refused(folder: Path, **keys: Any) -> tuple[Problem, ...]:
    """Return the problems of an experiment with some keys replaced."""
    with pytest.raises(ScenarioError) as error:
        load(folder, **keys)
    return error.value.problems


def test_defaults() -> None:
    said = {"schema_version": 1, "name": "e", "scenario": "s.yaml", "metrics": ["shortfall"]}
    found = Experiment.model_validate(said)
    assert (found.replications, found.common_random_numbers, found.keep) == (1, True, "metrics")
    assert found.design.kind == "grid"
    assert found.factors == []
    assert found.seed is None
    assert (found.metrics[0].name, found.metrics[0].value) == ("shortfall", "shortfall")


@pytest.mark.parametrize(
    ("factor", "place", "words"),
    [
        ({}, "factors.0", "found none of them; allowed: one of values, range, distribution"),
        ({"values": [1], "range": [0, 1]}, "factors.0", "found values and range"),
        ({"values": []}, "factors.0.values", "at least 1 entry"),
        ({"values": [1, 1]}, "factors.0.values", "the same value twice"),
        ({"values": [1], "levels": 3}, "factors.0.levels", "no levels with values"),
        ({"range": [1, 0], "levels": 2}, "factors.0.range", "the lower value first"),
        ({"range": [1, 1], "levels": 2}, "factors.0.range", "the lower value first"),
        ({"range": [0, 1], "levels": 1}, "factors.0.levels", "of at least 2"),
        ({"range": [0, 1], "levels": 2, "scale": "log"}, "factors.0.range", "neither of them 0"),
        ({"range": [-1, 1], "levels": 2, "scale": "log"}, "factors.0.range", "bounds of one sign"),
        ({"values": [1], "scale": "log"}, "factors.0.scale", "log without a range"),
        ({"range": [0, float("nan")], "levels": 2}, "factors.0.range.1", "nan"),
        ({"range": [0, float("inf")], "levels": 2}, "factors.0.range.1", "inf"),
        ({"range": [0], "levels": 2}, "factors.0.range", ""),
        ({"range": [0, 1]}, "factors.0", "no levels for a grid"),
        ({"values": [1], "nmae": "x"}, "factors.0.nmae", "did you mean 'name'?"),
        ({"values": [1], "path": []}, "factors.0.path", "at least 1 entry"),
        ({"values": [1], "whole": "yes"}, "factors.0.whole", "true or false"),
        ({"values": [1.5], "whole": True}, "factors.0.whole", "found whole beside values"),
        ({"range": [0.4, 3], "levels": 2, "whole": True}, "factors.0.range", "whole bounds"),
        ({"values": [1], "path": "seed", "name": "s"}, "factors.0.path", "or the key seed of"),
        ({"range": [0, 1], "levels": 20_000_000}, "factors", "20,000,000 runs of 20,000,000 cells"),
        ({"distribution": {"dist": "normal"}}, "factors.0.distribution", ""),
    ],
)
def test_factors(tmp_path: Path, factor: dict[str, Any], place: str, words: str) -> None:
    problems = refused(tmp_path, factors=[{"path": "shocks.0.return", **factor}])
    found = [str(problem) for problem in problems if problem.path.startswith(place)]
    assert found, [str(problem) for problem in problems]
    assert words in found[0]
    assert all(problem.line is not None for problem in problems)


@pytest.mark.parametrize(
    ("keys", "place", "words"),
    [
        ({"schema_version": 2}, "schema_version", "1"),
        ({"schema_version": True}, "schema_version", "1"),
        ({"name": "two words"}, "name", ""),
        ({"name": "../x"}, "name", ""),
        ({"metrics": []}, "metrics", "at least 1 entry"),
        ({"metrics": ["shortfall", "shortfall"]}, "metrics.1", "a column of metric 0"),
        ({"metrics": [{"name": "fall", "value": "accounts"}]}, "metrics.0", "a column of factor 0"),
        ({"metrics": [{"name": "seed", "value": "accounts"}]}, "metrics.0", "the table of runs"),
        ({"replications": 0}, "replications", "of at least 1"),
        ({"replications": 1.5}, "replications", "whole number"),
        ({"replications": 2_000_000, "common_random_numbers": False}, "replications", "1,000,000"),
        ({"seed": -1}, "seed", "of at least 0"),
        ({"keep": "all"}, "keep", "metrics, summary, runs"),
        ({"design": {"kind": "gird"}}, "design.kind", "did you mean 'grid'?"),
        ({"design": {"kind": "sobol"}}, "design.cells", "required"),
        ({"design": {"kind": "sobol", "cells": 0}}, "design.cells", "of at least 1"),
        ({"design": {"kind": "list", "cells": [{}]}}, "factors", "each cell names its own paths"),
        ({"design": {"kind": "list", "cells": []}, "factors": None}, "design.cells", "at least 1"),
        ({"metircs": ["shortfall"]}, "metircs", "did you mean 'metrics'?"),
    ],
)
def test_experiments(tmp_path: Path, keys: dict[str, Any], place: str, words: str) -> None:
    problems = refused(tmp_path, **keys)
    found = [str(problem) for problem in problems if problem.path == place]
    assert found, [str(problem) for problem in problems]
    assert words in found[0]


def test_paired_factors_have_as_many_values(tmp_path: Path) -> None:
    factors = [
        {"path": "shocks.0.return", "values": [-0.1, -0.2]},
        {"path": "assets.BTC.price", "values": [1, 2, 3]},
        {"path": "assets.USDT.price", "range": [1, 2], "levels": 2},
    ]
    problems = refused(tmp_path, factors=factors, design={"kind": "paired"})
    assert "as many as the other factors have" in str(problems[0])
    assert {problem.path for problem in problems} >= {"factors.2"}


@pytest.mark.parametrize("text", ["", "[]", "just text", "a: b: c"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError):
        load_experiment(file)


def test_written_schema_is_the_models() -> None:
    written = (EXPERIMENTS / "experiment.schema.json").read_text(encoding="utf-8")
    assert written == json_schema_text("experiment"), "write it anew: liqsim schema experiment"


@pytest.mark.parametrize("file", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_schema_accepts_the_bundled_experiments(file: Path) -> None:
    Draft202012Validator.check_schema(experiment_schema())
    validator = Draft202012Validator(experiment_schema())
    said = YAML(typ="safe").load(file)
    assert not list(validator.iter_errors(said))
    assert load_experiment(file).name == file.stem


@pytest.mark.parametrize(
    "keys",
    [
        {"metircs": []},
        {"replications": 0},
        {"design": {"kind": "gird"}},
        {"factors": [{"values": [1]}]},
        {"keep": "all"},
    ],
)
def test_schema_refuses_what_the_loader_refuses(keys: dict[str, Any]) -> None:
    validator = Draft202012Validator(experiment_schema())
    assert not list(validator.iter_errors(json.loads(json.dumps(experiment()))))
    assert list(validator.iter_errors(experiment(**keys)))


@pytest.mark.parametrize(
    ("keys", "place", "words"),
    [
        ({"metrics": ["fees", {"name": "Fees", "value": "shortfall"}]}, "metrics.1", "of metric 0"),
        ({"metrics": ["fees", {"name": "fees ±", "value": "fees"}]}, "metrics.1", "of metric 0"),
        ({"metrics": [{"name": "runs", "value": "fees"}]}, "metrics.0", "the table of runs itself"),
        ({"metrics": [{"name": " ", "value": "fees"}]}, "metrics.0", "a metric without a name"),
        ({"factors": None, "design": {"kind": "list", "cells": [{}, {"seed": 1}]}},
         "design.cells.1.seed", "the table of runs itself"),
        ({"design": {"kind": "sobol", "cells": 1_000_000}, "replications": 100},
         "design.cells", "100,000,000 runs of 1,000,000 cells; allowed: at most 10,000,000 runs"),
    ],
)  # fmt: skip
def test_every_column_has_a_name_of_its_own_and_a_table_has_an_end(
    tmp_path: Path, keys: dict[str, Any], place: str, words: str
) -> None:
    (problem,) = refused(tmp_path, **keys)
    assert problem.path == place
    assert words in str(problem)


def test_a_factor_that_a_later_one_replaces_is_refused(tmp_path: Path) -> None:
    """Its column would name values that no run had."""
    inner = {"path": "shocks.0.return", "values": [-0.1]}
    block = {"path": "shocks.0", "name": "shock", "values": [{"kind": "jump"}]}
    again = {**inner, "name": "again"}
    for later in (block, again, inner):
        problem = refused(tmp_path, factors=[inner, later])[-1]
        assert problem.path == "factors.1.path"
        assert "replaces what factor 0 sets" in str(problem)
    assert len(load(tmp_path, factors=[block, inner]).factors) == 2


def test_a_scenario_is_no_experiment_and_is_told_so_once(tmp_path: Path) -> None:
    file = write(tmp_path)
    with pytest.raises(ScenarioError) as error:
        load_experiment(tmp_path / "small.yaml")
    (problem,) = error.value.problems
    assert "found a scenario; allowed: an experiment" in str(problem)
    assert "is for 'liqsim run'" in str(problem)
    with pytest.raises(ScenarioError, match=r"found an experiment; allowed: a scenario; .*sweep"):
        load_scenario(file)


def test_the_nearest_scenario_beside_an_experiment_is_named(tmp_path: Path) -> None:
    assert "did you mean 'small.yaml'?" in said(tmp_path, scenario="smal.yaml")
