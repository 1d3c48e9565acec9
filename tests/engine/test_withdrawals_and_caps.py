"""What a venue refuses: withdrawals that leave too little or come too soon, and open interest."""

from __future__ import annotations

import pytest

import sim
from tests.engine.small_worlds import build, jump, longs, perp, play, venue
from tests.engine.test_handwritten_trader import Gambler

CALL = {"level": 1.5, "grace": 5}
TOP_UP = {"top_up": {"sources": ["accounts"], "latency": 0}}
GIVER = ("g", "t", "two", {"USDT": 40}, [("two/ETH-PERP", 10, 10)])
TAKER = ("k", "t", "one", {"USDT": 15}, [("one/BTC-PERP", 1, 100)])
"""On a fall of BTC to 98 the taker has 13 and is called below 14.7, which the giver can send."""
ASSETS = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}}


def balance(tmp_path, rule, fall=-0.05, extra=(), shocks=(), horizon=5, at=1):
    """Return what the giver's cohort holds at each tick on the second venue."""
    result = play(
        tmp_path,
        [TAKER, GIVER, *extra],
        source=TOP_UP,
        venues={"one": venue(call=CALL), "two": venue(initial_rate=0.35, withdrawals=rule)},
        markets=[perp(), perp("two", "ETH")],
        assets=ASSETS,
        shocks=[jump(fall, at=at), *shocks],
        horizon=horizon,
    )
    table = result.cohorts
    return table.loc[table["venue"] == "two", "equity"].tolist()


def test_a_giver_keeps_its_maintenance_margin_and_nothing_else_by_default(tmp_path):
    # At 95 the taker needs 1.5 * 9.5 - 10 = 4.25; at 75 it would need 21.25.
    assert balance(tmp_path, {})[-1] == pytest.approx(40 - 4.25)
    assert balance(tmp_path, {}, fall=-0.25)[-1] == pytest.approx(40 - 21.25)


def test_a_giver_keeps_its_initial_margin_or_a_share_of_notional(tmp_path):
    # Hyperliquid's rule is the larger of the two: here 35 against 10 or 38.
    keep = {"keep": "initial_margin", "keep_share": 0.1}
    assert balance(tmp_path, keep, fall=-0.1)[-1] == pytest.approx(40 - 5)
    assert balance(tmp_path, {**keep, "keep_share": 0.38}, fall=-0.1)[-1] == pytest.approx(38)
    assert balance(tmp_path, {"keep_share": 0.2}, fall=-0.25)[-1] == pytest.approx(20)


def test_nothing_leaves_for_a_while_after_an_account_was_negative(tmp_path):
    # The other account of the second venue is bankrupt at tick 1; the taker is called at 1 too.
    bankrupt = ("x", "tx", "two", {"USDT": 12}, [("two/ETH-PERP", -10, 10)])
    shocks = [jump(0.2, at=1, asset="ETH")]
    gate = {"gate_after_negative": 2}
    free = balance(tmp_path, {}, extra=[bankrupt], shocks=shocks)
    gated = balance(tmp_path, gate, extra=[bankrupt], shocks=shocks)
    assert free[1:] == pytest.approx([40 + 20 - 4.25] * 4)
    assert gated[1:] == pytest.approx([60, 60, 55.75, 55.75])


def test_nothing_leaves_for_a_while_after_an_outage(tmp_path):
    outage = {"kind": "outage", "venue": "two", "at": 0, "duration": 2}
    for seconds, first in ((0, 2), (1, 3), (3, 5)):
        held = balance(tmp_path, {"gate_after_outage": seconds}, shocks=[outage], horizon=7)
        assert held == pytest.approx([40] * first + [35.75] * (7 - first))


def fundamentalists(tmp_path, caps, **fields):
    """Play traders who want more of a market that has fallen, under a cap."""
    want = {"kind": "fundamentalist", "aggressiveness": 5, "max_leverage": 3}
    result = play(
        tmp_path,
        longs((1, 100)),
        source={"behaviour": want},
        venues={"one": venue(open_interest_caps=caps, initial_rate=0.2)},
        shocks=[jump(-0.1)],
        markets=[perp(impact={"kind": "linear", "coefficient": 0.05})],
        **fields,
    )
    return result.cohorts["gross_notional"].tolist()


def test_orders_beyond_a_cap_are_refused(tmp_path):
    free = fundamentalists(tmp_path, {})
    assert max(free) > 50
    assert fundamentalists(tmp_path, {"BTC": 1e6}) == free
    capped = fundamentalists(tmp_path, {"BTC": 30})
    assert max(capped) <= 30
    assert fundamentalists(tmp_path, {"BTC": 1e6, "BTC-PERP": 30}) == capped


def test_a_cap_never_refuses_an_order_that_reduces(tmp_path):
    stop = {"behaviour": {"kind": "stop_loss", "trigger": 0.05}}
    result = play(tmp_path, longs((1, 100)), source=stop, shocks=[jump(-0.1)],
                  venues={"one": venue(open_interest_caps={"BTC": 0})})  # fmt: skip
    assert result.cohorts["gross_notional"].tolist()[-1] == 0.0


def test_each_side_of_each_market_has_its_own_cap(tmp_path):
    import numpy as np

    from sim.engine.build import build_world
    from sim.engine.cells import Cells
    from sim.engine.open_interest_caps import open_interest_caps, within_caps

    book = [
        ("a", "ta", "one", {"USDT": 900}, [("one/BTC-PERP", 2, 100)]),
        ("b", "tb", "one", {"USDT": 900}, [("one/BTC-PERP", -1, 100)]),
        ("c", "tc", "one", {"USDT": 900}, [("one/BTC-PERP", 1, 100)]),
    ]
    rule = venue(open_interest_caps={"BTC": 310}, initial_rate=0.2)
    scenario = build(tmp_path, book, venues={"one": rule})
    world, caps = build_world(scenario, 0), open_interest_caps(scenario)
    Cells(world)
    slots = [int(world.ledger.position_start[row]) for row in range(3)]

    def let(*orders):
        places, sizes = zip(*orders, strict=True)
        return within_caps(
            world, caps, np.array([slots[k] for k in places]), np.array(sizes)
        ).tolist()

    assert let((0, 0.1)) == [True]
    assert let((0, 0.2)) == [False]
    # Together they are too much for the long side, whatever their order; shorts have room.
    assert let((0, 0.1), (2, 0.1), (1, -2.0)) == [False, False, True]
    # What one reduces makes room for the other; a short that turns round adds to the longs.
    assert let((0, -1.0), (2, 1.0)) == [True, True]
    assert let((1, 1.05)) == [True]
    assert let((1, 1.2)) == [False]
    assert let((1, -2.2)) == [False]


def bought(tmp_path, orders, **fields):
    """Return the notional that each trader holds after orders; the poor one has 1, others 1,000."""
    deposit = {name: {"USDT": 1.0 if name == "poor" else 1000.0} for name in orders}
    plans = [
        Gambler.plan(name, venue="one", deposit=deposit[name], positions=None, orders={1.0: sent})
        for name, sent in orders.items()
    ]
    venues = {"one": venue(open_interest_caps={"BTC": 1000})}
    result = sim.run(build(tmp_path, venues=venues, horizon=3, **fields), traders=plans, check=True)
    table = result.cohorts.query("tick == 2")
    return dict(zip(table["cohort"], table["gross_notional"], strict=True))


def test_an_order_that_nobody_can_carry_uses_up_no_cap(tmp_path):
    orders = {"good": [("BTC-PERP", 5.0)], "poor": [("BTC-PERP", 100.0)]}
    assert bought(tmp_path, orders) == pytest.approx({"good": 500, "poor": 0})
