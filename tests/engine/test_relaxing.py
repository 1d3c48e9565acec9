"""All books of a board recover as their impact models say, one by one."""

from __future__ import annotations

import json

import numpy as np
import pytest

import sim
from sim.engine.build import build_world
from tests.engine.small_worlds import build, linear, perp, venue


@pytest.fixture
def board():
    markets = [
        perp(base="A", impact=linear(1e-3, resilience_half_life=60)),
        perp(base="B", impact=linear(1e-3, resilience_half_life=7, permanent_share=0.3)),
        perp(base="C", impact=linear(1e-3)),
        perp("two", base="A", impact=linear(1e-3, resilience_half_life=60)),
    ]
    prices = {name: {"price": 100} for name in "ABC"}
    content = {
        "schema_version": 1,
        "name": "books",
        "clock": {"tick": 1, "horizon": 5},
        "assets": {"USDT": {"price": 1}, **prices},
        "venues": {"one": venue(), "two": venue()},
        "markets": markets,
        "traders": [],
    }
    return build_world(sim.load_text(json.dumps(content), file="books.yaml"), 1).board


@pytest.mark.parametrize("seconds", [0.0, 1.0, 3600.0])
def test_a_board_relaxes_like_each_model(board, seconds):
    board.last[:] = [91.0, 112.0, 80.0, 97.0]
    board.up[1] = False
    before = board.last.copy()
    expected = [
        (price, anchor)
        if number == 3  # its venue is down
        else model.relax(price, anchor, model.decay_factor(seconds))
        for number, (model, price, anchor) in enumerate(
            zip(board.impact, board.last.tolist(), board.anchor.tolist(), strict=True)
        )
    ]
    board.relax(seconds)
    assert list(zip(board.last.tolist(), board.anchor.tolist(), strict=True)) == expected
    booked = np.log(board.last / before)
    np.testing.assert_array_equal(board.causes.log_move_of("reversion"), booked)


@pytest.mark.parametrize("thinned", [1.0, 0.37, 0.0])
def test_depths_are_those_of_each_book(tmp_path, thinned):
    square = {"kind": "square_root", "adv": 3e6, "sigma": 0.037}
    markets = [perp(base=base, multiplier=0.7, impact=square) for base in ("A", "B")]
    markets.append(perp(base="C", impact=linear(1e-3)))
    assets = {"USDT": {"price": 1}, "A": {"price": 113.7}, "B": {"price": 0.0173}}
    scenario = build(tmp_path, markets=markets, assets={**assets, "C": {"price": 7}})
    board = build_world(scenario, 1).board
    board.liquidity = np.full(3, thinned)
    board.last[:] *= [1.013, 0.77, 1.3]
    assert board.depths().tolist() == [board.depth(m) for m in range(3)]


def test_recovery_stops_at_the_floor(board):
    board.last[0], board.anchor[0], board.floor[0] = 95.0, 50.0, 90.0
    board.relax(3600.0)
    assert board.last[0] == 90.0
    assert board.floor_hits == 1
