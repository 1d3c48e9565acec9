"""The positions of a clearer's accounts in a market, listed once for auto-deleveraging."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import sim
from sim.core import arrays
from sim.engine.adl import market_slots
from sim.engine.build import build_world
from tests.cli.command import SMALL


def test_every_position_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "BLOCK", 7)
    world = build_world(sim.load_text(SMALL, base_dir=tmp_path), 1)
    ledger = world.ledger
    last = ledger.position_start[world.accounts]
    listed = []
    for venue in range(len(world.venue_names)):
        for market in range(len(world.board.ids)):
            slots = market_slots(world, venue, market)
            assert (np.diff(slots) > 0).all()
            assert (ledger.market[slots] == market).all()
            assert (world.clearer[ledger.position_row[slots]] == venue).all()
            assert market_slots(world, venue, market) is slots
            listed.extend(slots.tolist())
    assert sorted(listed) == list(range(last))
