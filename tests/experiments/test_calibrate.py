"""Calibration against closed forms: the fit, the sample, and what targets do not pin."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.core.errors import RunError, ScenarioError
from sim.experiments.calibrate import CalibrateResult, calibrate
from sim.experiments.calibrate_plan import prepare_calibration
from sim.experiments.fit import least
from tests.cli.command import invoke
from tests.experiments.fakes import normal, performing, written

HEAD = """\
name: fit
replications: {replications}
factors:
{factors}
metrics: [{{name: drawdown, value: markets.one/X.max_drawdown}}, shortfall]
calibrate:
  trials: {trials}
  posterior: {posterior}
  targets:
{targets}
"""
FALL = "  - {path: shocks.0.return, name: fall, range: [-0.9, -0.1]}"
SLOPE = "  - {path: markets.0.impact.coefficient, name: slope, range: [0.1, 0.9]}"
TARGET = "    - {metric: shortfall, target: 0.5, tolerance: 0.05, source: made up}"


def file(
    folder: Path, *, factors: str = FALL, targets: str = TARGET, trials: int = 40,
    posterior: str = "null", replications: int = 1,
) -> Path:  # fmt: skip
    text = HEAD.format(factors=factors, targets=targets, trials=trials, posterior=posterior,
                       replications=replications)  # fmt: skip
    return written(folder, text)


def fitted(folder: Path, outcome, out: str = "out", **said: Any) -> CalibrateResult:
    return calibrate(file(folder, **said), out=folder / out, workers=1, perform=performing(outcome))


def level(overrides: dict[str, Any], seed: int) -> dict[str, Any]:
    """A figure that is the fall itself."""
    return {"shortfall": -overrides["shocks.0.return"], "markets": {"one/X": {"max_drawdown": 0}}}


def product(overrides: dict[str, Any], seed: int) -> dict[str, Any]:
    """A figure that knows two parameters by their product only."""
    both = -overrides["shocks.0.return"] * overrides["markets.0.impact.coefficient"]
    return {"shortfall": both, "markets": {"one/X": {"max_drawdown": 0}}}


def apart(overrides: dict[str, Any], seed: int) -> dict[str, Any]:
    """Two figures, one for each of two parameters."""
    deep = -overrides["shocks.0.return"]
    slope = overrides["markets.0.impact.coefficient"]
    return {"shortfall": deep * slope, "markets": {"one/X": {"max_drawdown": deep}}}


def noisy(overrides: dict[str, Any], seed: int) -> dict[str, Any]:
    figure = -overrides["shocks.0.return"] + 0.05 * normal(seed)
    return {"shortfall": figure, "markets": {"one/X": {"max_drawdown": 0}}}


@pytest.mark.parametrize("optimiser", ["cmaes", "tpe"])
def test_the_least_loss_of_a_bowl_is_found(optimiser: str) -> None:
    centre, tried = np.array([0.3, 0.7, 0.55]), []

    def losses(points):
        found = [float(np.square(point - centre).sum()) for point in points]
        tried.extend(zip(found, map(tuple, points), strict=True))
        return found

    least(losses, 3, optimiser=optimiser, trials=150, seed=1)
    assert len(tried) == 150
    assert min(tried)[0] < (1e-4 if optimiser == "cmaes" else 2e-2)


def test_one_parameter_is_found_to_many_digits(tmp_path: Path) -> None:
    result = fitted(tmp_path, level)
    assert result.point["fall"] == pytest.approx(-0.5, abs=1e-4)
    row = result.frame.to_dict("records")[0]
    assert row["inside"]
    assert row["fresh"] == row["fitted"]
    assert row["source"] == "made up"


def test_the_linear_cascade_gives_its_feedback_away(tmp_path: Path) -> None:
    """D = s / (1 - g), g = coefficient / 0.5, s = 0.02: a fall to 0.05 needs 0.3, and the steps
    of 1,000 accounts leave 0.001 of doubt in D, which is 0.001 / (dD / dcoefficient) = 0.004."""
    text = HEAD.format(
        factors="  - {path: markets.0.impact.coefficient, name: slope, range: [0.05, 0.4]}",
        targets="    - {metric: drawdown, target: 0.05, tolerance: 0.001, source: closed form}",
        trials=20, posterior="null", replications=1,
    )  # fmt: skip
    made = written(tmp_path, text)
    first = calibrate(made, out=tmp_path / "out", workers=1)
    assert first.point["slope"] == pytest.approx(0.3, abs=0.004)
    assert first.frame["inside"].all()


def test_noise_is_averaged_and_its_standard_error_said(tmp_path: Path) -> None:
    result = fitted(tmp_path, noisy, replications=25)
    row = result.frame.to_dict("records")[0]
    assert row["error"] == pytest.approx(0.05 / 5, rel=0.5)
    assert result.point["fall"] == pytest.approx(-0.5, abs=4 * 0.05 / 5)
    assert row["fresh"] != row["fitted"]
    thin = fitted(tmp_path, noisy, out="thin", replications=2)
    assert any("more replications are needed" in text for text in thin.remarks) == (
        thin.frame["error"].iloc[0] > 0.025
    )


@pytest.mark.slow
@pytest.mark.parametrize(("outcome", "spread"), [(level, 0.05), (noisy, 0.05 * math.sqrt(2))])
def test_the_sample_is_that_of_the_gaussian_posterior(tmp_path: Path, outcome, spread) -> None:
    """y = x + noise, target 0.5 with tolerance 0.05: normal, with both variances added up."""
    posterior = "{particles: 300, evaluations: 6000}"
    result = fitted(tmp_path, outcome, trials=8, posterior=posterior)
    sample = result.posterior
    assert result.sample is not None
    assert result.sample.temperature == 1.0
    weights = sample["weight"].to_numpy()
    mean = float(weights @ -sample["fall"])
    deviation = math.sqrt(float(weights @ (-sample["fall"] - mean) ** 2))
    assert mean == pytest.approx(0.5, abs=4 * spread / math.sqrt(result.sample.effective))
    assert deviation == pytest.approx(spread, rel=4 / math.sqrt(2 * result.sample.effective))
    (parameter,) = result.parameters
    assert parameter.said == "pinned"
    assert parameter.width == pytest.approx(deviation * math.sqrt(12) / 0.8, rel=1e-9)
    assert parameter.low < -0.5 < parameter.high


@pytest.mark.slow
def test_a_product_pins_neither_of_its_factors_alone(tmp_path: Path) -> None:
    target = "    - {metric: shortfall, target: 0.25, tolerance: 0.01, source: made up}"
    posterior = "{particles: 120, evaluations: 3000}"
    both = f"{FALL}\n{SLOPE}"
    result = fitted(tmp_path, product, factors=both, targets=target, posterior=posterior)
    assert -result.point["fall"] * result.point["slope"] == pytest.approx(0.25, abs=0.01)
    (tie,) = result.ties.to_dict("records")
    assert tie["r"] > 0.9  # the fall is negative: the larger it is, the larger the slope
    assert tie["tied"]
    said = [parameter.said for parameter in result.parameters]
    assert said == ["pinned only together with slope", "pinned only together with fall"]
    names = {path.name for path in result.save()}
    assert {"targets.csv", "parameters.csv", "posterior.csv", "calibration.png"} <= names

    also = "\n    - {metric: drawdown, target: 0.5, tolerance: 0.01, source: made up}"
    more = fitted(tmp_path, apart, out="more", factors=both, targets=target + also,
                  posterior=posterior)  # fmt: skip
    assert [parameter.said for parameter in more.parameters] == ["pinned", "pinned"]


@pytest.mark.slow
def test_a_parameter_that_nothing_depends_on_is_not_pinned(tmp_path: Path) -> None:
    result = fitted(tmp_path, level, factors=f"{FALL}\n{SLOPE}",
                    posterior="{particles: 80, evaluations: 1500}")  # fmt: skip
    assert [parameter.said for parameter in result.parameters] == ["pinned", "not pinned"]


@pytest.mark.slow
def test_killed_anywhere_it_ends_as_if_undisturbed(tmp_path: Path) -> None:
    posterior = "{particles: 50, evaluations: 200}"
    said: dict[str, Any] = {"trials": 12, "posterior": posterior, "replications": 2}
    whole = fitted(tmp_path, noisy, out="whole", **said)
    runs = len(whole.runs)
    for most in (0, 5, 30, runs - 1):
        with pytest.raises(KeyboardInterrupt):
            fitted(tmp_path, dying(most), out=f"cut-{most}", **said)
        again = fitted(tmp_path, noisy, out=f"cut-{most}", **said)
        assert again.done_before == most
        assert len(again.runs) == runs
        assert again.point == whole.point
        assert again.posterior.equals(whole.posterior)
        assert again.frame.equals(whole.frame)


def test_global_random_numbers_are_left_as_they_were(tmp_path: Path) -> None:
    legacy: Any = np.random
    before = legacy.get_state()[1].copy()
    fitted(tmp_path, level, trials=8, posterior="{particles: 50, evaluations: 200}")
    assert (legacy.get_state()[1] == before).all()


def test_too_few_evaluations_are_said(tmp_path: Path) -> None:
    target = "    - {metric: shortfall, target: 0.5, tolerance: 0.0001, source: made up}"
    posterior = "{particles: 50, evaluations: 300}"
    result = fitted(tmp_path, level, targets=target, trials=8, posterior=posterior)
    assert result.sample is not None
    assert result.sample.temperature > 1
    assert any("times as wide" in text for text in result.remarks)


def test_a_failed_run_is_no_answer(tmp_path: Path) -> None:
    perform = performing(level)

    def failing(task):
        row = perform(task)
        return {**row, "status": "failed", "stage": "run", "message": "out of money"}

    with pytest.raises(RunError, match="out of money"):
        calibrate(file(tmp_path, trials=8), out=tmp_path / "out", workers=1, perform=failing)
    with pytest.raises(RunError, match="out of money"):
        fitted(tmp_path, level, trials=8)
    same = file(tmp_path, trials=8)
    again = calibrate(same, out=tmp_path / "out", workers=1, perform=perform, retry_failed=True)
    assert again.point == fitted(tmp_path, level, out="clean", trials=8).point


def test_validate_looks_at_the_targets_and_counts_no_grid(tmp_path: Path) -> None:
    good = file(tmp_path, factors=f"{FALL}\n{SLOPE}", replications=3)
    found = invoke("validate", good)
    assert found.exit_code == 0, found.stderr
    assert f"{good}: ok (2 factors, 3 replications, 1 venue, 1 market" in found.stdout
    bad = file(tmp_path, targets=TARGET.replace("shortfall", "shortfal"))
    found = invoke("validate", bad)
    assert found.exit_code == 3
    assert "calibrate.targets.0.metric: found 'shortfal'" in found.stderr
    assert "did you mean 'shortfall'?" in found.stderr


def test_words_are_said_to_have_no_order_for_cmaes(tmp_path: Path) -> None:
    words = FALL + "\n  - {path: name, name: kind, values: [one, two, three]}"
    result = fitted(tmp_path, level, factors=words, trials=8)
    assert any(text.startswith("kind: words have no order") for text in result.remarks)
    numbers = FALL + "\n  - {path: clock.horizon, name: kind, values: [1, 2, 3]}"
    result = fitted(tmp_path, level, factors=numbers, trials=8, out="numbers")
    assert not any("words have no order" in text for text in result.remarks)


def test_a_figure_without_value_misses_by_far(tmp_path: Path) -> None:
    def outcome(overrides: dict[str, Any], seed: int) -> dict[str, Any]:
        found = level(overrides, seed)
        return {**found, "shortfall": None} if overrides["shocks.0.return"] > -0.4 else found

    result = fitted(tmp_path, outcome)
    assert result.point["fall"] == pytest.approx(-0.5, abs=1e-3)
    assert max(loss for _, loss in result.tried) == pytest.approx(1e6)


def dying(most: int):
    """Return an outcome that is interrupted after so many runs."""
    left = [most]

    def outcome(overrides: dict[str, Any], seed: int) -> dict[str, Any]:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return noisy(overrides, seed)

    return outcome


def refused(folder: Path, **said: Any) -> str:
    with pytest.raises(ScenarioError) as caught:
        prepare_calibration(file(folder, **said))
    return "\n".join(map(str, caught.value.problems))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("{metric: shortfal, target: 1, tolerance: 1, source: x}", "did you mean 'shortfall'?"),
        ("{metric: shortfall, target: 1, tolerance: 0, source: x}", "above 0"),
        ("{metric: shortfall, target: 1, tolerance: -1, source: x}", "above 0"),
        ("{metric: shortfall, target: .nan, tolerance: 1, source: x}", "finite"),
        ("{metric: shortfall, target: 1, tolerance: 1}", "source"),
        ("{metric: shortfall, target: 1, tolerance: 1, source: ' '}", "where the figure is from"),
        ("{metric: shortfall, target: 1, tolerance: 1, weight: 0, source: x}", "above 0"),
        ("{metric: run_id, target: 1, tolerance: 1, source: x}", "is text"),
        ("{metric: shortfall > 0, target: 2, tolerance: 1, source: x}", "share of runs"),
    ],
)
def test_a_target_that_no_run_can_meet_is_refused_at_its_line(
    tmp_path: Path, target: str, words: str
) -> None:
    text = refused(tmp_path, targets=f"    - {target}")
    assert words in text
    assert "experiment.yaml:12" in text


def test_a_sample_needs_several_settings_for_each_particle(tmp_path: Path) -> None:
    assert "at least 4" in refused(tmp_path, posterior="{particles: 100, evaluations: 200}")


def test_a_figure_has_one_target(tmp_path: Path) -> None:
    assert "'shortfall' twice" in refused(tmp_path, targets=f"{TARGET}\n{TARGET}")


def test_a_scorecard_file_is_read_and_checked(tmp_path: Path) -> None:
    made = file(tmp_path)
    text = made.read_text(encoding="utf-8").split("  targets:")[0]
    made.write_text(text + "  scorecard: card.yaml\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="which does not exist"):
        prepare_calibration(made)
    card = tmp_path / "card.yaml"
    card.write_text(f"schema_version: 1\ntargets:\n{TARGET[2:]}\n", encoding="utf-8")
    assert [target.target for target in prepare_calibration(made).targets] == [0.5]
    card.write_text(card.read_text().replace("shortfall", "shortfal"), encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"card.yaml:3.*did you mean 'shortfall'"):
        prepare_calibration(made)
    card.write_text("targets: []\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"card\.yaml"):
        prepare_calibration(made)


def test_calibrate_needs_its_block_and_factors(tmp_path: Path) -> None:
    bare = written(tmp_path, "name: bare\nmetrics: [shortfall]\n")
    with pytest.raises(ScenarioError, match="a block calibrate"):
        prepare_calibration(bare)
    assert "parameters that are fitted" in refused(tmp_path, factors="  []")


def test_the_verb_prints_a_table_or_a_document(tmp_path: Path) -> None:
    text = HEAD.format(
        factors="  - {path: markets.0.impact.coefficient, name: slope, range: [0.05, 0.1]}",
        targets="    - {metric: drawdown, target: 0.0235, tolerance: 0.01, source: closed form}",
        trials=8, posterior="null", replications=1,
    )  # fmt: skip
    made = written(tmp_path, text)
    arguments = ("calibrate", made, "--out", tmp_path / "out", "--workers", "1", "-q")
    table = invoke(*arguments)
    assert table.exit_code == 0, table.stderr
    assert "drawdown" in table.stdout
    assert "no sample of parameters was asked for" in table.stderr
    document = json.loads(invoke(*arguments, "--json").stdout)
    assert document["targets"][0]["inside"] is True
    assert document["done_before"] == document["runs"]
    bad = written(tmp_path, text.replace("tolerance: 0.01", "tolerance: 0"), "bad.yaml")
    found = invoke("calibrate", bad)
    assert found.exit_code == 3
    assert "bad.yaml:" in found.stderr
    assert "Traceback" not in found.stderr
