"""A two-second check that an installation computes what it should."""

from __future__ import annotations

from pathlib import Path

from sim.engine.run import run
from sim.schema import load_text

CASCADE = """
schema_version: 1
name: self-test
clock: {tick: 1s, horizon: 1s}
assets: {USD: {price: 1}, X: {price: 1}}
venues: {one: {margin: {kind: cross, maintenance_rate: 0}}}
markets:
  - {venue: one, symbol: X-PERP, kind: perpetual, base: X, quote: USD,
     impact: {kind: linear, coefficient: 1.0e-4}}
traders:
  - {cohort: longs, count: 1000, venues: {one: 1}, long_share: 1,
     equity: {dist: constant, value: 1}, leverage: {dist: uniform, min: 2, max: 20}}
shocks: [{kind: jump, at: 0s, asset: X, return: -0.1}]
"""


def self_test() -> list[tuple[str, bool, str]]:
    """Return (name, passed, detail) of each check.

    A small cascade runs with every invariant on, twice; both runs must agree to the last bit,
    conserve money and quantity, and book every price move to a cause.
    """
    scenario = load_text(CASCADE, file="<self-test>", base_dir=Path())
    first, second = run(scenario, check=True), run(scenario, check=True)
    error = float(first.summary["conservation_error"])
    same = first.liquidations.equals(second.liquidations) and first.prices.equals(second.prices)
    market = first.summary["markets"]["one/X-PERP"]
    booked = float(first.price_causes["price_move"].sum())
    from math import log

    gap = abs(booked - log(market["final_price"] / market["initial_price"]))
    broken = int(first.summary["accounts_liquidated"])
    return [
        ("cascade", broken > 0, f"{broken} of 1000 accounts liquidated"),
        ("conservation", error < 1e-9, f"relative error {error:.1e}"),
        ("causes", gap < 1e-12, f"price moves booked within {gap:.1e}"),
        ("determinism", same, "two runs agree to the last bit" if same else "two runs differ"),
    ]
