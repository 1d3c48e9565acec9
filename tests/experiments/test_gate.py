"""Gates over many runs, and questions in SQL."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sim.core.errors import ScenarioError
from sim.core.lexer import ExpressionError
from sim.experiments.gate import judge, parse_gate
from sim.experiments.query import ask
from sim.experiments.sweep import sweep
from tests.cli.command import invoke
from tests.experiments.base import write

COLUMNS = ["shortfall", "half", "fund"]


def runs(**columns: list[float]) -> pd.DataFrame:
    """Return a table of the runs of one cell."""
    size = len(next(iter(columns.values())))
    return pd.DataFrame({"cell": [0] * size, "status": ["ok"] * size, **columns})


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("mean(shortfall) > 4", True),
        ("mean(shortfall) > 4.5", False),
        ("share(half > 0.5) >= 50%", True),
        ("share(half > 0.5 and shortfall < 9) >= 50%", False),
        ("highest(shortfall - 2 * half) == 7", True),
        ("median(shortfall) <= 4 and sd(half) > 0.5", True),
        ("mean(shortfall / fund) < 1", True),
    ],
)
def test_a_gate_is_a_condition_on_statistics_of_runs(text: str, holds: bool) -> None:
    frame = runs(
        shortfall=list(map(float, range(10))), half=[0.0] * 5 + [1.0] * 5, fund=[10.0] * 10
    )
    verdict = judge(parse_gate(text, COLUMNS), frame)
    assert verdict.breached == ((0,) if holds else ())
    assert verdict.unanswered == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("shortfall > 1", "say which statistic of it, as in mean"),
        ("mean(shortfal) > 1", "did you mean 'shortfall'"),
        ("mean(shortfall)", "is a number, not a condition"),
        ("p100(shortfall) > 1", "no function 'p100'; there are: mean, median, share, p95"),
        ("mean(mean(shortfall)) > 1", "within another statistic"),
        ("mean(shortfall, half) > 1", "takes one argument"),
        ("mean(shortfall > 1", "is not closed"),
    ],
)
def test_what_is_no_gate_is_refused(text: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words.replace("(", r"\(")):
        parse_gate(text, COLUMNS)


def test_cells_without_an_answer_say_why() -> None:
    gate = parse_gate("p99(shortfall) > 5", ["shortfall"])
    frame = pd.concat(
        [
            runs(shortfall=[9.0] * 368),
            runs(shortfall=[9.0] * 367).assign(cell=1),
            runs(shortfall=[9.0] * 367 + [np.nan]).assign(cell=2),
            runs(shortfall=[9.0] * 400).assign(cell=3, status=["ok"] * 399 + ["failed"]),
            runs(shortfall=[1.0] * 368).assign(cell=4),
        ]
    )
    verdict = judge(gate, frame)
    assert verdict.breached == (0,)
    reasons = dict(verdict.unanswered)
    assert sorted(reasons) == [1, 2, 3]
    assert "needs 368 runs, found 367" in reasons[1]
    assert "not a finite number" in reasons[2]
    assert reasons[3] == "1 of 400 runs failed"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of an experiment of four runs."""
    place = tmp_path_factory.mktemp("asked")
    return sweep(write(place), out=place, workers=1).folder


def test_questions_are_answered_in_sql(folder: Path) -> None:
    found = ask(folder, "SELECT fall, count(*) AS n FROM runs GROUP BY fall ORDER BY fall")
    assert found.to_dict("records") == [{"fall": -0.08, "n": 2}, {"fall": -0.04, "n": 2}]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT shortfal FROM runs", "shortfall"),
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM read_csv('/etc/passwd')", "disabled by configuration"),
        ("COPY runs TO 'x.csv'", "COPY, which changes something"),
        ("ATTACH 'x.db'", "ATTACH, which changes something"),
        ("SET enable_external_access = true", "SET, which changes something"),
        ("DELETE FROM runs", "DELETE, which changes something"),
        ("SELECT 1; DROP TABLE runs", "DROP, which changes something"),
        ("", "a question"),
        ("-- nothing", "a question"),
    ],
)
def test_questions_that_cannot_be_answered(folder: Path, sql: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        ask(folder, sql)


@pytest.mark.parametrize(
    "sql", ["SUMMARIZE runs", "PIVOT runs ON fall USING sum(sold)", "FROM runs"]
)
def test_questions_of_duckdbs_own_kind_change_nothing(folder: Path, sql: str) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(ask(folder, sql))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_query_prints_text_or_json(folder: Path) -> None:
    text = invoke("query", folder, "SELECT cell, fall, stage, message FROM runs ORDER BY cell")
    assert text.exit_code == 0
    assert "-0.08" in text.stdout
    sql = "SELECT cell, message, shortfall / 0 AS x, sum(cell) OVER () AS s FROM runs LIMIT 1"
    found = invoke("query", folder, sql, "--json")
    assert found.exit_code == 0, found.stderr
    assert json.loads(found.stdout) == [{"cell": 0, "message": None, "x": None, "s": 6}]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "no such folder"),
        (".", "a folder without experiment.json"),
        ("out", "did you mean '{place}/out/falls'?"),
        ("out/falls/runs.parquet", "found a file; allowed: the folder"),
        ("out/falls/runs.parquet", "did you mean '{place}/out/falls'?"),
    ],
)
def test_query_of_no_experiment_is_one_message(tmp_path: Path, name: str, words: str) -> None:
    folder = tmp_path / "out" / "falls"
    folder.mkdir(parents=True)
    for file in ("experiment.json", "runs.parquet"):
        (folder / file).write_text("{}", encoding="utf-8")
    found = invoke("query", tmp_path / name, "FROM runs")
    words = words.format(place=tmp_path)
    assert found.exit_code == 3
    assert words in found.stderr
    assert "Traceback" not in found.output
