"""Work on a Dask cluster: scheduler and workers are processes of their own, here or elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from sim.core.errors import MissingExtraError, RunError

PATIENCE = 10.0
"""Seconds in which a scheduler must answer."""


@contextmanager
def dask_executor(address: str) -> Iterator[tuple[Executor, int]]:
    """Yield an executor on the cluster of a Dask scheduler, and how many tasks run there at once.

    Parameters
    ----------
    address : str
        Such as ``tcp://127.0.0.1:8786``.

    Raises
    ------
    MissingExtraError
        If ``distributed`` is not installed.
    RunError
        If no scheduler answers there, or it has no workers.

    Notes
    -----
    A worker that dies takes no run with it: the scheduler gives its tasks to others, and after
    three deaths over one task that run is a failed row.
    """
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise MissingExtraError("--dask needs Dask: pip install 'liqsim[dask]'") from None
    try:
        client = distributed.Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        text = " ".join(str(error).split())
        raise RunError(f"no Dask scheduler at {address}: {text}") from None
    with client:
        threads = sum(client.nthreads().values())
        if threads == 0:
            raise RunError(f"the Dask scheduler at {address} has no workers")
        with client.get_executor() as executor:
            yield executor, threads
