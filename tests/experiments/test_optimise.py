"""The best settings: known fronts, luck, interruption, refusals."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.core.errors import RunError, ScenarioError
from sim.experiments.optimise import OptimiseResult, optimise
from sim.experiments.task import Row, Task
from tests.experiments.fakes import normal, performing, written

SCHAFFER = """
name: schaffer
replications: 5
factors: [{path: shocks.0.return, name: x, range: [-0.9, 0.9]}]
metrics: [shortfall, fees]
optimise:
  objectives: [{minimise: mean(shortfall)}, {minimise: mean(fees)}]
  trials: 100
  population: 20
"""


def schaffer(values: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return x^2 and (x - 2)^2, whose front is x in [0, 2]: sqrt(f1) + sqrt(f2) = 2."""
    x = 10 * values["shocks.0.return"]
    return {"shortfall": x**2, "fees": (x - 2) ** 2}


def search(folder: Path, text: str, outcome: Any) -> OptimiseResult:
    """Run an optimisation of a function."""
    file = written(folder, text)
    return optimise(file, out=folder / "out", workers=1, perform=performing(outcome))


@pytest.mark.parametrize("method", ["nsga2", "tpe"])
def test_schaffers_front_is_found(tmp_path: Path, method: str) -> None:
    result = search(tmp_path, SCHAFFER + f"  method: {method}\n", schaffer)
    assert len(result.scores) == 100
    assert len(result.front) >= 8
    for finalist in result.front:
        f1, f2 = (e.value for e in finalist.fresh)
        assert -0.05 <= 10 * finalist.score.named["x"] <= 2.05
        assert math.sqrt(f1) + math.sqrt(f2) == pytest.approx(2.0, abs=0.06)
    reached = [f.fresh[0].value for f in result.front]
    assert min(reached) < 0.3
    assert max(reached) > 2.5


def test_zdt1_comes_near_its_front(tmp_path: Path) -> None:
    """ZDT1 in 3 variables: f2 = g (1 - sqrt(f1 / g)), g = 1 + 9 mean of the others; front g = 1."""
    text = """
name: zdt1
factors:
  - {path: markets.0.impact.coefficient, name: a, range: [0.0001, 1]}
  - {path: shocks.0.return, name: b, range: [0, 1]}
  - {path: venues.one.margin.maintenance_rate, name: c, range: [0, 0.5]}
metrics: [shortfall, fees]
optimise:
  objectives: [{minimise: mean(shortfall)}, {minimise: mean(fees)}]
  trials: 600
  population: 24
"""

    def zdt1(values: dict[str, Any], seed: int) -> dict[str, Any]:
        f1 = values["markets.0.impact.coefficient"]
        others = values["shocks.0.return"] + 2 * values["venues.one.margin.maintenance_rate"]
        g = 1 + 9 * others / 2
        return {"shortfall": f1, "fees": g * (1 - math.sqrt(f1 / g))}

    result = search(tmp_path, text, zdt1)
    gaps = [f.fresh[1].value - (1 - math.sqrt(f.fresh[0].value)) for f in result.front]
    assert np.median(gaps) < 0.1
    assert min(gaps) > -1e-9


def lucky(values: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return noise of each setting and seed, the same distribution everywhere."""
    setting = round(1e9 * abs(values["shocks.0.return"]))
    return {"shortfall": normal(seed * 1_000_003 + setting), "fees": 0.0}


def test_the_winner_of_pure_noise_is_seen_to_be_luck(tmp_path: Path) -> None:
    text = SCHAFFER.replace(", {minimise: mean(fees)}", "").replace("trials: 100", "trials: 80")
    text += "  fresh: 60\n  finalists: 6\n"
    result = search(tmp_path, text, lucky)
    best = min(result.finalists, key=lambda f: f.score.estimates[0].value)
    # the least of 80 means of 5 is about 2.4 deviations of 0.45 below 0
    assert best.score.estimates[0].value < -0.6
    assert abs(best.fresh[0].value) < 4 / math.sqrt(60)
    assert len(result.finalists) == 6
    assert sum(f.stays for f in result.finalists) == 1
    assert any("dominated finalists have intervals that overlap" in r for r in result.remarks)
    runs = result.runs
    assert set(runs["replication"]) == set(range(65))
    fresh = runs[runs["replication"] >= 5]
    assert set(fresh["cell"]) == {f.score.cell for f in result.finalists}
    assert set(fresh["seed"]).isdisjoint(runs[runs["replication"] < 5]["seed"])


def test_one_fresh_replication_is_said_to_tell_nothing_of_luck(tmp_path: Path) -> None:
    text = SCHAFFER.replace("replications: 5", "replications: 1").replace("100", "20")
    result = search(tmp_path, text, lucky)
    assert any(remark.startswith("no intervals: from so few") for remark in result.remarks)


def test_maximising_is_minimising_the_opposite(tmp_path: Path) -> None:
    text = SCHAFFER.replace(
        "[{minimise: mean(shortfall)}, {minimise: mean(fees)}]",
        "[{maximise: mean(0 - shortfall), name: little}]",
    )
    result = search(tmp_path, text, schaffer)
    assert abs(10 * result.finalists[0].score.named["x"]) < 0.5
    assert result.finalists[0].fresh[0].value <= 0
    assert "little in search" in result.frame


def test_words_and_whole_numbers_are_chosen(tmp_path: Path) -> None:
    text = """
name: words
factors:
  - {path: name, name: word, values: [bad, good, worse]}
  - {path: markets.0.impact.coefficient, name: n, range: [1, 20], whole: true}
metrics: [shortfall]
optimise: {objectives: [{minimise: mean(shortfall + n / 10)}], trials: 60, population: 10}
"""

    def outcome(values: dict[str, Any], seed: int) -> dict[str, Any]:
        return {"shortfall": {"bad": 3.0, "good": 1.0, "worse": 5.0}[values["name"]]}

    best = search(tmp_path, text, outcome).finalists[0]
    assert best.score.named["word"] == "good"
    assert best.score.named["n"] <= 3


def test_a_setting_that_fails_is_left_out_and_told(tmp_path: Path) -> None:
    good = performing(schaffer)

    def perform(task: Task) -> Row:
        failed = {"status": "failed", "stage": "run", "message": "too much"}
        return {**good(task), **(failed if task.overrides["shocks.0.return"] < -0.5 else {})}

    file = written(tmp_path, SCHAFFER)
    result = optimise(file, out=tmp_path / "out", workers=1, perform=perform)
    assert result.failed
    assert all(score.named["x"] < -0.5 for score in result.failed)
    assert "failed: run: too much" in str(result.failed[0].reason)
    assert all(f.score.named["x"] > -0.1 for f in result.front)

    def broken(task: Task) -> Row:
        return {**good(task), "status": "failed", "stage": "run", "message": "no"}

    with pytest.raises(RunError, match="none of 100 settings has a score"):
        optimise(file, out=tmp_path / "none", workers=1, perform=broken)


@pytest.mark.parametrize("after", [0, 7, 333, 510])
def test_an_interrupted_search_ends_like_an_undisturbed_one(tmp_path: Path, after: int) -> None:
    file = written(tmp_path, SCHAFFER)
    whole = optimise(file, out=tmp_path / "whole", workers=1, perform=performing(schaffer))
    count = [0]

    def perform(task: Task) -> Row:
        if count[0] == after:
            raise KeyboardInterrupt
        count[0] += 1
        return performing(schaffer)(task)

    with pytest.raises(KeyboardInterrupt):
        optimise(file, out=tmp_path / "cut", workers=1, perform=perform)
    resumed = optimise(file, out=tmp_path / "cut", workers=1, perform=performing(schaffer))
    assert resumed.done_before == after
    assert resumed.frame.equals(whole.frame)
    assert resumed.runs.equals(whole.runs)


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("mean(fees)", "mean(fee)", "optimise.objectives.1", "did you mean 'fees'"),
        ("mean(fees)", "fees", "optimise.objectives.1", "one statistic over the runs"),
        ("mean(fees)", "p99(fees)", "optimise.objectives.1", "at least 368 of them"),
        ("{minimise: mean(fees)}", "{minimise: mean(fees), maximise: mean(fees)}",
         "optimise.objectives.1", "one of minimise, maximise"),
        ("mean(fees)", "mean(shortfall)", "optimise.objectives.1", "a name of its own"),
        ("population: 20", "population: 200", "optimise.population", "at most 100"),
        ("population: 20", "method: genetic", "optimise.method", "nsga2, tpe"),
        ("trials: 100", "trials: 0", "optimise.trials", "of at least 2"),
        ("factors: [{path: shocks.0.return, name: x, range: [-0.9, 0.9]}]\n", "", "factors",
         "at least one"),
        ("shocks.0.return", "shocks.0.retur", "factors.0", "return"),
        ("path: shocks.0.return, name: x, range: [-0.9, 0.9]",
         "path: markets.0.impact.coefficient, name: x, range: [0, 0.9]", "factors.0",
         "a number above 0"),
    ],
)  # fmt: skip
def test_a_bad_question_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, place: str, message: str
) -> None:
    assert old in SCHAFFER
    file = written(tmp_path, SCHAFFER.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        optimise(file, out=tmp_path / "out", workers=1)
    assert any(p.path == place and message in p.allowed for p in caught.value.problems), caught
    assert not (tmp_path / "out").exists()
