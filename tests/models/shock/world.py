"""A small world for tests of shocks: three coins and a stablecoin on two venues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sim.core.clock import TickClock
from sim.core.streams import Streams
from sim.models.shock import Exogenous, build_exogenous
from sim.schema import Scenario, load_mapping

ASSETS = {
    "USDT": {"price": 1.0},
    "BTC": {"price": 100.0, "volatility": 0.5},
    "ETH": {"price": 10.0, "volatility": 0.8},
    "SOL": {"price": 2.0, "volatility": 1.2},
}
MARKETS = [
    ("alpha", "BTC-PERP", "BTC", "USDT"),
    ("alpha", "ETH-PERP", "ETH", "USDT"),
    ("beta", "BTC-PERP", "BTC", "USDT"),
    ("beta", "ETH-BTC", "ETH", "BTC"),
]
USDT, BTC, ETH, SOL = range(4)
ALPHA_BTC, ALPHA_ETH, BETA_BTC, BETA_ETHBTC = range(4)


def scenario_of(
    *shocks: Mapping[str, Any], tick: float = 1.0, ticks: int = 100, base_dir: str = "."
) -> Scenario:
    """Return the world with these shocks."""
    venue = {"margin": {"kind": "cross", "maintenance_rate": 0.01}}
    return load_mapping(
        {
            "schema_version": 1,
            "name": "shocks",
            "clock": {"tick": tick, "horizon": tick * ticks, "start": "2026-01-01T00:00:00Z"},
            "assets": ASSETS,
            "venues": {
                "alpha": {**venue, "collateral": {"SOL": 0.1}},
                "beta": venue,
            },
            "markets": [
                {
                    "venue": v,
                    "symbol": s,
                    "kind": "perpetual",
                    "base": b,
                    "quote": q,
                    "impact": {"kind": "none"},
                }
                for v, s, b, q in MARKETS
            ],
            "shocks": list(shocks),
        },
        base_dir,
    )


def exogenous_of(
    *shocks: Mapping[str, Any],
    tick: float = 1.0,
    ticks: int = 100,
    seed: int = 7,
    base_dir: str = ".",
) -> Exogenous:
    """Return the built shocks of the world."""
    scenario = scenario_of(*shocks, tick=tick, ticks=ticks, base_dir=base_dir)
    return build_exogenous(scenario, TickClock(tick, ticks), Streams(seed))


def market_returns(exogenous: Exogenous, ticks: int = 100) -> np.ndarray:
    """Return all log-returns (T, M)."""
    return np.array([exogenous.log_returns(t) for t in range(ticks)])


def asset_returns(exogenous: Exogenous, ticks: int = 100) -> np.ndarray:
    """Return all asset log-returns (T, K)."""
    return np.array([exogenous.asset_log_returns(t) for t in range(ticks)])


def as_scenario_columns(returns: Sequence[float]) -> np.ndarray:
    """Return one row of asset returns as market returns."""
    usdt, btc, eth, _ = returns
    return np.array([btc - usdt, eth - usdt, btc - usdt, eth - btc])
