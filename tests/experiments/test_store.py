"""The store: what is finished is there, belongs to one experiment, and is done once."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from sim.core.errors import RunError, ScenarioError
from sim.experiments import store as stores
from sim.experiments.aggregate import by_cell
from sim.experiments.query import ask
from sim.experiments.store import Store
from sim.experiments.sweep import SweepResult, sweep
from sim.experiments.table import from_runs, read_runs
from tests.cli.command import SMALL
from tests.experiments.base import plan, untimed, write


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """Return an experiment that was never disturbed."""
    folder = tmp_path_factory.mktemp("done")
    return sweep(write(folder, replications=2), out=folder / "out", workers=1)


@pytest.fixture
def copied(done: SweepResult, tmp_path: Path) -> Path:
    """Return a folder with the store's journal and identity, without its table."""
    folder = tmp_path / "out" / "falls"
    folder.mkdir(parents=True)
    for name in ("experiment.json", "journal.jsonl"):
        (folder / name).write_bytes((done.folder / name).read_bytes())
    return folder


def again(folder: Path, **keys: Any) -> tuple[SweepResult, list[tuple[int, int]]]:
    """Run the experiment into a copied store; return the result and the progress that was told."""
    told: list[tuple[int, int]] = []
    file = write(folder.parent.parent, **{"replications": 2, **keys})
    result = sweep(
        file,
        out=folder.parent,
        workers=1,
        watch=lambda done, runs, failed: told.append((done, runs)),
    )
    return result, told


def lines_of(folder: Path) -> list[str]:
    return (folder / "journal.jsonl").read_text("utf-8").splitlines(keepends=True)


def same(found: SweepResult, wanted: SweepResult) -> None:
    pd.testing.assert_frame_equal(untimed(found.frame), untimed(wanted.frame))


def test_the_table_has_a_row_for_every_run(done: SweepResult) -> None:
    frame = done.frame
    assert list(zip(frame["cell"], frame["replication"], strict=True)) == [
        (cell, replication) for cell in range(4) for replication in range(2)
    ]
    assert list(frame["fall"]) == [-0.04] * 4 + [-0.08] * 4
    assert set(frame["seed"]) == {7, 8}
    assert (frame["status"] == "ok").all()
    assert (frame["stage"] == "done").all()
    assert frame["run_id"].is_unique
    assert frame["sold"].dtype == "float64"
    assert done.factors == ["fall", "fund"]
    assert done.metrics == ["shortfall", "sold"]
    assert done.failures.empty


def test_a_row_is_the_run_itself(done: SweepResult) -> None:
    """The same scenario, set and run by hand, has the figures and the run id of its row."""
    from sim.engine import run
    from sim.schema import load

    file = done.plan.base.file
    overrides = {"shocks.0.return": -0.08, "venues.alpha.waterfall.0.size": 1e3}
    summary = run(load(file, overrides), seed=8).summary
    row = done.frame.query("fall == -0.08 and fund == 1000 and replication == 1").iloc[0]
    assert row["run_id"] == summary["run_id"]
    assert row["shortfall"] == summary["shortfall"]
    assert row["sold"] == summary["accounts_liquidated"]


def test_nothing_is_run_again(done: SweepResult, copied: Path) -> None:
    before = lines_of(copied)
    result, told = again(copied)
    assert told == [(8, 8)]
    assert result.done_before == 8
    assert lines_of(copied) == before
    same(result, done)


def test_more_replications_are_run_in_addition(done: SweepResult, copied: Path) -> None:
    before = lines_of(copied)
    result, _ = again(copied, replications=3)
    assert result.done_before == 8
    assert lines_of(copied)[:8] == before
    assert len(result.frame) == 12
    first = result.frame.query("replication < 2").reset_index(drop=True)
    pd.testing.assert_frame_equal(untimed(first), untimed(done.frame))


def test_fewer_replications_show_only_theirs(copied: Path) -> None:
    result, _ = again(copied, replications=1)
    assert list(result.frame["replication"]) == [0] * 4
    assert list(by_cell(result)["runs"]) == [1] * 4


@pytest.mark.parametrize("key", ["name", "description"])
def test_words_about_an_experiment_do_not_make_it_another(copied: Path, key: str) -> None:
    target = copied.rename(copied.with_name("other")) if key == "name" else copied
    assert again(target, **{key: "other"})[0].done_before == 8


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"factors": [{"path": "shocks.0.return", "values": [-0.1]}]}, "other factors"),
        ({"metrics": ["shortfall"]}, "other metrics"),
        ({"seed": 9}, "other seed"),
        ({"keep": "summary"}, "other keep"),
        ({"common_random_numbers": False}, "other common_random_numbers"),
        ({"text": SMALL.replace("count: 40", "count: 41")}, "other scenario"),
    ],
)
def test_the_folder_of_another_experiment_is_refused(
    copied: Path, keys: dict[str, Any], words: str
) -> None:
    before = {path.name: path.read_bytes() for path in copied.iterdir()}
    with pytest.raises(ScenarioError, match=words):
        again(copied, **keys)
    assert {p.name: p.read_bytes() for p in copied.iterdir() if p.name != ".lock"} == before


def test_results_of_other_code_are_not_mixed(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.experiments.plan.code_version", lambda: "9.9")
    with pytest.raises(ScenarioError, match="other code version"):
        again(copied)


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out" / "falls").mkdir(parents=True)
    (tmp_path / "out" / "falls" / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"other files in it \(thesis.tex\)"):
        sweep(write(tmp_path), out=tmp_path / "out", workers=1)
    found = (tmp_path / "out" / "falls" / "thesis.tex").read_text(encoding="utf-8")
    assert found == "years of work"


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"experiment": 3}', '{"experiment": {}, "columns": {"factors": {}}}']
)
def test_a_damaged_identity_is_told_and_left_alone(copied: Path, text: str) -> None:
    (copied / "experiment.json").write_text(text, encoding="utf-8")
    for attempt in (lambda: read_runs(copied), lambda: again(copied)):
        with pytest.raises(ScenarioError, match=r"experiment.json: file: found"):
            attempt()
    assert (copied / "experiment.json").read_text(encoding="utf-8") == text


def test_a_program_killed_while_it_claimed_its_folder_left_nothing_in_the_way(
    done: SweepResult, copied: Path
) -> None:
    """Before the folder is an experiment's the file that says so stands beside its place."""
    text = (copied / "experiment.json").read_text(encoding="utf-8")
    (copied / "experiment.json").unlink()
    (copied / "journal.jsonl").unlink()
    (copied / ".experiment.json.part").write_text(text[:40], encoding="utf-8")
    same(again(copied)[0], done)
    assert not (copied / ".experiment.json.part").exists()


def cut_off(lines: list[str]) -> list[str]:
    return [*lines[:-1], lines[-1][:-9]]


def without_end(lines: list[str]) -> list[str]:
    return [*lines[:-1], lines[-1].rstrip("\n")]


def garbage(lines: list[str]) -> list[str]:
    return [*lines[:2], "\x00\x00{'not json\n", *lines[3:]]


def other_shape(lines: list[str]) -> list[str]:
    row = json.loads(lines[2])
    return [*lines[:2], json.dumps({**row, "cell": "two"}) + "\n", *lines[3:]]


def half_a_row(lines: list[str]) -> list[str]:
    row = json.loads(lines[2])
    del row["metrics"]
    return [*lines[:2], json.dumps(row) + "\n", *lines[3:]]


@pytest.mark.parametrize("broken", [cut_off, without_end, garbage, other_shape, half_a_row])
def test_a_broken_line_costs_its_run_alone(
    done: SweepResult, copied: Path, broken: Callable[[list[str]], list[str]]
) -> None:
    text = "".join(broken(lines_of(copied)))
    (copied / "journal.jsonl").write_text(text, encoding="utf-8")
    result, told = again(copied)
    assert (result.dropped, result.done_before) == (1, 7)
    assert told == [(7, 8), (8, 8)]
    same(result, done)
    assert len(lines_of(copied)) == 8
    assert again(copied)[0].dropped == 0


def test_a_table_is_made_anew_where_it_is_missing_broken_or_behind(
    done: SweepResult, copied: Path
) -> None:
    table = copied / "runs.parquet"
    wanted = untimed(done.frame)
    pd.testing.assert_frame_equal(untimed(read_runs(copied)), wanted)
    table.write_bytes(table.read_bytes()[:100])
    pd.testing.assert_frame_equal(untimed(read_runs(copied)), wanted)
    table.write_bytes(b"")
    pd.testing.assert_frame_equal(untimed(read_runs(copied)), wanted)
    lines = lines_of(copied)
    (copied / "journal.jsonl").write_text("".join(lines[:5]), encoding="utf-8")
    assert len(read_runs(copied)) == 5


def test_a_table_damaged_behind_its_beginning_is_made_anew(
    copied: Path,
) -> None:
    """Its first rows can be read, as those of a large table whose disk has a bad spot."""
    table = copied / "runs.parquet"
    wanted = read_runs(copied)
    sound, read = table.read_bytes(), []

    def damaged(runs: str) -> pd.DataFrame:
        read.append(runs)
        if len(read) == 1:
            raise duckdb.InvalidInputException("corrupt page")
        return wanted

    pd.testing.assert_frame_equal(from_runs(copied, damaged), wanted)
    assert len(read) == 2
    assert table.read_bytes() == sound


def test_a_folder_that_cannot_be_written_is_still_read(
    copied: Path, done: SweepResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the copy of another's results, whose times of change the copying lost."""
    monkeypatch.setattr("sim.experiments.table.os.access", lambda *_: False)
    pd.testing.assert_frame_equal(untimed(read_runs(copied)), untimed(done.frame))
    assert len(ask(copied, "SELECT * FROM runs")) == 8
    assert not (copied / "runs.parquet").exists()


def test_tables_that_a_crash_left_half_made_are_cleared_away(copied: Path) -> None:
    old, new = copied / ".runs-old", copied / ".runs-new"
    for left in (old, new):
        left.mkdir()
        (left / "runs.parquet").write_bytes(b"PAR1")
    os.utime(old, (1e9, 1e9))
    read_runs(copied)
    assert not old.exists()
    assert new.exists()


def test_equal_journals_make_equal_tables(copied: Path) -> None:
    """Whatever the order in which runs were finished."""
    read_runs(copied)
    first = (copied / "runs.parquet").read_bytes()
    lines = lines_of(copied)
    (copied / "journal.jsonl").write_text("".join(reversed(lines)), encoding="utf-8")
    read_runs(copied)
    assert (copied / "runs.parquet").read_bytes() == first


class FullDisk:
    """A file that takes some bytes and then no more, as one on a full disk."""

    def __init__(self, stream: Any, room: int) -> None:
        self.stream, self.room = stream, room

    def write(self, data: bytes) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken: int = self.stream.write(bytes(data)[: self.room])
        self.room -= taken
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def test_a_full_disk_ends_the_experiment_and_loses_nothing(
    done: SweepResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line that did not fit is taken back; with room again the same command goes on."""
    enter = Store.__enter__

    def entered(self: Store) -> Store:
        enter(self)
        self._journal = FullDisk(self._journal, 1_000)  # type: ignore[assignment]
        return self

    file, out = write(tmp_path, replications=2), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Store, "__enter__", entered)
        with pytest.raises(RunError, match="No space left on device; 3 finished runs are kept"):
            sweep(file, out=out, workers=1)
    assert len(lines_of(out / "falls")) == 3
    result = sweep(file, out=out, workers=1)
    assert (result.done_before, result.dropped) == (3, 0)
    same(result, done)


def test_a_table_that_cannot_be_written_says_that_the_journal_is_whole(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("sim.experiments.table.os.utime", full)
        with pytest.raises(RunError, match="the journal beside it is whole"):
            again(copied)
    assert sorted(os.listdir(copied)) == [".lock", "experiment.json", "journal.jsonl"]
    assert len(again(copied)[0].frame) == 8


def test_an_experiment_without_a_finished_run_has_an_empty_table(copied: Path) -> None:
    (copied / "journal.jsonl").write_text("", encoding="utf-8")
    frame = read_runs(copied)
    assert frame.empty
    assert list(frame.columns[:5]) == ["cell", "replication", "seed", "fall", "fund"]
    (copied / "journal.jsonl").unlink()
    with pytest.raises(ScenarioError, match="no finished run"):
        read_runs(copied)


def test_two_programs_do_not_write_one_folder(tmp_path: Path) -> None:
    made = plan(tmp_path)
    second = Store(tmp_path / "out", made)
    refused = pytest.raises(RunError, match="being written by another process")
    with Store(tmp_path / "out", made), refused:
        second.__enter__()
    with Store(tmp_path / "out", made):
        pass


def test_without_locks_a_store_still_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.experiments.locking.LOCKS", False)
    made = plan(tmp_path)
    with Store(tmp_path / "out", made), Store(tmp_path / "out", made) as store:
        assert store.finished == 0


def test_a_file_system_without_locks_takes_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of clusters; another failure of a lock is told."""

    def fails(code: int) -> Callable[..., None]:
        def flock(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        return flock

    store = Store(tmp_path / "out", plan(tmp_path))
    monkeypatch.setattr("sim.experiments.locking.fcntl.flock", fails(errno.ENOSYS))
    with store:
        assert store.finished == 0
    monkeypatch.setattr("sim.experiments.locking.fcntl.flock", fails(errno.EIO))
    with pytest.raises(RunError, match="cannot write to"):
        store.__enter__()


def test_a_failed_run_is_a_row_with_stage_and_message(tmp_path: Path) -> None:
    """A book that is not there: found when a run wants it, and the others go on."""
    book = {"accounts": "a.csv", "balances": "b.csv", "positions": "p.csv"}
    constant = {"dist": "constant", "value": 2}
    cohort = {"cohort": "few", "count": 3, "venues": {"alpha": 1}, "long_share": 1}
    traders = [{**cohort, "equity": constant, "leverage": constant}]
    factors = [{"path": "traders", "name": "who", "values": [traders, [*traders, {"book": book}]]}]
    for name in book.values():
        (tmp_path / name).write_text("nonsense\n", encoding="utf-8")
    result = sweep(write(tmp_path, factors=factors), out=tmp_path / "out", workers=1)
    assert list(result.frame["status"]) == ["ok", "failed"]
    failed = result.failures.iloc[0]
    assert failed["stage"] == "run"
    assert "a.csv" in failed["message"]
    assert pd.isna(failed["shortfall"])
    cells = by_cell(result)
    assert list(cells["failed"]) == [0, 1]
    assert list(cells["runs"]) == [1, 0]


def test_a_defect_of_the_program_is_a_row_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise TypeError("a defect\nin two lines")

    monkeypatch.setattr("sim.engine.run", broken)
    result = sweep(write(tmp_path), out=tmp_path / "out", workers=1)
    assert set(result.frame["message"]) == {"TypeError: a defect in two lines"}


def test_a_metric_without_value_is_empty_and_the_run_succeeds(tmp_path: Path) -> None:
    metrics = [{"name": "ratio", "value": "shortfall / (accounts - 40)"}, "accounts"]
    result = sweep(write(tmp_path, metrics=metrics), out=tmp_path / "out", workers=1)
    assert result.failures.empty
    assert result.frame["ratio"].isna().all()
    assert (result.frame["accounts"] == 40).all()
    assert by_cell(result)["ratio"].isna().all()


def test_keep_runs_leaves_a_folder_for_each(tmp_path: Path) -> None:
    factors = [{"path": "shocks.0.return", "name": "fall", "values": [-0.04, -0.08]}]
    file = write(tmp_path, keep="runs", factors=factors)
    result = sweep(file, out=tmp_path / "out", workers=1)
    kept = {path.parent.name for path in result.folder.glob("runs/small/*/summary.json")}
    assert kept == set(result.frame["run_id"])


def test_keep_summary_is_in_the_journal(tmp_path: Path) -> None:
    result = sweep(write(tmp_path, keep="summary"), out=tmp_path / "out", workers=1)
    rows = [json.loads(line) for line in lines_of(result.folder)]
    for row in rows:
        assert row["summary"]["shortfall"] == row["metrics"]["shortfall"]
        assert row["summary"]["run_id"] == row["run_id"]
    assert len(result.frame) == 4


def test_an_experiment_without_factors_is_one_cell(tmp_path: Path) -> None:
    result = sweep(write(tmp_path, factors=None, replications=3), out=tmp_path / "out", workers=1)
    assert list(result.frame["replication"]) == [0, 1, 2]
    assert list(by_cell(result)["runs"]) == [3]


def test_factors_of_any_kind_come_back(tmp_path: Path) -> None:
    """Words, switches, whole numbers and blocks; a name with quotes is a column like any other."""
    blocks = [{"kind": "linear", "depth": 1e7}, {"kind": "linear", "depth": 2e7}]
    factors = [
        {"path": "description", "values": ['it\'s "so"', "é"]},
        {"path": "engine.check", "values": [True]},
        {"path": "traders.0.count", "values": [40]},
        {"path": "venues.alpha.waterfall.0.size", "name": "huge", "values": [2**70]},
        {"path": "markets.0.impact", "name": "law", "values": blocks},
    ]
    metrics = [{"name": 'the "sum", it\'s', "value": "accounts + 1"}]
    file = write(tmp_path, factors=factors, metrics=metrics)
    frame = sweep(file, out=tmp_path / "out", workers=1).frame
    assert list(frame["description"]) == ['it\'s "so"', 'it\'s "so"', "é", "é"]
    assert frame["engine.check"].dtype == bool
    assert frame["traders.0.count"].dtype == "int64"
    assert set(frame["huge"]) == {float(2**70)}
    assert [json.loads(text) for text in frame["law"]] == blocks * 2
    assert list(frame['the "sum", it\'s']) == [41.0] * 4


def test_names_of_metrics_may_hold_any_sign(tmp_path: Path) -> None:
    """A bare expression is its own name; none of its signs is a joker."""
    names = ["fees * 2", "*", "a/b~c", "$x", "[0]", "?", "back\\slash", "two\nlines", 'it\'s "1"']
    factors = [{"path": "shocks.0.return", "values": [-0.08]}]
    metrics = [{"name": name, "value": "accounts_liquidated"} for name in names]
    result = sweep(
        write(tmp_path, factors=factors, metrics=metrics), out=tmp_path / "out", workers=1
    )
    assert result.frame[names].to_numpy().tolist() == [[12.0] * len(names)]
    assert by_cell(result)[names].to_numpy().tolist() == [[12.0] * len(names)]


def test_a_folder_that_cannot_be_made_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    with pytest.raises(RunError, match="cannot write to"):
        sweep(write(tmp_path), out=tmp_path / "out", workers=1)


def test_the_disk_is_waited_for_now_and_then_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[int] = []
    monkeypatch.setattr(stores.os, "fsync", waits.append)
    monkeypatch.setattr(stores, "SYNC_SECONDS", 1e9)
    sweep(write(tmp_path), out=tmp_path / "out", workers=1)
    assert 1 <= len(waits) <= 2
