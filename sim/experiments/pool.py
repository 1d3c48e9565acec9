"""Worker processes of this machine that end with whom they work for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread

GUARD = "a script that starts workers does so under: if __name__ == '__main__':"
"""What is wrong where no worker can start: each reads the script that it was started from."""


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool whose processes end with it, whatever they are doing.

    They start afresh (``spawn``): the same on every system, nothing inherited but the environment.

    Parameters
    ----------
    workers : int
        At least 1.
    """
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)
    try:
        yield pool
    except BaseException:
        processes = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        raise
    pool.shutdown()


def _begin() -> None:
    """Leave Ctrl-C to the process that collects what is done, and end when that does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker once the process that it works for is gone, killed or not."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
