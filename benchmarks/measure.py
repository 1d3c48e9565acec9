"""Time and memory of this process, and jobs in processes of their own."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.places import ROOT

LONGEST = 3600.0
"""Time after which a job is given up [s]."""


class JobError(Exception):
    """A job failed; the message says which and why."""


class Stopwatch:
    """Times the ticks of a run; to be given to `sim.run` as its `progress`.

    Building and the tables that are made at the end are left out.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[int, float]] = []

    def __call__(self, done: int, ticks: int) -> None:
        """Note how many ticks are done."""
        self.calls = [*self.calls[:1], (done, time.perf_counter())]

    @property
    def seconds_per_tick(self) -> float:
        """Mean time of a tick [s] between the first call and the last."""
        (first, began), (last, ended) = self.calls
        return (ended - began) / (last - first)


def peak_memory() -> int:
    """Return the most memory that this process has held so far [bytes].

    Linux keeps it for the program alone; elsewhere, and for a process that was started from a
    larger one, `ru_maxrss` is the upper bound that there is.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def environment(**extra: str) -> dict[str, str]:
    """Return the environment of a job: the caller's, without switches of the test suite."""
    ours = ("LIQSIM_CHECK", "LIQSIM_NUMPY", "COLUMNS")
    return {**{k: v for k, v in os.environ.items() if k not in ours}, **extra}


def run_job(name: str, **arguments: Any) -> dict[str, Any]:
    """Run a job of `benchmarks.worker` in a fresh process and return what it measured.

    Raises
    ------
    JobError
        The job failed or took longer than `LONGEST`.
    """
    said = " ".join(f"{key}={value}" for key, value in arguments.items())
    print(f"  {name} {said}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.worker", name, json.dumps(arguments)]
    output = timed_process(command)[1]
    measured: dict[str, Any] = json.loads(output.splitlines()[-1])
    return measured


def timed_process(command: list[str], **extra: str) -> tuple[float, str]:
    """Run a process in the repository; return how long it took [s] and what it printed.

    Raises
    ------
    JobError
        It failed or took longer than `LONGEST`.
    """
    shown = " ".join(command[1:])
    began = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(**extra),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired:
        raise JobError(f"{shown}: not done after {LONGEST:.0f} s") from None
    if done.returncode != 0:
        raise JobError(f"{shown}: exit code {done.returncode}\n{done.stderr.strip()}")
    return time.perf_counter() - began, done.stdout
