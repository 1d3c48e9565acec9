"""What tests of the command share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture
def listening() -> Iterator[None]:
    """Let this process, and those it starts, hear an interruption.

    A shell that starts the suite with ``&`` makes it and all that it starts deaf.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
