"""One synthetic run that several modules of figures draw."""

from __future__ import annotations

import pytest

from sim.report import RunContext
from tests.report import synthetic


@pytest.fixture(scope="module")
def flagship() -> synthetic.Result:
    return synthetic.world(orders=1500)


@pytest.fixture(scope="module")
def context(flagship: synthetic.Result) -> RunContext:
    return RunContext.of(flagship)
