"""An interruption is heard even where Python drops the first one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sim.cli import interrupting
from sim.cli.interrupting import heard

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no interval timers"
)

DEAF = """
import os, signal, time
from sim.cli.interrupting import heard

class Deaf:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

try:
    with heard():
        Deaf()
        time.sleep(30)
except KeyboardInterrupt:
    print("heard")
"""


def test_an_interruption_in_a_finaliser_is_heard():
    done = subprocess.run(
        [sys.executable, "-c", DEAF], cwd=ROOT, capture_output=True, text=True, timeout=20,
        check=False,
    )  # fmt: skip
    assert "Exception ignored" in done.stderr
    assert done.stdout == "heard\n"


def interrupted():
    with heard():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1.0)


def test_nothing_is_left_behind(monkeypatch):
    monkeypatch.setattr(interrupting, "AGAIN", 0.05)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    time.sleep(0.1)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)) == before
