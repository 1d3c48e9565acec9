"""The debt of a backstop that failed: whose it is, and who pays for it."""

from __future__ import annotations

import pytest

from tests.engine.small_worlds import events, jump, longs, play, venue

BACKSTOP = {"kind": "backstop", "capital": 100, "most_leverage": 100, "unwind": 2}
FALLS = [jump(-0.1), jump(-0.4, at=2)]
"""Longs at 100 are taken over at 90 and sold at 54."""


def fail(folder, accounts, *layers, **fields):
    """Let a backstop take accounts over at 90 and fail at 54."""
    venues = {"one": venue(waterfall=[BACKSTOP, *layers, {"kind": "clearer"}])}
    return play(folder, accounts, venues=venues, shocks=FALLS, horizon=6, **fields)


@pytest.mark.parametrize("turned", [False, True])
def test_a_debt_belongs_to_all_that_were_taken_over_by_their_notional(tmp_path, turned):
    # It took 10 and 5 contracts with 50 and 25 of money: 100 + 75 - 15 * 36 = -365.
    accounts = longs((10, 150), (5, 75))
    result = fail(tmp_path, accounts[::-1] if turned else accounts)
    owed = events(result, "backstop", "account_id", "symbol", "shortfall")
    assert sorted((key, loss) for key, symbol, loss in owed if not symbol) == [
        ("a0", pytest.approx(365 * 2 / 3)),
        ("a1", pytest.approx(365 / 3)),
    ]
    assert result.summary["shortfall"] == pytest.approx(365)
    assert result.summary["uncovered_shortfall"] == pytest.approx(365)


def test_all_of_them_pay_for_it_from_their_own_contributions(tmp_path):
    # A default fund of 120 by initial margin: 80 and 40, which is all of it.
    layers = [{"kind": "own_contribution"}, {"kind": "default_fund", "size": 120}]
    result = fail(tmp_path, longs((10, 150), (5, 75)), *layers)
    paid = result.summary["venues"]["one"]["layers"]
    assert paid["own_contribution"] == pytest.approx(120)
    assert paid["default_fund"] == 0
    assert result.summary["uncovered_shortfall"] == pytest.approx(365 - 120)
