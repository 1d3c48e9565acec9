"""Small scenarios for the tests of the population."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from sim.core.arrays import FloatArray
from sim.core.streams import Streams
from sim.engine.draft import AccountsDraft
from sim.engine.population import draw_cohort
from sim.models.margin.tables import MarginTables
from sim.schema import Scenario
from sim.schema.traders import Cohort

TIERS = [
    {"floor": 0, "rate": 0.005, "max_leverage": 100},
    {"floor": 50_000, "rate": 0.01, "max_leverage": 50},
    {"floor": 600_000, "rate": 0.025, "max_leverage": 20},
    {"floor": 3_000_000, "rate": 0.125, "max_leverage": 4},
]
VENUES = {"alpha": 0.6, "beta": 0.3, "c": 0.1}
PRICES = {"BTC": 120_000.0, "ETH": 4_000.0, "SOL": 200.0}


def market(venue: str, base: str, **fields: Any) -> dict[str, Any]:
    """Return a perpetual on a venue."""
    return {
        "venue": venue, "symbol": f"{base}-PERP", "kind": "perpetual", "base": base,
        "quote": "USDT", "impact": {"kind": "linear", "depth": 1e7}, **fields,
    }  # fmt: skip


def cohort(**fields: Any) -> dict[str, Any]:
    """Return a cohort, by default of 20,000 traders at two venues."""
    return {
        "cohort": "retail", "count": 20_000, "venues": {"alpha": 0.7, "beta": 0.3},
        "equity": {"dist": "pareto", "alpha": 1.2, "min": 100, "max": 1e6},
        "leverage": {"dist": "lognormal", "median": 4, "sigma": 0.4, "max": 15}, **fields,
    }  # fmt: skip


def world(*traders: dict[str, Any], **fields: Any) -> Scenario:
    """Return a scenario with three perpetuals on each of three venues."""
    content: dict[str, Any] = {
        "schema_version": 1,
        "name": "world",
        "clock": {"tick": 1, "horizon": 10},
        "assets": {
            "USDT": {"price": 1.0},
            "USDC": {"price": 1.25},
            **{base: {"price": price, "haircut": 0.1} for base, price in PRICES.items()},
        },
        "venues": {
            name: {"margin": {"kind": "cross", "tiers": TIERS}} for name in ("alpha", "beta", "c")
        },
        "markets": [market(venue, base) for venue in ("alpha", "beta", "c") for base in PRICES],
        "traders": list(traders),
        **fields,
    }
    return Scenario.model_validate(content)


def draw(scenario: Scenario, number: int = 0, seed: int = 7) -> AccountsDraft:
    """Draw one cohort of a scenario."""
    source = scenario.traders[number]
    assert isinstance(source, Cohort)
    return draw_cohort(source, scenario, MarginTables.from_scenario(scenario), Streams(seed))


def equity_of_traders(draft: AccountsDraft, scenario: Scenario) -> FloatArray:
    price = np.array([asset.price for asset in scenario.assets.values()])
    worth = (draft.balance * price[list(draft.balance_assets)]).sum(axis=1)
    return np.bincount(draft.trader, worth, draft.traders)


def gross_notional(draft: AccountsDraft, scenario: Scenario) -> FloatArray:
    value = np.array([scenario.market_price(m) * m.multiplier for m in scenario.markets])
    return np.abs(draft.quantity) * value[draft.position_market]


def leverage_of_traders(draft: AccountsDraft, scenario: Scenario) -> FloatArray:
    gross = gross_notional(draft, scenario)
    owner = draft.trader[draft.position_account()]
    return np.bincount(owner, gross, draft.traders) / equity_of_traders(draft, scenario)


def sides(draft: AccountsDraft) -> FloatArray:
    """Return the side (T, M) of each trader in each market; 0 where it has no position."""
    table = np.zeros((draft.traders, len(draft.symbols)))
    table[draft.trader[draft.position_account()], draft.position_market] = np.sign(draft.quantity)
    return table


def digest(draft: AccountsDraft) -> str:
    total = hashlib.sha256()
    for name in (
        "trader", "clearer", "isolated", "balance", "position_start", "position_market",
        "quantity", "entry_price", "wallet",
    ):  # fmt: skip
        total.update(np.ascontiguousarray(getattr(draft, name)).tobytes())
    return total.hexdigest()


def rich() -> dict[str, Any]:
    """A cohort that uses every attribute."""
    return cohort(
        count=3_000,
        venues=VENUES,
        venues_per_trader={1: 0.5, 2: 0.3, 3: 0.2},
        portfolio={"BTC": 3, "ETH": 2, "SOL-PERP": 1},
        positions_per_account=2,
        position_correlation=0.4,
        margin_mode={"cross": 0.7, "isolated": 0.3},
        collateral={"USDT": 3, "BTC": 1},
        wallet={"dist": "uniform", "min": 0, "max": 2},
        long_share=0.6,
    )
