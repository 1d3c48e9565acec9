"""Auctions of several kinds of collateral, of which not all can be sold at any time."""

from __future__ import annotations

import pytest

import sim
from tests.engine.lending import shown
from tests.engine.small_worlds import build, equity_at, events, jump, linear, venue_at

LOAN = {"loan_to_value": 0.6, "liquidation_threshold": 0.7}
PRICES = {"WETH": 1000.0, "WBTC": 50_000.0}


def put_up(folder, accounts, shocks, *, horizon=60, sizes=None, rule=None, **keepers):
    """Play vaults of two kinds of collateral in ticks of 90 s."""
    fund = {"kind": "insurance_fund", "size": 0} if sizes is None else sizes
    scenario = build(
        folder,
        accounts,
        assets={"USDC": {"price": 1}, **{base: {"price": p} for base, p in PRICES.items()}},
        venues={
            "pool": {
                "margin": {"kind": "cross", "loans": dict.fromkeys(PRICES, LOAN)},
                "liquidation": {"kind": "auction", "tip": 0, "chip": 0, "keepers": keepers}
                | (rule or {}),
                "waterfall": [fund, {"kind": "clearer"}],
            }
        },
        markets=[
            {
                "venue": "pool", "symbol": f"{base}-USDC", "kind": "collateral", "base": base,
                "quote": "USDC", "impact": linear(1e-9),
            }
            for base in PRICES
        ],
        shocks=shocks,
        tick=90,
        horizon=90 * horizon,
    )  # fmt: skip
    return sim.run(scenario, check=True)


def vault(name, debt, eth, btc):
    held = [("pool/WETH-USDC", eth, 0), ("pool/WBTC-USDC", btc, 0)]
    return name, name, "pool", {"USDC": -debt}, held


def test_collateral_that_could_not_be_sold_at_first_is_not_given_away(tmp_path):
    # 100 WETH at 700 and 2 WBTC at 50,000 back 130,000.
    shocks = [
        jump(-0.3, at=90, asset="WETH"),
        {"kind": "depth", "at": 0, "until": 90 * 5, "factor": 0, "asset": "WBTC"},
    ]
    result = put_up(tmp_path, [vault("a", 130_000, 100, 2)], shocks)
    bought = events(result, "auction", "symbol", "quantity", "close_out_price")
    assert {symbol for symbol, _, _ in bought} == {"WETH-USDC", "WBTC-USDC"}
    # Keepers buy as soon as a step of 1 % is below the market.
    worth = sum(-quantity * price for _, quantity, price in bought)
    assert 0 < shown(result, "keeper_profit")[-1] <= 0.011 * worth
    assert result.summary["shortfall"] == 0
    left = equity_at(result, "book", 59)
    assert left == pytest.approx(170_000 - 130_000 * 1.13, rel=0.06)
    assert venue_at(result, "pool", 59, "insurance_fund") == pytest.approx(0.13 * 130_000)


def test_a_penalty_goes_to_the_fund_of_what_was_the_largest_as_the_auction_began(tmp_path):
    # WETH is the larger part of `a` when it is put up, and the smaller when `b` is.
    shocks = [jump(-0.3, at=90, asset="WETH"), jump(-0.3, at=270, asset="WETH")]
    funds = {"kind": "insurance_fund", "sizes": {"WETH-USDC": 0, "WBTC-USDC": 0}}
    vaults = [vault("a", 90_000, 100, 1), vault("b", 4_000, 10, 0)]
    vaults[1][4].pop()
    result = put_up(tmp_path, vaults, shocks, sizes=funds, margin=0.05)
    assert len(events(result, "auction", "tick")) == 3
    table = result.mechanisms.query("series == 'contract_fund'")
    last = table[table["tick"] == 59].set_index("symbol")["value"]
    assert last["WBTC-USDC"] == 0
    assert last["WETH-USDC"] > 4_000


def test_what_cannot_be_sold_as_an_auction_starts_anew_joins_at_the_mark_of_later(tmp_path):
    # No step pays before the auction starts anew at its 17th, when the book of WBTC is empty;
    # WBTC halves before it can be sold again. At its first starting price nobody would take it.
    shocks = [
        jump(-0.3, at=90, asset="WETH"),
        jump(-0.2, at=180, asset="WETH"),
        {"kind": "depth", "at": 90 * 16, "until": 90 * 22, "factor": 0, "asset": "WBTC"},
        jump(-0.5, at=90 * 19, asset="WBTC"),
    ]
    result = put_up(tmp_path, [vault("a", 130_000, 100, 2)], shocks, rule={"cusp": 0.85})
    # 1.1 * 0.99^10 is the first below 1.
    assert events(result, "auction", "tick", "symbol") == [(28, "WETH-USDC"), (28, "WBTC-USDC")]
