"""Loans that are liquidated in one batch with orders of accounts that other venues clear."""

from __future__ import annotations

import pytest

import sim
from tests.engine.small_worlds import build, events, jump, linear

CLAIM = 2976 / 1.05
"""What a keeper pays for a WETH at 2,976 [USDC]; the protocol gets 1/10 of the bonus besides."""


def together(folder, slope):
    """Break a loan and a long of 100 WETH of a broker, which sells 1 at a time, or all of it."""
    loan = {"loan_to_value": 0.8, "liquidation_threshold": 0.83}
    scenario = build(
        folder,
        [
            ("loan", "l", "pool", {"USDC": -25_000.0}, [("pool/WETH-USDC", 10, 0)]),
            ("big", "b", "broker", {"USDC": 2400.0}, [("pool/WETH-USDC", 100, 3000)]),
        ],
        assets={"USDC": {"price": 1}, "WETH": {"price": 3100}},
        venues={
            "broker": {
                "margin": {"kind": "cross", "maintenance_rate": 0.01},
                "liquidation": {"kind": "partial", "slice": 0.01},
                "waterfall": [{"kind": "adl"}, {"kind": "clearer"}],
            },
            "pool": {
                "margin": {"kind": "cross", "loans": {"WETH": loan}},
                "liquidation": {"kind": "fixed_spread", "bonus": 0.05},
                "waterfall": [{"kind": "clearer"}],
            },
        },
        markets=[
            {
                "venue": "pool", "symbol": "WETH-USDC", "kind": "collateral", "base": "WETH",
                "quote": "USDC", "impact": linear(slope),
            }
        ],
        shocks=[jump(-0.04, asset="WETH")],
    )  # fmt: skip
    return sim.run(scenario, check=True)


@pytest.mark.parametrize(("slope", "pays"), [(0.1, True), (2.0, True), (2.4, True), (4.0, False)])
def test_keepers_know_that_who_finds_nobody_to_be_closed_against_sells_everything(
    tmp_path, slope, pays
):
    result = together(tmp_path, slope)
    rows = events(result, "market", "tick", "account_id", "quantity", "close_out_price", "fee")
    assert [row[2] for row in rows if row[1] == "big"] == [-100]
    first = [row for row in rows if row[:2] == (1, "loan")]
    assert bool(first) == pays
    for _, _, quantity, close, fee in first:
        # The account is paid its claim in full: what the sale brings beyond it has gone.
        assert close >= CLAIM
        assert fee == pytest.approx(-quantity * (close - CLAIM), rel=1e-9)
    profit = result.mechanisms.query("series == 'keeper_profit' and tick == 1")["value"].item()
    assert (profit > 0) == pays
    waiting = result.mechanisms.query("series == 'loans_waiting' and tick == 1")["value"].item()
    assert waiting == (0 if pays else 1)
