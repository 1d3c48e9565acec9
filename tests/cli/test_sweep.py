"""``liqsim sweep`` and its neighbours: text, JSON, messages and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from sim.cli import bundled
from sim.experiments.plan import prepare
from sim.schema import Scenario
from tests.cli.command import invoke
from tests.experiments.base import write


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an experiment that has been run into ``out``."""
    folder = tmp_path_factory.mktemp("swept")
    write(folder, replications=2)
    found = invoke("sweep", folder / "experiment.yaml", "--out", folder / "out", "--workers", 1)
    assert found.exit_code == 0, found.stderr
    return folder


def again(place: Path, *more: str) -> Result:
    return invoke("sweep", place / "experiment.yaml", "--out", place / "out", *more)


def test_text_is_a_table_by_cell(place: Path) -> None:
    found = again(place)
    assert found.exit_code == 0
    lines = found.stdout.strip("\n").splitlines()
    assert lines[0].split() == ["cell", "fall", "fund", "runs", "shortfall", "sold"]
    assert [line.split()[:4] for line in lines[2:6]] == [
        ["0", "-0.04", "1000", "2"],
        ["1", "-0.04", "100000", "2"],
        ["2", "-0.08", "1000", "2"],
        ["3", "-0.08", "100000", "2"],
    ]
    assert f"results: {place}/out/falls" in found.stdout
    assert "running falls: 4 cells, 8 runs" in found.stderr
    assert again(place, "--quiet").stderr == ""


def test_runs_without_a_value_are_told(tmp_path: Path) -> None:
    """A mean of what is left is no mean of all runs."""
    factors = [{"path": "shocks.0.return", "name": "fall", "values": [-0.01]}]
    metrics = [{"name": "ratio", "value": "1 / shortfall"}]
    file = write(tmp_path, factors=factors, metrics=metrics)
    found = invoke("sweep", file, "--out", tmp_path / "out", "--workers", 1)
    assert found.exit_code == 0
    assert "ratio has no value in 1 of 1 runs; its means are those of the others" in found.stderr
    assert "running falls: 1 cell, 1 run\n" in found.stderr


def test_an_experiment_that_lacks_its_scenario_is_still_an_experiment(tmp_path: Path) -> None:
    found = invoke("validate", write(tmp_path, scenario=None))
    assert found.exit_code == 3
    assert "scenario: found nothing; allowed: a value: 'scenario' is required" in found.stderr


def test_json_is_one_document(place: Path) -> None:
    found = again(place, "--json", "--quiet", "--fail-if", "mean(sold) > 40")
    document = json.loads(found.stdout)
    assert (document["runs"], document["failed"], document["done_before"]) == (8, 0, 8)
    assert document["fail_if"] == {
        "expression": "mean(sold) > 40", "breached": [], "unanswered": [],
    }  # fmt: skip
    assert [cell["cell"] for cell in document["cells"]] == [0, 1, 2, 3]
    assert document["cells"][2]["fall"] == -0.08
    assert document["cells"][2]["sold"] > 0


def test_a_breached_gate_is_exit_code_4(place: Path) -> None:
    found = again(place, "--fail-if", "mean(sold) > 0 and lowest(fall) < -0.05")
    assert found.exit_code == 4
    assert "--fail-if breached in cell 2, 3: mean(sold) > 0" in found.stderr


def test_a_gate_without_an_answer_is_exit_code_1(place: Path) -> None:
    found = again(place, "--fail-if", "1 / mean(0 * shortfall) > 1")
    assert found.exit_code == 1
    assert "--fail-if has no answer in cell 0: " in found.stderr


def test_a_gate_that_takes_more_runs_than_there_will_be_is_told_at_once(tmp_path: Path) -> None:
    gate = "p99(shortfall) > 1e9"
    found = invoke("sweep", write(tmp_path), "--out", tmp_path / "out", "--fail-if", gate)
    assert found.exit_code == 2
    assert "p99 takes 368 runs of a cell; replications are 1" in " ".join(found.stderr.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("gate", ["sold > 1", "mean(sould) > 1", "mean(sold)", ">"])
def test_a_gate_that_cannot_be_read_is_a_mistake_of_use(tmp_path: Path, gate: str) -> None:
    found = invoke("sweep", write(tmp_path), "--out", tmp_path / "out", "--fail-if", gate)
    assert found.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_is_said_with_its_place_before_anything_runs(tmp_path: Path) -> None:
    file = write(tmp_path, metrics=["shortfal"])
    found = invoke("sweep", file, "--out", tmp_path / "out")
    assert found.exit_code == 3
    assert f"{file}:" in found.stderr
    assert "did you mean 'shortfall'?" in found.stderr
    assert "Traceback" not in found.output
    assert not (tmp_path / "out").exists()


def test_a_missing_experiment_names_the_bundled_ones() -> None:
    found = invoke("sweep", "linear-cascad")
    assert found.exit_code == 3
    assert "did you mean 'linear-cascade'?" in found.stderr


@pytest.mark.parametrize("workers", ["0", "-1", "two"])
def test_workers_must_be_a_number_above_0(place: Path, workers: str) -> None:
    assert again(place, "--workers", workers).exit_code == 2


def test_values_set_for_every_cell_make_another_experiment(place: Path) -> None:
    found = again(place, "--set", "clock.horizon=10s")
    assert found.exit_code == 3
    assert "the results of another experiment (other scenario)" in found.stderr


def test_failed_runs_are_told_and_tried_again_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal keeps both attempts, the table has the last; the others are not touched."""
    import sim.engine

    def broken(scenario: Scenario, **named: Any) -> Any:
        if scenario.shocks[0].model_dump(by_alias=True)["return"] == -0.04:
            raise ArithmeticError("no such sum")
        return run(scenario, **named)

    run = sim.engine.run
    command = ["sweep", write(tmp_path), "--out", tmp_path / "out", "--workers", 1]
    with monkeypatch.context() as patch:
        patch.setattr("sim.engine.run", broken)
        found = invoke(*command)
    assert "cell 0, replication 0: run: ArithmeticError: no such sum" in found.stderr
    assert "2 of 4 runs failed" in found.stderr
    assert "Traceback" not in found.output
    assert "2 of 4 runs failed" in invoke(*command).stderr
    found = invoke(*command, "--retry-failed", "--json")
    document = json.loads(found.stdout)
    assert (document["runs"], document["failed"], document["done_before"]) == (4, 0, 2)
    assert "failed" not in found.stderr
    assert len((tmp_path / "out/falls/journal.jsonl").read_text("utf-8").splitlines()) == 6
    document = json.loads(invoke(*command, "--retry-failed", "--json").stdout)
    assert (document["failed"], document["done_before"]) == (0, 4)


def test_figures_are_drawn_where_asked(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(again(place, "--json").stdout)["figures"] == []
    drawn = [Path("out/falls/figures/a.svg"), Path("out/falls/figures/a.png")]
    monkeypatch.setattr("sim.experiments.plots.Plots.save", lambda _: drawn)
    assert json.loads(again(place, "--figures", "--json").stdout)["figures"] == list(
        map(str, drawn)
    )
    assert f"figure:  {drawn[0]}\n" in again(place, "--figures").stdout


def test_validate_accepts_experiments_beside_scenarios(tmp_path: Path) -> None:
    file = write(tmp_path, replications=3)
    found = invoke("validate", file, tmp_path / "small.yaml")
    assert found.exit_code == 0, found.stderr
    assert f"{file}: ok (4 cells, 12 runs, 2 venues, 2 markets" in found.stdout
    bad = write(tmp_path, factors=[{"path": "shocks.0.retrun", "values": [1]}])
    found = invoke("validate", bad, "--json")
    assert found.exit_code == 3
    assert "did you mean 'return'?" in json.loads(found.stdout)["files"][0]["problems"][0]


def test_bundled_experiments_are_listed_described_and_usable() -> None:
    listed = json.loads(invoke("list", "experiments", "--json").stdout)["experiments"]
    assert {"fund-size", "linear-cascade"} <= {entry["name"] for entry in listed}
    assert all(entry["description"] for entry in listed)
    for path in bundled.bundled_experiments().values():
        assert prepare(path, bundled.find_scenario).runs > 0
    assert not set(bundled.bundled()) & {f"experiments/{entry['name']}" for entry in listed}


def test_schema_of_experiments_is_printed() -> None:
    schema = json.loads(invoke("schema", "experiment").stdout)
    assert schema["title"] == "liqsim experiment"
    assert json.loads(invoke("schema").stdout)["title"] == "liqsim scenario"
    assert invoke("schema", "other").exit_code == 2
