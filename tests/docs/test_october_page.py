"""The page of the flagship says what the flagship does."""

from __future__ import annotations

from pathlib import Path

import pytest

import sim
from tests.cli.command import ROOT, invoke
from tests.docs.pages import block, page

PAGE = "docs/october-2025.md"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page_of_the_flagship_shows_what_its_commands_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIQSIM_CHECK", raising=False)
    result = sim.run(sim.load(ROOT / "scenarios" / "october-2025.yaml"))
    folder = result.save(tmp_path, figures=False)
    printed = invoke("cascade", str(folder)).stdout.splitlines()
    for mark in ("first", "generations"):
        for line in block(PAGE, mark, "text").splitlines():
            assert line.rstrip() in [other.rstrip() for other in printed]
    losses = result.cascade.losses_by("cause", "clearer", "source")
    forced = losses[losses["cause"].str.startswith("liquidation:")]
    elsewhere = forced["source"].str.split("/").str[0] != forced["clearer"]
    share = forced["loss"][elsewhere].sum() / forced["loss"].sum()
    assert f'print(forced["loss"][elsewhere].sum() / forced["loss"].sum())  # {share:.2f}' in page(
        PAGE
    )
