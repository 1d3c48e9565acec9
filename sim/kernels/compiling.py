"""How kernels are compiled, and where the compiled code is kept.

Compiled code lives in a folder whose name is a digest of every kernel source and of the versions
of Python, NumPy and numba. A kernel may so call one of another file: when any of them changes,
all are compiled afresh, and code of another version is never loaded. Within the folder numba
itself keeps apart what was compiled for another processor.

The folder is in ``__pycache__`` beside the kernels, in the user's cache where that cannot be
written, or in ``NUMBA_CACHE_DIR`` where the user set it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

PLAIN = "LIQSIM_NUMPY"
"""Environment variable that, where it is 1, makes the kernels run on NumPy alone."""

OPTIONS: dict[str, Any] = {"nogil": True, "no_cfunc_wrapper": True, "error_model": "numpy"}
"""How every kernel is compiled; a division by zero gives what it gives in NumPy."""

P = ParamSpec("P")
R = TypeVar("R")

_numba: Any = None  # its stubs leave out what is needed here
try:
    import numba

    _numba = numba
except ImportError:
    pass
HAS_NUMBA = _numba is not None and os.environ.get(PLAIN) != "1"


def backend() -> str:
    """Return what the kernels run on, ``numba`` or ``numpy``."""
    return "numba" if HAS_NUMBA else "numpy"


def slow_backend() -> str | None:
    """Return a sentence on why runs will be slow, or None where the kernels are compiled."""
    if HAS_NUMBA:
        return None
    if os.environ.get(PLAIN) == "1":
        return f"{PLAIN}=1: the kernels run on NumPy; results are the same, large runs take longer"
    return (
        "numba is not installed: the kernels run on NumPy; results are the same, large runs take "
        "many times longer. `pip install numba` mends that"
    )


def sources_digest(folder: Path, versions: str) -> str:
    """Return 16 hex digits that change with any kernel source in a folder or the versions."""
    digest = hashlib.sha256(versions.encode())
    for path in sorted(folder.glob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:16]


@cache
def cache_folder() -> Path | None:
    """Return where compiled kernels are kept, or None where nothing can be written."""
    here = Path(__file__).resolve().parent
    versions = f"{platform.python_version()} {np.__version__} {_numba.__version__}"
    name = f"liqsim-kernels-{sources_digest(here, versions)}"
    given = os.environ.get("NUMBA_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "liqsim"
    for root in [Path(given)] if given else [here / "__pycache__", home]:
        try:
            (root / name).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root / name):
                return root / name
        except OSError:
            continue
    return None


def compiled(kernel: Callable[P, R]) -> Callable[P, R]:
    """Return the compiled twin of a plain loop, or the loop itself where there is no numba.

    Neither ``fastmath`` nor parallel reductions: results do not depend on the processor's width.
    """
    if not HAS_NUMBA:
        return kernel
    folder, config, njit = cache_folder(), _numba.config, _numba.njit
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder or "")
    try:
        twin: Callable[P, R] = njit(cache=folder is not None, **OPTIONS)(kernel)
    finally:
        config.CACHE_DIR = before
    return twin


def compiled_part(kernel: Callable[P, R]) -> Callable[P, R]:
    """Return a part of compiled kernels, which Python itself cannot call where there is numba.

    It is kept with the kernels that call it. Without the way in from Python it compiles in a
    fraction of the time.
    """
    if not HAS_NUMBA:
        return kernel
    njit = _numba.njit
    twin: Callable[P, R] = njit(no_cpython_wrapper=True, **OPTIONS)(kernel)
    return twin
