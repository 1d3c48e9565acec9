"""Work on a Dask cluster: scheduler and workers are processes of their own, here or elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from sim.core.errors import MissingExtraError, RunError
from sim.core.version import code_version

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
        If no scheduler answers there, it has no workers, or a worker has other code than this
        process.

    Notes
    -----
    A worker that dies takes no run with it: the scheduler gives its tasks to others, and after
    three deaths over one task that run is a failed row. Workers read the files that a scenario
    names, such as books, at the same paths as this process.
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
        _same_code(client)
        with client.get_executor() as executor:
            yield executor, threads


def _same_code(client: Any) -> None:
    """Refuse workers whose results would not be this program's."""
    ours = code_version()
    for worker, theirs in sorted(client.run(code_version).items()):
        if theirs != ours:
            raise RunError(f"the Dask worker {worker} runs liqsim {theirs}; here is {ours}")
