"""Absorption of whole accounts, and the storefront that sells their collateral."""

from __future__ import annotations

import pytest

from tests.engine.lending import borrower, lend, shown
from tests.engine.small_worlds import causes_at, equity_at, events, jump, linear, venue_at

RULE = {"kind": "absorb", "factor": {"WETH": 0.95}, "storefront": 0.5, "reserves": 5e6}


def absorb(folder, rule=None, to=2600, **fields):
    return lend(folder, [borrower(24_000)], RULE | (rule or {}), to=to, threshold=0.895, **fields)


def test_a_worked_absorption(tmp_path):
    result = absorb(tmp_path)
    taken = events(result, "backstop", "quantity", "close_out_price", "notional")
    assert taken == [pytest.approx((-10, 2470, 26_000))]
    assert equity_at(result, "book", 4) == pytest.approx(24_700 - 24_000)
    assert venue_at(result, "pool", 4, "insurance_fund") == pytest.approx(1e6 + 650)
    assert shown(result, "keeper_capital")[-1] == pytest.approx(26_000 - 25_350)
    assert shown(result, "absorbed") == [0, 10, 0, 0, 0]


def test_a_healthy_account_is_left_alone(tmp_path):
    assert not len(absorb(tmp_path, to=24_000 / 8.95 + 0.1).liquidations)


def test_a_credit_below_the_debt_is_paid_by_the_reserves(tmp_path):
    result = absorb(tmp_path, to=2500)
    assert result.summary["shortfall"] == pytest.approx(24_000 - 23_750)
    assert equity_at(result, "book", 4) == 0


def test_nothing_is_sold_while_reserves_are_at_their_target(tmp_path):
    result = absorb(tmp_path, {"reserves": 1e6})
    assert shown(result, "absorbed")[-1] == 10
    assert venue_at(result, "pool", 4, "insurance_fund") == pytest.approx(1e6)


def test_buyers_take_only_what_they_can_sell_above_the_ask(tmp_path):
    result = absorb(tmp_path, impact=linear(40.0))
    left = shown(result, "absorbed")
    # 40 q / 2 below 2,600 is the ask of 2,535 at q = 3.25.
    assert left[1:3] == pytest.approx([10, 6.75])
    assert causes_at(result, "pool/WETH-USDC", 2)["trade:storefront"] < 0


@pytest.mark.parametrize("capital", [0, 5070])
def test_buyers_pay_from_their_capital(tmp_path, capital):
    result = absorb(tmp_path, {"keepers": {"capital": capital}})
    assert shown(result, "absorbed")[2] == pytest.approx(10 - capital / 2535)
    assert shown(result, "keeper_capital")[2] == pytest.approx(capital * 2600 / 2535)


def test_nothing_is_sold_through_a_limit(tmp_path):
    # The price falls to 2,600 and finds its limit at 2,580: with 40 an ether, half of one.
    band = {"kind": "limit_band", "band": 0.14, "window": 1e6, "limit_time": 1e6, "pause": 1}
    result = absorb(tmp_path, impact=linear(40.0), breakers=[band])
    assert shown(result, "absorbed")[1:] == pytest.approx([10, 9.5, 9.5, 9.5])
    assert result.prices["last_price"].iloc[-1] == pytest.approx(2580)


@pytest.mark.parametrize("fund", [100, 1e5])
def test_a_loss_on_absorbed_collateral_is_a_shortfall(tmp_path, fund):
    halved = [jump(2600 / 3000 - 1, asset="WETH"), jump(-0.5, at=2, asset="WETH")]
    result = absorb(tmp_path, to=None, shocks=halved, fund=fund)
    # Bought at 0.95 x 2,600, sold at 0.975 x 1,300.
    lost = 10 * (0.95 * 2600 - 0.975 * 1300)
    paid = min(fund, lost)
    pool = result.summary["venues"]["pool"]
    assert pool["layers"] == pytest.approx({"insurance_fund": paid, "clearer": lost - paid})
    assert result.summary["shortfall"] == pytest.approx(lost)
    assert events(result, "backstop", "tick", "account_id", "shortfall") == [
        (1, "a0", 0),
        (3, "a0", pytest.approx(lost)),  # the mark follows at 2 s
    ]
    assert venue_at(result, "pool", 4, "insurance_fund") == pytest.approx(fund - paid)


@pytest.mark.parametrize(("quote", "gas"), [(4, 2550), (0.25, 150), (0.25, 200)])
def test_gas_is_an_amount_of_the_numeraire(tmp_path, quote, gas):
    result = absorb(tmp_path, {"keepers": {"gas": gas}}, quote=quote)
    gain = quote * 10 * 0.025 * 2600
    bought = gain > gas
    assert shown(result, "absorbed")[-1] == (0 if bought else 10)
    assert shown(result, "keeper_capital")[-1] == pytest.approx(gain - gas if bought else 0)
