"""``liqsim sensitivity`` and ``liqsim discover`` on runs of a small world."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import SMALL, invoke

EXPERIMENT = """\
schema_version: 1
name: tiny
scenario: small.yaml
sensitivity: {kind: sobol, samples: 4, resamples: 20}
factors:
  - {path: shocks.0.return, name: fall, range: [-0.10, -0.04]}
  - {path: markets.*.impact.depth, name: depth, range: [2e6, 2e7], scale: log}
metrics: [liquidated_notional, shortfall]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A small experiment beside its scenario."""
    (tmp_path / "small.yaml").write_text(SMALL)
    path = tmp_path / "tiny.yaml"
    text = EXPERIMENT.replace(
        "path: markets.*.impact.depth",
        "path: [markets.0.impact.depth, markets.1.impact.depth]",
    )
    path.write_text(text)
    return path


def test_from_file_to_indices_and_boxes(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = invoke("sensitivity", file, "--out", out, "--workers", 1, "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["cells"], document["runs"], document["failed"]) == (16, 16, 0)
    assert {row["factor"] for row in document["indices"]} == {"fall", "depth"}
    assert all(Path(name).stat().st_size for name in document["files"])
    assert "warning: 1 replication cannot tell luck" in done.stderr

    again = invoke("sensitivity", file, "--out", out, "--workers", 1)
    assert again.exit_code == 0
    assert "liquidated_notional" in again.stdout
    assert "S1" in again.stdout
    assert "±" in again.stdout
    swept = invoke("sweep", file, "--out", out, "--workers", 1, "--json")
    assert json.loads(swept.stdout)["done_before"] == 16

    limit = sorted(row["liquidated_notional"] for row in json.loads(swept.stdout)["cells"])[8]
    where = f"liquidated_notional > {limit}"
    found = invoke("discover", out / "tiny", "--where", where, "--mass", 0.2, "--json")
    assert found.exit_code == 0, found.output
    boxes = json.loads(found.stdout)
    assert boxes["points"] == 16
    assert boxes["limits"]
    assert "a box of so few is luck" in found.stderr
    table = invoke("discover", out / "tiny", "--where", where, "--mass", 0.2)
    assert "coverage" in table.stdout
    assert "quasi-p" in table.stdout

    for arguments, code, said in (
        (["--where", "nothing > 1"], 2, "no figure 'nothing'"),
        (["--where", where, "--mass", "2"], 2, "found 2; allowed: between 0 and 1"),
        (["--where", where, "--step", "999"], 2, "step must be from 0 to"),
        (["--where", "shortfall < 0"], 1, "holds in none of 16"),
    ):
        wrong = invoke("discover", out / "tiny", *arguments)
        assert (wrong.exit_code, said in " ".join(wrong.stderr.split())) == (code, True)


def test_what_cannot_be_analysed_is_refused_in_one_sentence(file: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    missing.write_text(
        file.read_text().replace(
            "sensitivity: {kind: sobol, samples: 4, resamples: 20}",
            "design: {kind: sobol, cells: 2}",
        )
    )
    done = invoke("sensitivity", missing, "--out", tmp_path)
    assert done.exit_code == 3
    assert "sensitivity: found nothing; allowed: a block with kind sobol" in done.stderr
    assert invoke("discover", tmp_path / "nowhere", "--where", "x > 0").exit_code == 3


def test_a_metric_without_values_ends_with_one_sentence(file: Path, tmp_path: Path) -> None:
    broken = file.read_text().replace(
        "metrics: [liquidated_notional, shortfall]",
        "metrics: [{name: none, value: shortfall / (shortfall - shortfall)}]",
    )
    file.write_text(broken)
    done = invoke("sensitivity", file, "--out", tmp_path / "out", "--workers", 1)
    assert done.exit_code == 1
    assert "nothing to analyse; none: not analysed, 16 of 16 runs have no value" in done.stderr
