"""What tests of random worlds share: sweeps that begin soon, and kernels run as plain NumPy."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from sim.engine import watch
from sim.kernels import compiling


@pytest.fixture(params=[True, False], ids=["short sweeps", "long sweeps"])
def sweeps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make sweeps over everybody begin soon and end soon, or leave them as they are."""
    if request.param:
        monkeypatch.setattr(watch, "SHORTEST_SWEEP", 2)
        monkeypatch.setattr(watch, "LONGEST_SWEEP", 5)
        monkeypatch.setattr(watch, "CROWDED", 1.5)


@pytest.fixture
def on_numpy(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Return a switch that makes every kernel run as its plain twin, or compiled again."""
    users = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("sim.") and hasattr(module, "HAS_NUMBA")
    ]
    assert compiling.HAS_NUMBA
    assert len(users) >= 5

    def switch(plain: bool) -> None:
        for module in users:
            monkeypatch.setattr(module, "HAS_NUMBA", not plain)

    return switch
