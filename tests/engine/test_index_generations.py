"""Whom sales elsewhere broke, where a venue marks at an index or at a median with one."""

from __future__ import annotations

import pytest

from tests.engine.small_worlds import jump, linear, perp, play, venue

INDEX = {"kind": "index"}
BASIS = {"kind": "ema", "half_life": "60s", "of": "basis"}
LAST = {"kind": "last"}
MEDIAN = {"kind": "median_of", "of": [INDEX, BASIS, LAST]}


def broken(tmp_path, mark):
    """Return generation and losses by cause of b0, whom a sale at a breaks through the index."""
    # 2 sold at 90 take the price at a to 86 and the index to 88: b0 has 8 of the 8.8 it needs.
    venues = {"a": venue(mark=LAST), "b": venue(mark=mark)}
    markets = [perp("a", impact=linear(2)), perp("b")]
    accounts = [
        ("a0", "a0", "a", {"USDT": 30}, [("a/BTC-PERP", 2, 100)]),
        ("b0", "b0", "b", {"USDT": 20}, [("b/BTC-PERP", 1, 100)]),
    ]
    result = play(tmp_path, accounts, venues=venues, markets=markets, shocks=[jump(-0.1)])
    found = result.breaks.set_index("account_id").loc["b0"]
    losses = result.cascade.losses()
    mine = losses[losses["account_id"] == "b0"]
    return int(found["generation"]), mine.groupby("cause")["loss"].sum().to_dict()


@pytest.mark.parametrize(
    "mark",
    [INDEX, MEDIAN, {"kind": "median_of", "of": [BASIS, LAST, INDEX]}],
    ids=["index", "median", "median, index last"],
)
def test_who_is_broken_through_an_index_follows_who_sold(tmp_path, mark):
    generation, lost = broken(tmp_path, mark)
    assert generation == 1
    # The average takes up some of the basis of 2 within the tick.
    assert lost == {"liquidation:a": pytest.approx(2, rel=0.02)}


def test_who_marks_at_the_last_price_is_not_broken_by_sales_elsewhere(tmp_path):
    with pytest.raises(KeyError):
        broken(tmp_path, {"kind": "median_of", "of": [LAST, {"kind": "ema", "half_life": "60s"}]})
