"""The sensitivity analysis of an experiment, from its file to its tables and figures."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.core.errors import MissingExtraError, RunError, ScenarioError
from sim.experiments.design import cells_of
from sim.experiments.indices import indices_of
from sim.experiments.noise import noise_of
from sim.experiments.plan import Plan, prepare
from sim.experiments.sensitivity import SensitivityResult, sensitivity
from tests.experiments.substitutes import Formula, Substitute, factors, planned
from tests.report.overlap import assert_no_overlap

SOBOL = "sensitivity: {kind: sobol, samples: 16, resamples: 50}"
PI = math.pi


def ishigami(values: dict[str, Any], seed: int) -> dict[str, float | None]:
    """The Ishigami function of factors that are 4 to 4 + 2 pi."""
    a, b, c = (values[f"x{k}"] - 4 - PI for k in (1, 2, 3))
    return {"shortfall": math.sin(a) + 7 * math.sin(b) ** 2 + 0.1 * c**4 * math.sin(a)}


def done(plan: Plan, folder: Path, formula: Formula = ishigami) -> SensitivityResult:
    """Return the analysis of a plan whose runs are a formula."""
    return sensitivity(plan, out=folder, executor=Substitute(plan, formula))


def three(folder: Path, block: str = SOBOL, head: str = "replications: 1") -> Plan:
    """Return the plan for the Ishigami function."""
    return planned(folder, block, factors(3, 4.0, 4 + 2 * PI), head=head)


@pytest.mark.parametrize(
    ("block", "cells"),
    [
        ("{kind: sobol, samples: 16}", 16 * 5),
        ("{kind: sobol, samples: 16, second_order: true}", 16 * 8),
        ("{kind: morris, samples: 10}", 10 * 4),
        ("{kind: pawn, samples: 60}", 60),
    ],
)
def test_the_whole_way_gives_what_the_estimators_give(
    tmp_path: Path, block: str, cells: int
) -> None:
    plan = three(tmp_path, f"sensitivity: {block}")
    assert len(plan.cells) == cells
    result = done(plan, tmp_path)
    values = np.array([ishigami(cell.values, 0)["shortfall"] for cell in plan.cells])
    assert plan.experiment.sensitivity is not None
    known = indices_of(plan.experiment.sensitivity, ["x1", "x2", "x3"], [0] * 3, values)
    for row, other in zip(result.frame.to_dict("records"), known.rows, strict=True):
        assert row == {"metric": "shortfall", **other}
    assert len(result.interactions) == (3 if "second_order" in block else 0)
    assert result.metrics == ["shortfall"]


def test_no_run_is_done_twice_and_more_replications_are_added(tmp_path: Path) -> None:
    plan = three(tmp_path)
    first = Substitute(plan, ishigami)
    once = sensitivity(plan, out=tmp_path, executor=first)
    again = Substitute(plan, ishigami)
    twice = sensitivity(plan, out=tmp_path, executor=again)
    assert (first.runs, again.runs) == (80, 0)
    assert repr(once.frame.to_dict()) == repr(twice.frame.to_dict())
    more = three(tmp_path, head="replications: 2")
    added = Substitute(more, ishigami)
    assert sensitivity(more, out=tmp_path, executor=added).noise["share"][0] == 0.0
    assert added.runs == 80


def test_other_confidence_needs_no_other_runs_but_other_samples_do(tmp_path: Path) -> None:
    done(three(tmp_path), tmp_path)
    wider = three(tmp_path, SOBOL.replace("50", "50, level: 0.99"))
    again = Substitute(wider, ishigami)
    sensitivity(wider, out=tmp_path, executor=again)
    assert again.runs == 0
    with pytest.raises(ScenarioError, match=r"another experiment \(other cells\)"):
        done(three(tmp_path, SOBOL.replace("16", "32")), tmp_path)


def test_tables_and_figures_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    block = "sensitivity: {kind: sobol, samples: 16, second_order: true, resamples: 50}"
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files = done(three(tmp_path / name, block), tmp_path / name).save()
        written.append({path.name: path.read_bytes() for path in files})
    assert written[0] == written[1]
    assert list(written[0]) == [
        "sensitivity.csv", "sensitivity-interactions.csv",
        "sensitivity-shortfall.svg", "sensitivity-shortfall.png",
    ]  # fmt: skip


def noisy(values: dict[str, Any], seed: int) -> dict[str, float | None]:
    """Signal of variance 1/12 times 4 pi^2, the same luck for all cells, and luck of each."""
    rng = np.random.default_rng([seed, int(1e9 * values["x1"])])
    shared = np.random.default_rng(seed).normal(0, 10)
    return {"shortfall": values["x1"] + shared + rng.normal(0, 2.0)}


def test_luck_is_measured_and_warned_of(tmp_path: Path) -> None:
    block = "sensitivity: {kind: pawn, samples: 200, resamples: 20}"
    plan = planned(tmp_path, block, factors(1, 4.0, 4 + 2 * PI), head="replications: 4")
    result = done(plan, tmp_path, noisy)
    signal = (2 * PI) ** 2 / 12
    known = 4.0 / 4 / (signal + 4.0 / 4)
    assert result.noise["share"][0] == pytest.approx(known, rel=0.15)
    needed = result.noise["needed"][0]
    assert 4.0 / needed / (signal + 4.0 / needed) == pytest.approx(0.05, rel=0.2)
    (warning,) = [text for text in result.warnings if "luck" in text]
    assert f"{result.noise['share'][0]:.0%} of the variance" in warning
    assert f"4 replications are too few; {needed:,} would leave 5 %" in warning


def test_luck_that_all_cells_share_is_none_between_them() -> None:
    rng = np.random.default_rng(1)
    signal = np.arange(50.0)[:, None]
    shared = signal + rng.normal(0, 100, size=(1, 8))
    assert noise_of(shared, common=True).share == pytest.approx(0.0, abs=1e-20)
    assert noise_of(shared, common=False).share > 0.5
    own = signal + rng.normal(0, 4.0, size=(50, 8))
    expected = 16 / 8 / (signal.var(ddof=1) + 16 / 8)
    for common in (True, False):
        assert noise_of(own, common=common).share == pytest.approx(expected, rel=0.2)
    order = rng.permutation(50)
    assert noise_of(own[order], common=True).share == pytest.approx(
        noise_of(own, common=True).share, rel=1e-12
    )


@pytest.mark.parametrize("bad", [np.array([[1.0, np.nan]]), np.zeros(4), np.zeros((0, 2))])
def test_noise_of_what_is_no_table_of_numbers_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="finite values by cell and replication are needed"):
        noise_of(bad, common=True)


def test_a_metric_with_missing_runs_is_left_out_and_named(tmp_path: Path) -> None:
    def formula(values: dict[str, Any], seed: int) -> dict[str, float | None]:
        hole = values["x1"] > 9
        return {"shortfall": values["x1"], "fees": None if hole else values["x2"]}

    plan = planned(tmp_path, SOBOL, factors(2, 4.0, 10.0), metrics="[fees, shortfall]")
    result = done(plan, tmp_path, formula)
    missing = sum(cell.values["x1"] > 9 for cell in plan.cells)
    assert result.metrics == ["shortfall"]
    assert result.warnings[0].startswith(f"fees: not analysed, {missing} of 64 runs have no value")
    with pytest.raises(ValueError, match="found metric 'fees'"):
        result.figure("fees")


def test_failed_runs_refuse_the_analysis_and_are_kept(tmp_path: Path) -> None:
    def formula(values: dict[str, Any], seed: int) -> dict[str, float | None]:
        return {"shortfall": 1 / (values["x1"] > 5)}

    plan = planned(tmp_path, SOBOL, factors(2, 4.0, 10.0))
    with pytest.raises(RunError, match=r"nothing to analyse; shortfall: not analysed, \d+ of 64"):
        done(plan, tmp_path, formula)
    assert (tmp_path / "known" / "runs.parquet").exists()
    mended = Substitute(plan, lambda values, seed: {"shortfall": 0.0})
    result = sensitivity(plan, out=tmp_path, executor=mended, retry_failed=True)
    assert mended.runs == sum(cell.values["x1"] <= 5 for cell in plan.cells)
    assert result.metrics == ["shortfall"]


def test_a_metric_that_never_changes_is_not_analysed(tmp_path: Path) -> None:
    plan = planned(tmp_path, SOBOL, factors(2, 4.0, 10.0))
    with pytest.raises(RunError, match="not analysed, it is 3 in all cells"):
        done(plan, tmp_path, lambda values, seed: {"shortfall": 3.0})


def test_warnings_say_what_stands_against_the_numbers(tmp_path: Path) -> None:
    def chaos(values: dict[str, Any], seed: int) -> dict[str, float | None]:
        return {"shortfall": math.sin(1e9 * values["x1"] * values["x2"])}

    block = SOBOL.replace("16", "12")
    result = done(planned(tmp_path, block, factors(2, 4.0, 10.0)), tmp_path, chaos)
    said = "\n".join(result.warnings)
    assert "12 samples are no power of 2" in said
    assert "such as 8 or 16" in said
    assert "1 replication cannot tell luck" in said
    assert "the intervals of S1 reach 0 for all factors" in said


def test_a_metric_that_rarely_differs_is_warned_of(tmp_path: Path) -> None:
    plan = planned(tmp_path, SOBOL, factors(2, 4.0, 10.0))
    edge = sorted({cell.values["x1"] for cell in plan.cells})[-2]
    result = done(plan, tmp_path, lambda v, seed: {"shortfall": float(v["x1"] >= edge)})
    cells = sum(cell.values["x1"] >= edge for cell in plan.cells)
    said = f"shortfall: it is 0 in all but {cells} of 64 cells; the indices"
    assert any(text.startswith(said) for text in result.warnings)


MISTAKES = {
    "{kind: sobol, samples: 16}\ndesign: {kind: grid}": ("6:9: design", "makes the cells itself"),
    "{kind: other, samples: 16}": ("5:21: sensitivity.kind", "sobol, morris, pawn"),
    "{kind: sobol, samples: 3}": ("5:37: sensitivity.samples: found 3;", "at least 4"),
    "{kind: morris, samples: 5, levels: 3}": ("sensitivity", "an even number"),
    "{kind: morris, samples: 5, second_order: true}": ("second_order", "unknown key"),
    "{kind: pawn, samples: 40}": ("sensitivity", "at least 5 for each of the 10 slices"),
    "{kind: sobol, samples: 16, level: 1}": ("sensitivity.level: found 1;", "below 1"),
}


@pytest.mark.parametrize("block", MISTAKES)
def test_a_mistake_has_its_place_and_what_is_allowed(tmp_path: Path, block: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        planned(tmp_path, f"sensitivity: {block}", factors(2, 4.0, 10.0))
    place, allowed = MISTAKES[block]
    assert "experiment.yaml:" in str(caught.value)
    assert place in str(caught.value)
    assert allowed in str(caught.value)


def test_words_are_no_factor_for_morris_but_for_the_others(tmp_path: Path) -> None:
    lines = ["  - {path: venues.one.liquidation.kind, name: rule, values: [full, partial]}"]
    with pytest.raises(ScenarioError, match="sobol and pawn take any values"):
        planned(tmp_path, "sensitivity: {kind: morris, samples: 5}", lines)
    plan = planned(tmp_path, SOBOL, ["  - {path: clock.horizon, name: t, values: [1s, 2s]}"])
    assert {cell.values["t"] for cell in plan.cells} == {"1s", "2s"}
    result = done(plan, tmp_path, lambda values, seed: {"shortfall": float(values["t"] == "1s")})
    assert result.frame["ST"][0] == pytest.approx(1.0, abs=0.3)


def test_cells_that_the_method_did_not_make_are_refused(tmp_path: Path) -> None:
    plan = three(tmp_path)
    doubled = dataclasses.replace(plan, cells=plan.cells * 2)
    with pytest.raises(ScenarioError, match=r"5:14: sensitivity: found 160 cells; allowed: the 80"):
        sensitivity(doubled, out=tmp_path)


def test_an_experiment_without_the_block_or_without_factors_is_refused(tmp_path: Path) -> None:
    line = "  - {path: assets.X1.price, name: p, values: [1, 2]}"
    with pytest.raises(ScenarioError, match="sensitivity: found nothing; allowed: a block with"):
        sensitivity(planned(tmp_path, "", [line]), out=tmp_path)
    path = tmp_path / "experiment.yaml"
    text = path.read_text().replace("factors:\n" + line, SOBOL)
    path.write_text(text)
    with pytest.raises(ScenarioError, match="at least one for a sensitivity analysis"):
        prepare(path)


def test_without_salib_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "SALib.sample.sobol", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'liqsim\[experiments\]'"):
        three(tmp_path)


def test_morris_takes_listed_values_and_distributions_at_the_middles_of_equal_parts(
    tmp_path: Path,
) -> None:
    lines = [
        "  - {path: assets.X1.price, name: p, values: [1, 2, 3, 4]}",
        "  - {path: assets.X2.price, name: q, distribution: {dist: pareto, alpha: 1, min: 1}}",
        "  - {path: assets.X3.price, name: r, range: [1, 100], scale: log}",
    ]
    plan = planned(tmp_path, "sensitivity: {kind: morris, samples: 20}", lines)
    cells = cells_of(plan.experiment)
    assert {cell.values["p"] for cell in cells} == {1, 2, 3, 4}
    middles = [1 / (1 - share) for share in (1 / 8, 3 / 8, 5 / 8, 7 / 8)]
    assert sorted({cell.values["q"] for cell in cells}) == pytest.approx(middles)
    ends = [1.0, 100 ** (1 / 3), 100 ** (2 / 3), 100.0]
    assert sorted({cell.values["r"] for cell in cells}) == pytest.approx(ends)
    odd = planned(
        tmp_path,
        "sensitivity: {kind: morris, samples: 5}",
        ["  - {path: assets.X1.price, name: p, values: [1, 2, 3]}"],
    )
    result = done(odd, tmp_path, lambda values, seed: {"shortfall": values["p"]})
    assert any("3 values do not divide the 4 levels" in text for text in result.warnings)


def test_names_of_many_factors_do_not_overlap_in_the_plane_of_morris(tmp_path: Path) -> None:
    plan = planned(tmp_path, "sensitivity: {kind: morris, samples: 4}", factors(15, 1, 2))

    def sums(values: dict[str, Any], seed: int) -> dict[str, float | None]:
        return {"shortfall": sum((60 + k) * values[f"x{k}"] for k in range(1, 16))}

    result = done(plan, tmp_path, sums)
    assert_no_overlap(result.figure("shortfall"), "morris")
