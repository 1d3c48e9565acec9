"""An interruption that is heard, wherever it strikes.

Python drops a ``KeyboardInterrupt`` that strikes inside a finaliser or a callback from compiled
code, such as numba's compiler uses. So it is raised anew until somebody answers.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 0.5
"""Seconds after which an interruption that nobody answered is raised anew."""


@contextmanager
def heard() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` again and again after an interruption, until it arrives here.

    Only on systems that have interval timers; others keep Python's own way.
    """
    if not hasattr(signal, "setitimer") or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGALRM, _interrupt), signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before[0])
        signal.signal(signal.SIGINT, before[1])


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, AGAIN)
    raise KeyboardInterrupt
