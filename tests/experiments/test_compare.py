"""Variants on common draws: `liqsim compare` and what it says."""

from __future__ import annotations

import json
import math
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.core.errors import ScenarioError
from sim.experiments.compare import compare
from sim.experiments.plan import prepare
from sim.experiments.sweep import sweep
from tests.cli.command import ROOT, invoke, small
from tests.experiments.base import problems, said, untimed, write
from tests.experiments.fakes import performing

TWO = {"variants": {"as_is": {}, "deep": {"shocks.0.return": -0.12}}}
NONE: dict[str, Any] = {"factors": None}


class Known(Executor):
    """Answers tasks with a function of their overrides and seed."""

    def __init__(self, outcome) -> None:
        self.perform, self.runs = performing(outcome), 0

    def submit(self, fn, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.runs += 1
        future: Future[Any] = Future()
        future.set_result(self.perform(args[0]))
        return future


def drawn(seed: int) -> float:
    return float(np.random.Generator(np.random.PCG64(seed)).normal(0.0, 10.0))


def shifted(overrides: dict[str, Any], seed: int) -> dict[str, Any]:
    """A figure that the shock moves by a little beside large luck that all variants share."""
    effect = -10 * (overrides.get("shocks.0.return", -0.08) + 0.08)
    noise = float(np.random.Generator(np.random.PCG64(10_000 + seed)).normal(0.0, 0.1))
    return {"shortfall": drawn(seed) + effect * (1 + noise), "accounts_liquidated": 3.0}


def test_no_fewer_replications_are_advised_than_can_pass_the_correction(tmp_path: Path) -> None:
    """Four pairs of a large effect: d alone asks for 3, but 2 / 2^N < 0.05 / 2 takes 7."""
    file = write(tmp_path, compare=TWO, replications=4, **NONE)
    result = compare(file, out=tmp_path / "out", executor=Known(shifted), workers=1)
    row = result.frame.to_dict("records")[0]
    assert row["d"] > 5
    assert row["needed"] == 7
    assert row["verdict"].endswith("about 7 replications might tell")
    assert any(text.startswith("it takes 7 pairs") for text in result.remarks)


def test_a_scenario_that_is_not_there_is_named_with_its_neighbours(tmp_path: Path) -> None:
    found = invoke("compare", "two-venues", "shared-colateral", "--out", tmp_path / "out")
    assert found.exit_code == 3
    assert "shared-colateral: FILE: found no such file" in found.stderr
    assert "did you mean 'shared-collateral'?" in found.stderr
    assert not (tmp_path / "out").exists()


def test_failed_runs_of_a_comparison_are_run_again_on_request(tmp_path: Path) -> None:
    class Failing(Known):
        def submit(self, fn, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future = super().submit(fn, *args, **kwargs)
            bad = {"status": "failed", "stage": "run", "message": "out of money"}
            future.result().update(bad if args[0].replication == 1 else {})
            return future

    file = write(tmp_path, compare=TWO, replications=4, **NONE)
    assert len(compare(file, out=tmp_path, executor=Failing(shifted), workers=1).sweep.failures)
    good = Known(shifted)
    again = compare(file, out=tmp_path, executor=good, workers=1, retry_failed=True)
    assert (good.runs, len(again.sweep.failures)) == (2, 0)


def test_variants_share_their_draws_and_a_small_effect_is_told(tmp_path: Path) -> None:
    file = write(tmp_path, compare=TWO, replications=20, **NONE)
    result = compare(file, out=tmp_path / "out", executor=Known(shifted), workers=1)
    shortfall, sold = result.frame.to_dict("records")
    assert shortfall["difference"] == pytest.approx(0.4, rel=0.1)
    assert shortfall["low"] < 0.4 < shortfall["high"]
    assert shortfall["told"]
    assert shortfall["verdict"] == "higher"
    assert shortfall["gain"] > 1000
    assert sold["verdict"] == "the same in every pair"
    assert not sold["told"]
    assert math.isnan(sold["gain"])


def test_a_difference_that_is_luck_is_not_told_and_says_how_many_might(tmp_path: Path) -> None:
    def outcome(overrides: dict[str, Any], seed: int) -> dict[str, Any]:
        far = 1000 if "shocks.0.return" in overrides else 0
        return {"shortfall": drawn(seed + far) + far / 1000, "accounts_liquidated": 0.0}

    file = write(tmp_path, compare=TWO, replications=12, **NONE)
    result = compare(file, out=tmp_path / "out", executor=Known(outcome), workers=1)
    row = result.frame.to_dict("records")[0]
    assert not row["told"]
    assert "not told from no difference" in row["verdict"]
    assert row["low"] < 0 < row["high"]
    assert row["needed"] > 12
    assert f"{row['needed']:,} replications might tell" in row["verdict"]


def test_worse_follows_what_is_better(tmp_path: Path) -> None:
    def outcome(overrides: dict[str, Any], seed: int) -> dict[str, Any]:
        more = 1.0 if "shocks.0.return" in overrides else 0.0
        return {"shortfall": more, "accounts_liquidated": more}

    block = {**TWO, "better": {"sold": "higher"}}
    file = write(tmp_path, compare=block, replications=9, **NONE)
    result = compare(file, out=tmp_path / "out", executor=Known(outcome), workers=1)
    assert list(result.frame["worse"]) == [1.0, 0.0]


def test_pairs_without_a_value_are_left_out_and_counted(tmp_path: Path) -> None:
    def outcome(overrides: dict[str, Any], seed: int) -> dict[str, Any]:
        missing = "shocks.0.return" in overrides and seed == 8
        return {"shortfall": None if missing else float(seed), "accounts_liquidated": 1.0}

    file = write(tmp_path, compare=TWO, replications=9, **NONE)
    result = compare(file, out=tmp_path / "out", executor=Known(outcome), workers=1)
    row = result.frame.to_dict("records")[0]
    assert (row["runs"], row["missing"]) == (8, 1)
    assert any("1 of 9 pairs have no value" in text for text in result.remarks)


def test_every_point_of_a_design_is_compared_by_itself(tmp_path: Path) -> None:
    def outcome(overrides: dict[str, Any], seed: int) -> dict[str, Any]:
        fund = overrides["venues.alpha.waterfall.0.size"]
        deep = "shocks.0.return" in overrides
        return {"shortfall": fund * (2 if deep else 1), "accounts_liquidated": 0.0}

    factors = [{"path": "venues.alpha.waterfall.0.size", "name": "fund", "values": [1, 10]}]
    file = write(tmp_path, compare=TWO, factors=factors, replications=2)
    result = compare(file, out=tmp_path / "out", executor=Known(outcome), workers=1)
    rows = result.frame[result.frame["metric"] == "shortfall"]
    assert list(rows["fund"]) == [1, 10]
    assert list(rows["difference"]) == [1, 10]
    assert sorted(set(result.sweep.frame["variant"])) == ["as_is", "deep"]


def test_the_store_goes_on_and_more_replications_are_added(tmp_path: Path) -> None:
    first = Known(shifted)
    file = write(tmp_path, compare=TWO, replications=4, **NONE)
    compare(file, out=tmp_path / "out", executor=first, workers=1)
    assert first.runs == 8
    more = Known(shifted)
    file = write(tmp_path, compare={**TWO, "correction": "none"}, replications=6, **NONE)
    whole = compare(file, out=tmp_path / "out", executor=more, workers=1)
    assert more.runs == 4
    fresh = compare(file, out=tmp_path / "new", executor=Known(shifted), workers=1)
    assert untimed(whole.sweep.frame).equals(untimed(fresh.sweep.frame))
    assert whole.frame.equals(fresh.frame)


def test_a_scenario_compared_with_itself_differs_by_nothing(tmp_path: Path) -> None:
    file = small(tmp_path)
    found = invoke(
        "compare", file, file, "--replications", "3", "--out", tmp_path / "out", "--workers", "1",
        "--json", "-q",
    )  # fmt: skip
    assert found.exit_code == 0
    document = json.loads(found.stdout)
    assert document["runs"] == 6
    assert {row["difference"] for row in document["comparisons"]} == {0.0}
    assert {row["verdict"] for row in document["comparisons"]} == {"the same in every pair"}


def test_two_files_are_each_run_as_they_are(tmp_path: Path) -> None:
    """The runs of `compare A B` are those of A and of B alone, on the same seeds."""
    one = small(tmp_path)
    text = one.read_text(encoding="utf-8").replace("return: -0.08", "return: -0.15")
    (tmp_path / "deep.yaml").write_text(text, encoding="utf-8")
    arguments = (
        "compare", one, tmp_path / "deep.yaml", "--replications", "3", "--metric", "shortfall",
        "--metric", "liquidated_notional", "--out", tmp_path / "out", "--workers", "1", "-q",
    )  # fmt: skip
    first = invoke(*arguments)
    assert first.exit_code == 0
    folder = tmp_path / "out" / "small-vs-deep"
    assert {path.name for path in folder.glob("comparison.*")} >= {
        "comparison.csv", "comparison.png", "comparison.svg",
    }  # fmt: skip
    again = {path: path.read_bytes() for path in folder.glob("comparison.*")}
    assert invoke(*arguments).stdout == first.stdout
    assert {path: path.read_bytes() for path in folder.glob("comparison.*")} == again
    alone = write(tmp_path, factors=None, metrics=["shortfall", "liquidated_notional"],
                  design={"kind": "list", "cells": [{}, {"shocks.0.return": -0.15}]},
                  replications=3)  # fmt: skip
    runs = sweep(alone, out=tmp_path / "alone", workers=1).frame
    import duckdb

    table = duckdb.sql(f"SELECT * FROM '{folder / 'runs.parquet'}' ORDER BY cell, seed").df()
    for name in ("seed", "shortfall", "liquidated_notional"):
        assert list(table[name]) == list(runs[name])


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({}, "one of variants, scenarios"),
        ({"variants": {"a": {}}}, "at least 2"),
        ({**TWO, "confidence": 1.0}, "below 1"),
        ({**TWO, "better": {"shortfal": "higher"}}, "a metric of this experiment"),
        ({"variants": {"a": {}, "b": {"shocks.0.retrun": 1}}}, "did you mean 'return'?"),
        ({"scenarios": {"a": "small.yaml", "b": "nowhere.yaml"}}, "which does not exist"),
    ],
)
def test_a_comparison_that_cannot_be_is_refused(tmp_path: Path, block: Any, words: str) -> None:
    text = said(tmp_path, compare=block, factors=None)
    assert words in text
    assert "experiment.yaml:" in text


def test_a_path_of_a_factor_and_a_variant_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, compare=TWO)
    assert problem.path == "compare.variants.deep.shocks.0.return"
    assert "which a factor sets too" in problem.found


def test_compare_needs_common_random_numbers(tmp_path: Path) -> None:
    text = said(tmp_path, compare=TWO, factors=None, common_random_numbers=False)
    assert "differences are of the same draws" in text


def test_compare_stands_beside_no_search(tmp_path: Path) -> None:
    reverse = {"condition": "shortfall > 0"}
    assert "compare beside reverse" in said(tmp_path, compare=TWO, reverse=reverse)


def test_an_experiment_without_the_block_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="a block compare"):
        compare(write(tmp_path), out=tmp_path / "out")


def test_one_scenario_alone_is_a_mistake_of_use(tmp_path: Path) -> None:
    found = invoke("compare", small(tmp_path))
    assert found.exit_code == 2
    assert "one scenario alone" in found.stderr


def test_the_bundled_comparison_is_sound_and_maps_its_regions(tmp_path: Path) -> None:
    made = prepare(ROOT / "scenarios" / "experiments" / "cross-or-isolated.yaml")
    assert len(made.cells) % 3 == 0
    made = replace(made, experiment=made.experiment.model_copy(update={"replications": 14}))

    def outcome(overrides: dict[str, Any], seed: int) -> dict[str, Any]:
        mild = overrides["shocks.0.return"] > -0.15
        isolated = "traders.0.margin_mode" in overrides
        figure = float(isolated == mild) + 0.001 * drawn(seed + isolated)
        return {
            "liquidated_notional": figure, "shortfall": figure, "traders_liquidated": figure,
            "markets": {
                "alpha/ETH-PERP": {"max_drawdown": figure},
                "beta/BTC-PERP": {"max_drawdown": figure},
                "beta/ETH-PERP": {"max_drawdown": figure},
            },
        }  # fmt: skip

    result = compare(made, out=tmp_path, executor=Known(outcome), workers=1)
    for row in result.frame[result.frame["metric"] == "sold"].to_dict("records"):
        told = "higher" if row["fall"] > -0.15 else "lower"
        assert (
            row["verdict"] == {"isolated": told, "shared": "the same in every pair"}[row["variant"]]
        )
    names = {path.name for path in result.save()}
    assert {"regions-isolated.png", "regions-shared.png", "comparison.png"} <= names


def test_a_factor_with_one_value_is_no_axis_of_the_map(tmp_path: Path) -> None:
    made = prepare(ROOT / "scenarios" / "experiments" / "local-or-shared.yaml")

    def outcome(overrides: dict[str, Any], seed: int) -> dict[str, Any]:
        figure = drawn(seed) + ("traders.0.top_up" in overrides)
        return {
            "liquidated_notional": figure, "shortfall": figure, "traders_liquidated": figure,
            "venues": {"beta": {"liquidated_notional": figure}},
        }  # fmt: skip

    result = compare(made, out=tmp_path, executor=Known(outcome), workers=1)
    assert result.factors == ["fall_on_alpha", "fall_on_beta"]
    assert "regions-shared.png" in {path.name for path in result.save()}
