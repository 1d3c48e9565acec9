"""What the documentation shows is what the commands print and the code does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sim
from sim.core.errors import ScenarioError
from tests.docs.pages import ROOT, block, blocks, page

CHANGING = ("run_id", "wall_seconds")
"""Figures that change with the code and the machine."""


def printed(*arguments: str, cwd: Path = ROOT) -> str:
    """Return what the command prints on stdout."""
    # As a reader runs it: no width of ours, no invariants after every phase (they take minutes).
    ours = ("COLUMNS", "LIQSIM_CHECK")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        [sys.executable, "-m", "sim", *arguments],
        cwd=cwd,
        env={**environment, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def lines(text: str) -> list[str]:
    """Return the lines of an output without those that change from machine to machine."""
    return [line for line in text.splitlines() if not any(word in line for word in CHANGING)]


def test_the_readme_shows_the_small_scenario_as_it_runs(tmp_path: Path) -> None:
    shown = lines(block("README.md", "two-venues", "text").strip("\n"))
    arguments = ("run", "scenarios/two-venues.yaml", "--quiet", "--no-figures")
    real = lines(printed(*arguments, "--out", str(tmp_path)).strip("\n"))
    assert real[: len(shown)] == shown
    assert [line for line in real[len(shown) :] if line] == [real[-1]]
    assert real[-1].startswith("results: ")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_readme_shows_the_flagship_as_it_runs(tmp_path: Path) -> None:
    arguments = ("run", "scenarios/october-2025.yaml", "--quiet", "--no-figures")
    real = lines(printed(*arguments, "--out", str(tmp_path)))
    section = page("README.md").partition("## Two commands")[2].partition("\n## ")[0]
    shown = [
        line for text in re.findall(r"```text\n(.*?)```", section, re.S) for line in lines(text)
    ]
    assert len(shown) > 20
    assert [line for line in shown if line not in real] == []


def test_the_readme_shows_margins_as_they_are() -> None:
    (session,) = (text for text in blocks("README.md", "console") if "liqsim margin" in text)
    shown = session.partition("--top 2\n")[2].partition("$ ")[0].strip("\n")
    assert printed("margin", "scenarios/two-venues.yaml", "--top", "2").strip("\n") == shown


def test_the_scenario_of_the_readme_is_complete(tmp_path: Path) -> None:
    text = block("README.md", "own-scenario", "yaml")
    (tmp_path / "my.yaml").write_text(text, encoding="utf-8")
    said = printed("validate", "my.yaml", cwd=tmp_path)
    assert said in page("README.md")
    result = sim.run(sim.load(tmp_path / "my.yaml"))
    assert 0 < result.summary["accounts_liquidated"] < 1000
    wrong = text.replace("maintenance_rate", "maintenence_rate")
    with pytest.raises(ScenarioError) as refused:
        sim.load_text(wrong, file="my.yaml")
    assert f"```text\n{refused.value}\n1 problem\n```" in page("README.md")


def test_the_columns_of_a_book_are_those_the_reader_wants() -> None:
    from sim.schema.book_tables import COLUMNS

    rows = re.findall(r"^\| (\w+) \| `([\w, ]+)` \|", page("README.md"), flags=re.MULTILINE)
    assert {name: columns.split(", ") for name, columns in rows} == {
        name: list(columns) for name, columns in COLUMNS.items()
    }


def test_the_python_of_the_readme_runs_and_an_old_run_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LIQSIM_CHECK", raising=False)  # as a reader runs it
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("README.md", "python")
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102
    assert "exogenous" in capsys.readouterr().out
    folder = names["folder"]
    assert isinstance(folder, Path)
    old = block("docs/cascade.md", "old-run", "python")
    assert "<run id>" in old
    again: dict[str, object] = {}
    exec(compile(old.replace("<run id>", folder.name), "cascade.md", "exec"), again)  # noqa: S102
    cascade, result = again["cascade"], names["result"]
    assert isinstance(cascade, sim.Cascade)
    assert isinstance(result, sim.Result)
    assert cascade.branching_ratio == result.summary["branching_ratio"]


@pytest.mark.slow
def test_what_the_page_of_the_graph_says_of_unattributed_moves() -> None:
    shares = []
    for every in ("10s", "1s"):
        loaded = sim.load(ROOT / "scenarios" / "two-venues.yaml", {"record.every": every})
        graph = sim.run(loaded).cascade.graph("cohorts")
        moves = {"unattributed": 0.0, "forced_order": 0.0, "cross_impact": 0.0}
        for *_, edge in graph.edges(data=True):
            if edge["relation"] in moves:
                moves[edge["relation"]] += abs(edge["price_move"])
        assert moves["forced_order"] > 0.0
        shares.append(moves["unattributed"] / sum(moves.values()))
    text = page("docs/cascade.md")
    stated = re.search(r"every 10 s or every tick, (\d+) % of the forced moves are", text)
    assert stated is not None
    assert shares == [int(stated[1]) / 100.0] * 2


def test_make_test_is_what_the_readme_says() -> None:
    assert "make run" in page("README.md")
    assert re.search(r"^make test\b", page("README.md"), flags=re.MULTILINE)
