from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import invoke, small

MANIFEST = (
    '{"run_id": "a", "code_version": "b", "seed": SEED, "scenario": {"name": "a"}, '
    '"source": {"base_dir": "."}, "outputs": {"x": "y"}}'
)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    options = ("--out", tmp_path / "out", "--json", "--quiet", "--no-figures")
    result = invoke("run", small(tmp_path), *options)
    assert result.exit_code == 0, result.stderr
    return Path(json.loads(result.stdout)["folder"])


def test_a_replay_writes_the_same_bytes(run_dir: Path) -> None:
    result = invoke("replay", run_dir)
    assert result.exit_code == 0, result.stderr
    assert "prices.parquet" in result.stdout
    assert "differs" not in result.stdout
    assert json.loads(invoke("replay", run_dir, "--json", "-q").stdout)["ok"] is True


def test_another_digest_is_a_mismatch(run_dir: Path) -> None:
    manifest = json.loads((run_dir / "manifest.json").read_text(encoding="utf-8"))
    manifest["seed"] += 1
    (run_dir / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    result = invoke("replay", run_dir)
    assert result.exit_code == 5
    assert "mismatch" in result.stderr
    document = json.loads(invoke("replay", run_dir, "--json", "-q").stdout)
    assert document["ok"] is False
    assert "prices.parquet" in document["differing"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (None, "no manifest.json"),
        ("", "manifest.json:1:1"),
        ('{\n "seed": }', "manifest.json:2:10"),
        ("[1]", "manifest.json:1:1"),
        ("{}", "manifest.json"),
        ('{"run_id": "a", "code_version": "b", "seed": 1.5}', "seed: found 1.5"),
        (MANIFEST.replace("SEED", "-1"), "seed: found -1"),
        (MANIFEST.replace("SEED", "1"), "manifest.json: scenario"),
        (MANIFEST.replace("SEED", "1").replace('"x": "y"', ""), "outputs: found no files"),
    ],
)
def test_a_broken_manifest_is_named_with_its_place(
    tmp_path: Path, text: str | None, place: str
) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    result = invoke("replay", tmp_path)
    assert result.exit_code == 3, result.stderr
    assert place in result.stderr
    assert result.stderr.splitlines()[-1].split()[-1].startswith("problem")


def test_no_folder_and_a_file(tmp_path: Path) -> None:
    assert "no such folder" in invoke("replay", tmp_path / "none").stderr
    file = small(tmp_path)
    result = invoke("replay", file)
    assert result.exit_code == 3
    assert "found a file" in result.stderr
