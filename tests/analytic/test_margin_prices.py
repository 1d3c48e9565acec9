"""Liquidation and bankruptcy prices in closed form, and runs that stop on either side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import sim
from tests.books import write_book


def scenario(
    folder: Path,
    accounts: list[tuple[str, str, float, list[tuple[str, float, float]]]],
    *,
    venue: str,
    price: float = 1.0,
    move: float = 0.0,
) -> sim.Scenario:
    """Load accounts (id, margin mode, collateral, [(symbol, quantity, entry)]) on one venue."""
    files = write_book(
        folder,
        [
            (name + "!" * (mode == "isolated"), name, "one", {"USD": amount}, [
                (f"one/{symbol}", *size) for symbol, *size in positions
            ])
            for name, mode, amount, positions in accounts
        ],
    )  # fmt: skip
    text = f"""
schema_version: 1
name: margin-prices
clock: {{tick: 1s, horizon: 1s}}
assets: {{USD: {{price: 1}}, BTC: {{price: {price}}}, ETH: {{price: 1}}}}
venues: {{one: {venue}}}
markets:
  - {{venue: one, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USD, impact: {{kind: none}}}}
  - {{venue: one, symbol: ETH-PERP, kind: perpetual, base: ETH, quote: USD, impact: {{kind: none}}}}
traders:
  - book: {json.dumps(files)}
shocks: [{{kind: jump, at: 0s, asset: BTC, return: {move!r}}}]
"""
    (folder / "scenario.yaml").write_text(text, encoding="utf-8")
    return sim.load(folder / "scenario.yaml")


def flat(rate: float) -> str:
    return f"{{margin: {{kind: cross, maintenance_rate: {rate}}}}}"


@pytest.mark.parametrize("mode", ["isolated", "cross"])
@pytest.mark.parametrize(
    ("leverage", "rate", "long", "short"),
    [(10.0, 0.005, 0.904523, 1.094527), (100.0, 0.004, 0.993976, 1.005976)],
)
def test_linear_contract(
    tmp_path: Path, mode: str, leverage: float, rate: float, long: float, short: float
) -> None:
    """Long (1 - 1/L) / (1 - m), short (1 + 1/L) / (1 + m), bankrupt at 1 -+ 1/L."""
    accounts = [
        ("long", mode, 3.0 / leverage, [("BTC-PERP", 3.0, 1.0)]),
        ("short", mode, 3.0 / leverage, [("BTC-PERP", -3.0, 1.0)]),
    ]
    _, positions = sim.margin_table(scenario(tmp_path, accounts, venue=flat(rate)))
    found = positions.set_index("account_id")
    formula = (1.0 - 1.0 / leverage) / (1.0 - rate), (1.0 + 1.0 / leverage) / (1.0 + rate)
    assert formula == pytest.approx((long, short), abs=5e-7)
    prices = found.loc[["long", "short"], "liquidation_price"].to_numpy()
    assert prices == pytest.approx(np.array(formula), rel=1e-12)
    bankrupt = found.loc[["long", "short"], "bankruptcy_price"].to_numpy()
    assert bankrupt == pytest.approx([1.0 - 1.0 / leverage, 1.0 + 1.0 / leverage], rel=1e-12)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_run_liquidates_beyond_the_liquidation_price_and_not_before(
    tmp_path: Path, side: float
) -> None:
    leverage, rate = 10.0, 0.005
    at = (1.0 - side / leverage) / (1.0 - side * rate)
    accounts = [("trader", "isolated", 0.1, [("BTC-PERP", side, 1.0)])]
    for nudge, expected in ((side * 1e-9, 0), (-side * 1e-9, 1)):
        loaded = scenario(tmp_path, accounts, venue=flat(rate), move=at - 1.0 + nudge)
        result = sim.run(loaded, check=True)
        assert result.summary["accounts_liquidated"] == expected
    event = result.liquidations.iloc[0]
    assert event["bankruptcy_price"] == pytest.approx(1.0 - side / leverage, rel=1e-9)
    assert event["quantity"] == -side


def test_cross_account_breaks_at_the_price_of_either_position(tmp_path: Path) -> None:
    """Each liquidation price holds the other at its mark: margin ratio 1 there, by hand and table.

    Equity 0.3 + 2 (B - 1) - 0.5 (E - 1), maintenance 0.02 (2 B + 0.5 E); with E = 1 the long
    breaks at (2 - 0.3 + 0.01) / (2 - 0.04), with B = 1 the short at
    (0.3 + 0.5 - 0.04) / (0.5 + 0.01).
    """
    accounts = [("trader", "cross", 0.3, [("BTC-PERP", 2.0, 1.0), ("ETH-PERP", -0.5, 1.0)])]
    loaded = scenario(tmp_path, accounts, venue=flat(0.02))
    _, positions = sim.margin_table(loaded)
    found = positions.set_index("symbol")["liquidation_price"]
    assert found["BTC-PERP"] == pytest.approx(1.71 / 1.96, rel=1e-12)
    assert found["ETH-PERP"] == pytest.approx(0.76 / 0.51, rel=1e-12)
    for symbol, price in found.items():
        account, _ = sim.margin_table(loaded, prices={f"one/{symbol}": price})
        assert account["margin_ratio"].iloc[0] == pytest.approx(1.0, rel=1e-12)


def test_isolated_accounts_of_one_trader_do_not_help_each_other(tmp_path: Path) -> None:
    accounts = [
        ("poor", "isolated", 0.05, [("BTC-PERP", 1.0, 1.0)]),
        ("rich", "isolated", 5.0, [("ETH-PERP", 1.0, 1.0)]),
        ("pooled", "cross", 5.05, [("BTC-PERP", 1.0, 1.0), ("ETH-PERP", 1.0, 1.0)]),
    ]
    result = sim.run(scenario(tmp_path, accounts, venue=flat(0.0), move=-0.06), check=True)
    assert list(result.liquidations["account_id"]) == ["poor"]
    assert result.summary["shortfall"] == pytest.approx(0.01, rel=1e-9)


def test_binance_example(tmp_path: Path) -> None:
    """10 BTC long at 100,000 with 20x: (Q e - C - d) / (Q (1 - r)) in the bracket 0.8M to 3M.

    Rate 0.65 %, maintenance amount 1,500: (1,000,000 - 50,000 - 1,500) / (10 * 0.9935).
    """
    accounts = [("trader", "isolated", 50_000.0, [("BTC-PERP", 10.0, 100_000.0)])]
    loaded = scenario(tmp_path, accounts, venue="{preset: binance-usdm}", price=100_000.0)
    _, positions = sim.margin_table(loaded)
    row = positions.iloc[0]
    assert row["liquidation_price"] == pytest.approx(948_500.0 / 9.935, rel=1e-12)
    assert row["liquidation_price"] == pytest.approx(95_470.56, abs=5e-3)
    assert row["bankruptcy_price"] == pytest.approx(95_000.0, rel=1e-12)
    assert row["maintenance_margin"] == pytest.approx(0.0065 * 1e6 - 1_500.0, rel=1e-12)
    at, _ = sim.margin_table(loaded, prices={"one/BTC-PERP": 948_500.0 / 9.935})
    assert at["margin_ratio"].iloc[0] == pytest.approx(1.0, rel=1e-9)


def test_hyperliquid_example_and_its_mirror(tmp_path: Path) -> None:
    """50 BTC at 100,000 with 300,000 of collateral; half of 1/40 is the maintenance rate."""
    accounts = [
        ("long", "isolated", 300_000.0, [("BTC-PERP", 50.0, 100_000.0)]),
        ("short", "isolated", 300_000.0, [("BTC-PERP", -50.0, 100_000.0)]),
    ]
    loaded = scenario(tmp_path, accounts, venue="{preset: hyperliquid}", price=100_000.0)
    _, positions = sim.margin_table(loaded)
    found = positions.set_index("account_id")["liquidation_price"]
    assert found["long"] == pytest.approx(4_700_000.0 / (50.0 * 0.9875), rel=1e-12)
    assert found["short"] == pytest.approx(5_300_000.0 / (50.0 * 1.0125), rel=1e-12)
    assert found["long"] == pytest.approx(95_189.87, abs=5e-3)
    assert found["short"] == pytest.approx(104_691.36, abs=5e-3)
