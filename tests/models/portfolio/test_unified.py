"""Ratios of unified accounts: the venues' own worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from sim.models.margin.unified import (
    carry_ratio,
    exchange_needed,
    minimum_charge,
    okx_maintenance,
    unified_equity,
    unified_ratio,
)
from sim.schema import Venue, preset


def test_binance_portfolio_margin_example() -> None:
    """The table of Binance's FAQ 5e33af8e6ac04d57a1d0a3398e0a0752, ETH at 3,000.

    USDT 1,000; BTC 0.1 less a loan of 0.04; ETH 20 less 15. BTCUSDT short 0.05 from 52,000 and
    long 0.04 from 52,350, marks 40,000 and 42,000; a coin-margined long of 10,000 USD from 50,000.
    """
    rules = preset("binance-usdm")["figures"]["portfolio_margin"]
    usdt = 1_000 + 5_000 + 0.05 * (52_000 - 40_000) + 0.04 * (42_000 - 52_350)
    btc = (0.1 - 0.04) + 0.1 + 10_000 * (1 / 50_000 - 1 / 40_000)
    rate = rules["collateral_rates"]
    equity = unified_equity(
        np.array([usdt, btc, 20.0 - 15.0]),
        np.array([1.0, 40_000.0, 3_000.0]),
        np.array([1.0, rate["BTC"], rate["ETH"]]),
    )
    assert equity == pytest.approx(23_866.0)
    futures = 0.005 * (0.05 * 40_000 + 0.04 * 42_000 + 10_000)
    loans = rules["loan_rate"] * (0.04 * 40_000 + 15 * 3_000)
    assert futures + loans == pytest.approx(4_728.4)
    assert unified_ratio(equity, futures, loans) == pytest.approx(5.047, abs=5e-4)
    assert unified_ratio(equity, 0.0, 0.0) == np.inf


def test_what_is_owed_counts_in_full() -> None:
    """A debt of 1 BTC stays 40,000; 1,000 of BNB counts 950; repaying 20,000 costs more."""
    haircut = Venue(preset="binance-usdm").collateral
    keep = np.array([1.0 - haircut["BTC"], 1.0 - haircut["BNB"]])
    assert unified_equity(np.array([-1.0]), np.array([40_000.0]), keep[:1]) == -40_000.0
    assert unified_equity(np.array([1.0]), np.array([1_000.0]), keep[1:]) == pytest.approx(950.0)
    rules = preset("binance-usdm")["figures"]["multi_assets"]
    need = exchange_needed(20_000.0, rules["auto_exchange_haircut"])
    assert need == pytest.approx(20_512.82, abs=0.005)


def test_hyperliquid_carry() -> None:
    """1 BTC held, 1 BTC short from 100,000, the loss borrowed against the coin.

    At 150,000 the loan is 50,000; loan to value is reached at 200,000; the ratio passes 0.95
    at 333,267.
    """
    rules = preset("hyperliquid")["figures"]["portfolio_margin"]
    margin = Venue(preset="hyperliquid").margin
    assert margin is not None
    ladder = margin.ladder("BTC", "BTC-PERP")
    assert ladder is not None

    def borrowed(price: float) -> float:
        return price - 100_000.0

    def ratio(price: float) -> float:
        needed = ladder[0].rate * price
        return carry_ratio(
            borrowed(price), needed, 0.0, price, rules["loan_to_value"], rules["offset"]
        )

    assert borrowed(150_000.0) == 50_000.0
    limit = brentq(lambda p: borrowed(p) - rules["loan_to_value"] * p, 1e5, 1e6)
    assert limit == pytest.approx(200_000.0)
    broken = brentq(lambda p: ratio(p) - rules["liquidation_ratio"], 1e5, 1e6)
    assert broken == pytest.approx(333_267, abs=0.5)


def test_okx_minimum_charge() -> None:
    """OKX's illustration: a raw 30,000 counts 50,000 under the tiers of 2021."""
    rules = preset("okx")["figures"]["portfolio_margin"]
    charge = minimum_charge(30_000.0, rules["minimum_charge_tiers_2021"])
    assert charge == 50_000.0
    assert okx_maintenance(40_000.0, 0.0, 0.0, 0.0, 0.0, 0.0, charge) == 50_000.0
    assert minimum_charge(30_000.0, rules["minimum_charge_tiers"]) == 30_000.0
    assert minimum_charge(5_000_000.0, rules["minimum_charge_tiers"]) == pytest.approx(
        250_000 + 2 * 250_000 + 4 * 500_000 + 6e6 + 8e6 + 10e6 + 12e6
    )


def test_cross_margining_keeps_a_fifth() -> None:
    """CME-FICC: at most 80 % is saved; the CFTC's example 343.24 million becomes 68.648."""
    saved = preset("cme-futures")["figures"]["cross_margining"]["most_saved"]
    assert 343.24 * (1.0 - saved) == pytest.approx(68.648)
