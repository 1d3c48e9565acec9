"""What tests of random worlds share: a folder for books, and sweeps that begin soon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.agreement import short_sweeps


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose book every example overwrites."""
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture(params=[True, False], ids=["short sweeps", "long sweeps"])
def sweeps(request: pytest.FixtureRequest) -> Iterator[None]:
    """Make sweeps over everybody begin soon and end soon, or leave them as they are."""
    if not request.param:
        yield
        return
    with short_sweeps():
        yield
