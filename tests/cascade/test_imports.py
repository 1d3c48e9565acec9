"""What a run has to load for its cascade."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sim.cascade


def test_a_run_loads_no_linear_algebra_for_its_cascade() -> None:
    program = "import sys, sim.cascade; print('scipy.sparse' in sys.modules)"
    call = [sys.executable, "-c", program]
    assert (
        subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip() == "False"
    )


def test_every_name_is_there() -> None:
    for name in sim.cascade.__all__:
        assert getattr(sim.cascade, name).__name__ == name
    missing = "debt_rank"
    with pytest.raises(AttributeError, match="no attribute 'debt_rank'"):
        getattr(sim.cascade, missing)
