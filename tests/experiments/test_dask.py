"""Work on a cluster: scheduler and workers are processes of their own, and may die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sim.core.errors import MissingExtraError, RunError
from sim.experiments.cluster import dask_executor
from sim.experiments.execute import on_executor
from sim.experiments.sweep import sweep
from tests.cli.command import ROOT, invoke, start
from tests.experiments.base import untimed, write
from tests.experiments.workers import slow, tasks

pytest.importorskip("distributed")


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of the cluster until the end of the block, then end it and its children."""
    process = subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "1h"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def worker(address: str) -> Any:
    """Return a worker process with one thread, to be entered."""
    return running(
        "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny",
        "--no-dashboard", "--host", "127.0.0.1",
    )  # fmt: skip


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    """Run a scheduler and yield its address."""
    said = folder / "scheduler.json"
    with running(
        "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
        "--no-dashboard", "--scheduler-file", str(said),
    ):  # fmt: skip
        import json

        deadline = time.monotonic() + 60
        while True:
            assert time.monotonic() < deadline, "no scheduler"
            try:
                address: str = json.loads(said.read_text(encoding="utf-8"))["address"]
            except (OSError, ValueError):
                time.sleep(0.05)
            else:
                yield address
                return


def at_work(executor: Executor, workers: int) -> None:
    """Wait until so many processes answer."""
    deadline = time.monotonic() + 90
    while len(set(executor.map(_where, range(8 * workers)))) < workers:
        assert time.monotonic() < deadline, "too few workers"


def _where(number: int) -> int:
    time.sleep(0.02)
    return os.getpid() + 0 * number


class Cluster:
    """A client of a cluster whose workers have other code."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def nthreads(self) -> dict[str, int]:
        return {"tcp://a": 1, "tcp://b": 1}

    def run(self, asked: Any) -> dict[str, str]:
        return {"tcp://b": "0.0+other", "tcp://a": asked()}


def test_workers_with_other_code_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distributed.Client", Cluster)
    with pytest.raises(RunError, match=r"worker tcp://b runs liqsim 0.0\+other; here is"):
        dask_executor("tcp://a").__enter__()


@pytest.mark.slow
def test_a_cluster_gives_the_table_of_this_machine(tmp_path: Path) -> None:
    file = write(tmp_path, replications=2)
    here = sweep(file, out=tmp_path / "here", workers=1)
    with scheduler(tmp_path) as address:
        alone = start("sweep", str(file), "--out", str(tmp_path / "none"), "--dask", address)
        assert alone.returncode == 1
        assert f"the Dask scheduler at {address} has no workers" in alone.stderr
        with worker(address), worker(address):
            wait_for_workers(address, 2)
            with dask_executor(address) as (executor, cores):
                assert cores == 2
                there = sweep(file, out=tmp_path / "there", workers=cores, executor=executor)
    pd.testing.assert_frame_equal(untimed(here.frame), untimed(there.frame))


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_no_run_with_it(tmp_path: Path) -> None:
    with ExitStack() as stack:
        address = stack.enter_context(scheduler(tmp_path))
        stack.enter_context(worker(address))
        victim = stack.enter_context(worker(address))
        wait_for_workers(address, 2)
        executor, _ = stack.enter_context(dask_executor(address))
        at_work(executor, 2)
        rows = []
        for row in on_executor(tasks(60), executor, 2, slow):
            rows.append(row)
            if len(rows) == 6:
                os.killpg(victim.pid, signal.SIGKILL)
        assert sorted(row["cell"] for row in rows) == list(range(60))
        assert {row["status"] for row in rows} == {"ok"}


def wait_for_workers(address: str, number: int) -> None:
    """Wait until a scheduler knows so many workers."""
    import distributed

    with distributed.Client(address, timeout=30) as client:
        client.wait_for_workers(number, timeout=90)


def test_no_scheduler_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.experiments.cluster.PATIENCE", 0.3)
    with pytest.raises(RunError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"):
        dask_executor("tcp://127.0.0.1:9").__enter__()
    found = invoke("sweep", write(tmp_path), "--out", tmp_path, "--dask", "nowhere")
    assert found.exit_code == 1
    assert "no Dask scheduler at nowhere" in found.stderr
    assert "Traceback" not in found.output


def test_without_dask_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'liqsim\[dask\]'"):
        dask_executor("tcp://127.0.0.1:8786").__enter__()
