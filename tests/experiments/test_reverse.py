"""The smallest shock: known thresholds, several factors, interruption, refusals."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri

from sim.core.errors import MissingExtraError, RunError, ScenarioError
from sim.experiments.execute import Perform
from sim.experiments.reverse import ReverseResult, reverse
from sim.experiments.task import Row, Task
from sim.schema import Experiment
from tests.experiments.fakes import normal, performing, written

NOISY = """
name: noisy
replications: 60
factors: [{path: shocks.0.return, name: fall, range: [-0.6, 0]}]
metrics: [shortfall]
reverse: {condition: shortfall > 0, tolerance: 0.005}
"""


def own_threshold(seed: int) -> float:
    """Return the fall that breaks the world of a seed: normal around 30 %."""
    return -0.3 + 0.05 * normal(seed)


def noisy(values: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return a shortfall beyond the threshold of the seed."""
    return {"shortfall": max(0.0, own_threshold(seed) - values["shocks.0.return"])}


def search(folder: Path, text: str, outcome: Any = noisy, **replaced: str) -> ReverseResult:
    """Run a reverse stress test on a function."""
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    folder.mkdir(exist_ok=True)
    perform: Perform = performing(outcome)
    return reverse(written(folder, text), out=folder / "out", workers=1, perform=perform)


def test_the_median_of_known_thresholds(tmp_path: Path) -> None:
    result = search(tmp_path, NOISY)
    answer = result.answers[0]
    known = sorted((own_threshold(seed) for seed in range(60)), reverse=True)[29]
    assert answer.status == "found"
    assert answer.point["fall"] <= known < answer.below["fall"]
    assert answer.below["fall"] - answer.point["fall"] <= 0.6 * 0.005 + 1e-12
    assert answer.low <= answer.size <= answer.high
    assert answer.low < -0.3 < answer.high
    assert answer.share is not None
    assert answer.share.value >= 0.5
    assert answer.share_below is not None
    assert answer.share_below.value < 0.5
    assert answer.remarks == ()


def test_the_runs_that_prove_it_are_in_the_table(tmp_path: Path) -> None:
    result = search(tmp_path, NOISY)
    answer, runs = result.answers[0], result.runs
    at = runs[runs["cell"] == answer.cell]
    assert set(at["fall"]) == {answer.point["fall"]}
    assert len(at) == 60
    assert answer.share is not None
    assert at["shortfall > 0"].mean() == answer.share.value
    assert not runs.duplicated(["cell", "replication"]).any()
    assert (runs["seed"] == runs["replication"]).all()


def test_more_replications_are_run_in_addition(tmp_path: Path) -> None:
    few = len(search(tmp_path, NOISY).runs)
    more = search(tmp_path, NOISY, **{"replications: 60": "replications: 80"})
    assert more.done_before == few
    folder = tmp_path / "clean"
    folder.mkdir()
    clean = search(folder, NOISY, **{"replications: 60": "replications: 80"})
    assert more.answers[0].point == clean.answers[0].point
    assert more.done_before < len(more.runs)
    assert more.answers[0].threshold.lower.size == 80


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_rising_factor_and_a_log_scale(tmp_path: Path, scale: str) -> None:
    text = f"""
name: rising
factors:
  - {{path: markets.0.impact.coefficient, name: k, range: [0.001, 10], scale: {scale}}}
metrics: [shortfall]
reverse: {{condition: shortfall > 0, tolerance: 0.001}}
"""

    def outcome(values: dict[str, Any], seed: int) -> dict[str, Any]:
        return {"shortfall": float(values["markets.0.impact.coefficient"] >= 0.5)}

    answer = search(tmp_path, text, outcome).answers[0]
    assert answer.below["k"] < 0.5 <= answer.point["k"]
    assert answer.point["k"] == pytest.approx(0.5, abs=0.02)


def test_a_whole_factor_is_halved_down_to_neighbours(tmp_path: Path) -> None:
    text = """
name: whole
factors: [{path: markets.0.impact.coefficient, name: n, range: [1, 1000], whole: true}]
metrics: [shortfall]
reverse: {condition: shortfall >= 377, tolerance: 0.0001}
"""

    def outcome(values: dict[str, Any], seed: int) -> dict[str, Any]:
        return {"shortfall": values["markets.0.impact.coefficient"]}

    result = search(tmp_path, text, outcome)
    answer = result.answers[0]
    assert (answer.below["n"], answer.point["n"]) == (376, 377)
    assert len(result.runs) == len(set(result.runs["n"]))


def test_a_factor_with_one_value_keeps_it(tmp_path: Path) -> None:
    fixed = "factors: [{path: markets.0.impact.coefficient, name: fixed, values: [17]}, "
    seen: set[int] = set()

    def outcome(values: dict[str, Any], seed: int) -> dict[str, Any]:
        seen.add(values["markets.0.impact.coefficient"])
        return noisy(values, seed)

    answer = search(tmp_path, NOISY.replace("factors: [", fixed), outcome).answers[0]
    assert seen == {17}
    assert answer.point["fixed"] == 17
    assert answer.axis == "fall"
    folder = tmp_path / "free"
    folder.mkdir()
    assert answer.size == search(folder, NOISY).answers[0].size


def test_several_conditions_share_their_runs(tmp_path: Path) -> None:
    several = NOISY.replace(
        "condition: shortfall > 0",
        "conditions: [shortfall > 0, {name: deep, condition: shortfall > 0.1}]",
    )
    result = search(tmp_path, several)
    first, deep = result.answers
    assert deep.size == pytest.approx(first.size - 0.1, abs=0.01)
    assert len(result.runs) < first.runs + deep.runs
    assert list(result.frame["name"]) == ["shortfall > 0", "deep"]


def test_nowhere_everywhere_and_back_and_forth(tmp_path: Path) -> None:
    text = NOISY.replace(
        "condition: shortfall > 0",
        "conditions: [shortfall > 9, shortfall < 9, shortfall > 0.1 and shortfall < 0.2]",
    )

    def outcome(values: dict[str, Any], seed: int) -> dict[str, Any]:
        return {"shortfall": -values["shocks.0.return"]}

    nowhere, everywhere, window = search(tmp_path, text, outcome).answers
    assert (nowhere.status, nowhere.point) == ("nowhere", {})
    assert math.isnan(nowhere.size)
    assert (everywhere.status, everywhere.point) == ("everywhere", {"fall": 0.0})
    assert window.status == "found"
    assert not window.monotone
    assert any("not monotone: in 60 of 60 seeds" in remark for remark in window.remarks)
    assert any("crosses the probability between" in remark for remark in window.remarks)


def test_seeds_that_hold_in_turn_are_no_answer(tmp_path: Path) -> None:
    def outcome(values: dict[str, Any], seed: int) -> dict[str, Any]:
        near = abs(values["shocks.0.return"] + 0.15 * (1 + seed % 3)) < 0.05
        return {"shortfall": float(near)}

    answer = search(tmp_path, NOISY, outcome).answers[0]
    assert (answer.status, answer.point, answer.share) == ("nowhere", {}, None)
    assert math.isnan(answer.low)
    assert any(remark.startswith("no interval: seeds that go back") for remark in answer.remarks)


def test_a_figure_without_value_does_not_hold_and_is_counted(tmp_path: Path) -> None:
    text = NOISY.replace("shortfall > 0", "branching_ratio >= 1")

    def outcome(values: dict[str, Any], seed: int) -> dict[str, Any]:
        fall = -values["shocks.0.return"]
        return {"shortfall": 0.0, "branching_ratio": None if fall < 0.1 else fall / 0.4}

    answer = search(tmp_path, text, outcome).answers[0]
    assert answer.size == pytest.approx(-0.4, abs=0.004)
    assert any(remark.startswith("without a value, and taken not") for remark in answer.remarks)


def test_a_failed_run_leaves_no_answer(tmp_path: Path) -> None:
    good = performing(noisy)

    def perform(task: Task) -> Row:
        bad = {"status": "failed", "stage": "run", "message": "out of money"}
        return {**good(task), **(bad if task.replication == 3 else {})}

    file = written(tmp_path, NOISY)
    with pytest.raises(RunError, match=r"replication 3, failed.*run: out of money"):
        reverse(file, out=tmp_path / "out", workers=1, perform=perform)
    with pytest.raises(RunError, match="out of money"):
        reverse(file, out=tmp_path / "out", workers=1, perform=good)
    again = reverse(file, out=tmp_path / "out", workers=1, perform=good, retry_failed=True)
    assert (again.runs["status"] == "ok").all()
    assert again.answers[0].point == search(tmp_path / "new", NOISY).answers[0].point


PLANE = """
name: plane
replications: 4
factors:
  - {path: shocks.0.return, name: x, distribution: {dist: uniform, min: -0.5, max: 0.5}}
  - {path: markets.0.impact.coefficient, name: y, range: [0.1, 0.9]}
metrics: [shortfall]
reverse: {condition: shortfall > 0, trials: 120, tolerance: 0.005, unit: {y: 0.1}}
"""


def plane(values: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return a shortfall beyond a line at distance 1.2 from the base, at 0.8 and 0.6 of it."""
    x = float(ndtri(values["shocks.0.return"] + 0.5))
    y = (values["markets.0.impact.coefficient"] - 0.4) / 0.1  # 0.4 is the scenario's own value
    return {"shortfall": 0.8 * x + 0.6 * y - 1.2}


def test_the_nearest_mix_of_two_factors_is_the_foot_of_the_perpendicular(tmp_path: Path) -> None:
    answer = search(tmp_path, PLANE, plane).answers[0]
    assert answer.size == pytest.approx(1.2, rel=0.02)
    assert answer.size >= 1.2
    assert answer.mix is not None
    assert answer.mix.tried == 120
    direction = np.asarray(answer.mix.end) / np.linalg.norm(answer.mix.end)
    assert direction @ [0.8, 0.6] > 0.98
    point = {"shocks.0.return": answer.point["x"]}
    point |= {"markets.0.impact.coefficient": answer.point["y"]}
    assert plane(point, 0)["shortfall"] > 0


def test_a_mix_that_does_not_exist_is_not_found(tmp_path: Path) -> None:
    answer = search(tmp_path, PLANE.replace("shortfall > 0", "shortfall > 99"), plane).answers[0]
    assert answer.status == "nowhere"
    assert any("at none of 120 mixes tried" in remark for remark in answer.remarks)


@pytest.mark.parametrize("text", [NOISY, PLANE])
@pytest.mark.parametrize("after", [0, 1, 77, 333])
def test_an_interrupted_search_ends_like_an_undisturbed_one(
    tmp_path: Path, text: str, after: int
) -> None:
    outcome = noisy if text is NOISY else plane
    whole = reverse(
        written(tmp_path, text), out=tmp_path / "whole", workers=1, perform=performing(outcome)
    )
    done: list[Task] = []

    def perform(task: Task) -> Row:
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(task)
        return performing(outcome)(task)

    file = tmp_path / "experiment.yaml"
    with pytest.raises(KeyboardInterrupt):
        reverse(file, out=tmp_path / "cut", workers=1, perform=perform)
    for name in ("journal.jsonl", "points.jsonl"):
        log = tmp_path / "cut" / whole.folder.name / name
        if log.exists() and after > 1:
            log.write_bytes(log.read_bytes() + b'{"cut off')
    again: list[Task] = []

    def count(task: Task) -> Row:
        again.append(task)
        return performing(outcome)(task)

    resumed = reverse(file, out=tmp_path / "cut", workers=1, perform=count)
    assert resumed.done_before == after
    assert len(again) + after == len(whole.runs)
    assert resumed.frame.equals(whole.frame)
    assert resumed.runs.equals(whole.runs)
    assert (resumed.folder / "runs.parquet").read_bytes() == (
        whole.folder / "runs.parquet"
    ).read_bytes()


def test_a_finished_search_runs_nothing_again(tmp_path: Path) -> None:
    first = search(tmp_path, NOISY)

    def never(task: Task) -> Row:
        raise AssertionError("run again")

    again = reverse(tmp_path / "experiment.yaml", out=tmp_path / "out", workers=1, perform=never)
    assert again.frame.equals(first.frame)


def test_the_critical_fall_of_the_linear_cascade(tmp_path: Path) -> None:
    """All are sold once s > Theta (1 - g) = 0.1, and one account in a thousand more or less."""
    text = """
name: total-default
factors: [{path: shocks.0.return, name: fall, range: [-0.3, 0]}]
metrics: [accounts_liquidated]
reverse: {condition: accounts_liquidated == accounts, tolerance: 0.002}
"""
    answer = reverse(written(tmp_path, text), out=tmp_path, workers=1).answers[0]
    assert answer.monotone
    assert answer.point["fall"] == pytest.approx(-0.1, abs=0.002)
    assert answer.below["fall"] - answer.point["fall"] <= 0.3 * 0.002 + 1e-12


@pytest.mark.parametrize(
    ("scenario", "lowest", "critical"),
    [
        # Selling the share f moves the price by y sqrt(f) of 1 - s: the last of 1000 accounts
        # breaks if s + (1 - s) y sqrt(0.999) is at least its threshold, 0.9995 / 2.
        ("square-root-cascade", -0.6, (0.49975 - 0.1020408 * 0.999**0.5)
         / (1 - 0.1020408 * 0.999**0.5)),
        # Account n of 1000 breaks at sqrt((n + 1/2) / N) and n sold are 2 n / N: the shock has to
        # bridge the widest gap between both, 0.126 at n = 62 (0.125 for infinitely many).
        ("pareto-leverage", -0.3, max(((n + 0.5) / 1000) ** 0.5 - n / 500 for n in range(1000))),
    ],
)  # fmt: skip
def test_tipping_points_of_other_laws(
    tmp_path: Path, scenario: str, lowest: float, critical: float
) -> None:
    text = f"""
name: tipping
factors: [{{path: shocks.0.return, name: fall, range: [{lowest}, 0]}}]
metrics: [accounts_liquidated]
reverse: {{condition: accounts_liquidated == accounts, tolerance: 0.001}}
"""
    file = written(tmp_path, text)
    file.write_text(file.read_text().replace("linear-cascade", scenario), encoding="utf-8")
    answer = reverse(file, out=tmp_path, workers=1).answers[0]
    assert answer.point["fall"] <= -critical < answer.below["fall"]
    assert answer.point["fall"] == pytest.approx(-critical, abs=-lowest * 0.001)


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("shortfall > 0", "shortfal > 0", "reverse.condition", "did you mean 'shortfall'"),
        ("shortfall > 0", "shortfall", "reverse.condition", "is a number, not a condition"),
        ("shortfall > 0", "run_id > 0", "reverse.condition", "is text, not a number"),
        ("{condition: shortfall > 0,", "{", "reverse", "one of condition, conditions"),
        ("tolerance: 0.005", "probability: 1", "reverse.probability", "a number below 1"),
        ("tolerance: 0.005", "probability: 0", "reverse.probability", "a number above 0"),
        ("tolerance: 0.005", "tolerance: 0", "reverse.tolerance", "of at least"),
        ("tolerance: 0.005", "probability: .nan", "reverse.probability", "fraction"),
        ("range: [-0.6, 0]", "values: [-0.6, 0]", "factors.0.values", "which can be halved"),
        ("range: [-0.6, 0]", "range: [0, -0.6]", "factors.0.range", "the lower value first"),
        ("range: [-0.6, 0]", "range: [-2, 0]", "factors.0", "above -1"),
        ("range: [-0.6, 0]", "distribution: {dist: constant, value: 1}",
         "factors.0.distribution", "a distribution that spreads"),
        ("metrics:", "common_random_numbers: false\nmetrics:", "common_random_numbers", "true"),
        ("tolerance: 0.005", "base: {fall: 0}", "reverse.base.fall", "no base with a single"),
        ("tolerance: 0.005", "unit: {fell: 1}", "reverse.unit.fell", "a column of a factor: fall"),
        ("factors: [{path: shocks.0.return, name: fall, range: [-0.6, 0]}]\n", "", "factors",
         "at least one with a range"),
    ],
)  # fmt: skip
def test_a_bad_question_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, place: str, message: str
) -> None:
    assert old in NOISY
    file = written(tmp_path, NOISY.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        reverse(file, out=tmp_path / "out", workers=1)
    assert any(p.path == place and message in p.allowed for p in caught.value.problems), caught
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("unit: {y: 0.1}", "base: {y: 7}", "a base of 7; allowed: one in the range"),
        ("unit: {y: 0.1}", "unit: {y: 0}", "a number above 0"),
        ("unit: {y: 0.1}", "unit: {x: 1}", "a distribution has its own"),
        ("markets.0.impact.coefficient", "markets.0.open_interest", "in reverse.base"),
    ],
)
def test_a_distance_that_cannot_be_measured_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in PLANE
    file = written(tmp_path, PLANE.replace(old, new))
    with pytest.raises(ScenarioError, match=message):
        reverse(file, out=tmp_path / "out", workers=1)


def test_a_missing_optuna_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'liqsim\[experiments\]'"):
        search(tmp_path, PLANE, plane)
    assert not (tmp_path / "out").exists()
    assert search(tmp_path, NOISY).answers[0].status == "found"


def test_a_sweep_file_has_nothing_to_reverse(tmp_path: Path) -> None:
    file = written(tmp_path, "name: x\nmetrics: [shortfall]\n")
    with pytest.raises(ScenarioError, match="reverse: found nothing"):
        reverse(file, out=tmp_path / "out")
    assert Experiment.model_fields["reverse"].default is None


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_are_refused(tmp_path: Path, workers: int) -> None:
    with pytest.raises(ValueError, match=r"workers is .*; allowed: a whole number from 1 on"):
        reverse(written(tmp_path, NOISY), out=tmp_path, workers=workers)
