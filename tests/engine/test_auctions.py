"""Auctions of collateral: their clock, who buys, what is raised, and how they fail."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.lending import borrower, lend, shown
from tests.engine.small_worlds import equity_at, events, linear, venue_at

VAULT = borrower(140_000, size=100)
MAT = 1 / 1.45


def hold(folder, rule=None, keepers=None, to=2000, ticks=100, **fields):
    """Play a vault of 100 ether in ticks of 90 s; it is put up at the first."""
    terms = {"kind": "auction", **(rule or {}), "keepers": keepers or {}}
    return lend(
        folder, fields.pop("accounts", [VAULT]), terms, to=to, threshold=MAT,
        tick=90, horizon=90 * ticks, **fields,
    )  # fmt: skip


def test_a_worked_auction(tmp_path):
    result = hold(tmp_path)
    assert shown(result, "auction_price")[1] == pytest.approx(2200)
    assert shown(result, "keeper_capital")[1] == pytest.approx(408.2)
    ((tick, quantity, close),) = events(result, "auction", "tick", "quantity", "close_out_price")
    price = 2200 * 0.99**10  # the first step below the market's 2,000
    assert price == pytest.approx(1989.64, abs=5e-3)
    assert tick == 11
    assert quantity == pytest.approx(-158_200 / price)
    assert close == 2000
    left = 100 + quantity
    assert equity_at(result, "book", 99) == pytest.approx(left * 2000)
    assert venue_at(result, "pool", 99, "insurance_fund") == pytest.approx(1e6 + 18_200)
    assert result.summary["shortfall"] == 0


def test_an_auction_goes_on_where_the_price_recovers(tmp_path):
    shocks = [
        {"kind": "jump", "at": 90, "asset": "WETH", "return": -1 / 3},
        {"kind": "jump", "at": 270, "asset": "WETH", "return": 0.5},
    ]
    result = hold(tmp_path, shocks=shocks)
    ((tick, quantity),) = events(result, "auction", "tick", "quantity")
    assert tick == 3
    assert quantity == pytest.approx(-158_200 / (2200 * 0.99**2))


def test_it_starts_again_at_the_oracles_price_when_it_has_gone_too_low(tmp_path):
    result = hold(tmp_path, keepers={"margin": 2})
    price, open_ = shown(result, "auction_price"), shown(result, "auctions_open")
    assert price[80] == pytest.approx(2200 * 0.99**79)
    assert price[81] == pytest.approx(2200)  # at step 80, 7,200 s, the cusp is breached
    assert price[90] == pytest.approx(2200 * 0.99**9)
    assert set(open_[1:]) == {1.0}
    assert shown(result, "keeper_capital")[-1] == pytest.approx(2 * 408.2)


def test_capital_spreads_the_purchases_over_ticks(tmp_path):
    result = hold(tmp_path, keepers={"capital": 20_000})
    rows = events(result, "auction", "tick", "quantity")
    ticks = [tick for tick, _ in rows]
    assert ticks == list(range(11, 11 + len(rows)))
    assert -rows[0][1] * 2200 * 0.99**10 == pytest.approx(20_408.2, rel=1e-6)
    assert shown(result, "auctions_open")[-1] == 0


def test_keepers_without_money_leave_the_debt_unpaid(tmp_path):
    result = hold(tmp_path, {"tip": 0, "chip": 0}, {"capital": 0})
    assert not events(result, "auction", "tick")
    assert shown(result, "auctions_open")[-1] == 1
    assert max(shown(result, "loans_waiting")) == 1


def test_a_congested_chain_ends_in_bids_near_zero_and_bad_debt(tmp_path):
    rule = {"cusp": 0, "tail": "100h", "step": "9s", "tip": 0, "chip": 0}
    calm = hold(tmp_path, rule)
    jammed = hold(tmp_path, rule, {"active": 0.02}, ticks=400)
    assert calm.summary["shortfall"] == 0
    ((tick, quantity),) = events(jammed, "auction", "tick", "quantity")
    paid = 2200 * 0.99 ** (10 * (tick - 1)) * 100
    assert quantity == -100
    assert paid < 0.5 * 140_000
    assert jammed.summary["shortfall"] == pytest.approx(140_000 - paid)
    assert shown(jammed, "keeper_profit")[-1] == pytest.approx(200_000 - paid)


def test_chance_of_getting_through_is_drawn_from_its_own_stream(tmp_path):
    rows = [
        events(hold(tmp_path, None, {"active": 0.3}, seed=seed), "auction", "tick")
        for seed in (1, 1, 2, 3)
    ]
    assert rows[0] == rows[1]
    assert len({row[0] for row in rows}) > 1


def test_keepers_want_their_margin_after_the_impact_of_their_sale(tmp_path):
    for margin in (0.0, 0.1):
        result = hold(tmp_path, None, {"margin": margin, "gas": 50}, impact=linear(5.0))
        rows = events(result, "auction", "tick", "quantity", "close_out_price")
        assert rows
        for tick, quantity, close in rows:
            bid = 2200 * 0.99 ** (tick - 1)
            assert -quantity * (close - bid * (1 + margin)) >= 50 * (1 - 1e-9)


def test_what_is_raised_beyond_the_debt_is_all_that_can_be_a_penalty(tmp_path):
    """The collateral is just worth more than the debt: the penalty is cut, nobody else pays."""
    result = hold(tmp_path, {"tip": 0, "chip": 0, "buffer": 1.0}, to=1420)
    fund = venue_at(result, "pool", 99, "insurance_fund") - 1e6
    assert fund == pytest.approx(142_000 - 140_000)
    assert result.summary["shortfall"] == pytest.approx(0, abs=1e-9)
    assert equity_at(result, "book", 99) == pytest.approx(0, abs=1e-9)


def test_many_vaults_bought_at_once_share_a_price_that_pays(tmp_path):
    vaults = [borrower(140_000 - 500 * k, size=100, name=f"a{k}") for k in range(6)]
    result = hold(tmp_path, accounts=vaults, impact=linear(0.5))
    for tick in {tick for (tick,) in events(result, "auction", "tick")}:
        rows = result.liquidations[result.liquidations["tick"] == tick]
        assert rows["close_out_price"].nunique() == 1
    assert (np.diff(shown(result, "keeper_profit")) >= -1e-6).all()
