"""Settings shared by all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import matplotlib
import pytest
from hypothesis import settings

# Always the same examples, no time limit on one and no file of old ones: a test that passed
# passes again on another, slower machine.
settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
settings.load_profile("ci")

# Tests draw to files, never to a screen.
matplotlib.use("Agg")

# Every run of the suite, in this process or another, checks that money is conserved.
os.environ["LIQSIM_CHECK"] = "1"


@pytest.fixture
def listening() -> Iterator[None]:
    """Let this process, and those it starts, hear an interruption.

    A shell that starts the suite with ``&`` makes it and all that it starts deaf.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
