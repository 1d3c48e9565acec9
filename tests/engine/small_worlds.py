"""Small worlds for tests of the engine: a scenario and a book in a few lines.

Prices are round numbers and depth is infinite unless a test says otherwise, so that every
ledger can be checked by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sim
from tests.books import write_book

FLAT = {"kind": "none"}
"""A price taker's market."""


def linear(coefficient: float, **fields: Any) -> dict[str, Any]:
    """Return impact that moves the price by `coefficient` per contract."""
    return {"kind": "linear", "coefficient": coefficient, **fields}


def venue(maintenance_rate: float = 0.1, **fields: Any) -> dict[str, Any]:
    """Return a cross-margin venue; `call`, `tiers` and the like go into its margin."""
    margin = {"kind": "cross", "maintenance_rate": maintenance_rate}
    margin |= {k: fields.pop(k) for k in ("call", "tiers", "initial_rate") if k in fields}
    return {"margin": margin, **fields}


def perp(venue: str = "one", base: str = "BTC", quote: str = "USDT", **fields: Any) -> dict:
    """Return a perpetual without impact."""
    return {
        "venue": venue, "symbol": f"{base}-PERP", "kind": "perpetual", "base": base,
        "quote": quote, "impact": FLAT, **fields,
    }  # fmt: skip


def jump(return_: float, at: float = 1, asset: str = "BTC", **fields: Any) -> dict[str, Any]:
    """Return a jump of an asset."""
    return {"kind": "jump", "at": at, "asset": asset, "return": return_, **fields}


def longs(*sizes: tuple[float, float], market: str = "one/BTC-PERP", entry: float = 100) -> list:
    """Return accounts a0, a1 ... of (contracts, USDT) on one market, each of its own trader."""
    place = market.split("/", maxsplit=1)[0]
    return [
        (f"a{k}", f"t{k}", place, {"USDT": money}, [(market, size, entry)])
        for k, (size, money) in enumerate(sizes)
    ]


def build(
    folder: Path,
    accounts: Sequence[Any] = (),
    *,
    venues: Mapping[str, Any] | None = None,
    markets: Sequence[Mapping[str, Any]] | None = None,
    assets: Mapping[str, Any] | None = None,
    horizon: float = 5,
    tick: float = 1,
    traders: Sequence[Mapping[str, Any]] = (),
    source: Mapping[str, Any] | None = None,
    **fields: Any,
) -> sim.Scenario:
    """Load a scenario whose book holds `accounts`; other keys go into the scenario."""
    groups = list(traders)
    if accounts:
        groups.insert(0, {"book": write_book(folder, accounts), **(source or {})})
    content = {
        "schema_version": 1,
        "name": "small",
        "clock": {"tick": tick, "horizon": horizon},
        "assets": assets or {"USDT": {"price": 1}, "BTC": {"price": 100}},
        "venues": venues or {"one": venue()},
        "markets": markets or [perp()],
        "traders": groups,
        **fields,
    }
    return sim.load_text(json.dumps(content), file="small.yaml", base_dir=folder)


def play(folder: Path, accounts: Sequence[Any] = (), **fields: Any) -> sim.Result:
    """Build and run with every invariant checked."""
    return sim.run(build(folder, accounts, **fields), check=True)


def sold(result: sim.Result, *columns: str) -> list[tuple[Any, ...]]:
    """Return the given columns of the market rows, in order of events."""
    table = result.liquidations
    return list(table.loc[table["kind"] == "market", list(columns)].itertuples(False, None))


def events(result: sim.Result, kind: str, *columns: str) -> list[tuple[Any, ...]]:
    """Return the given columns of the rows of a kind."""
    table = result.liquidations
    return list(table.loc[table["kind"] == kind, list(columns)].itertuples(False, None))


def equity_at(result: sim.Result, cohort: str, tick: int) -> float:
    """Return the equity of a cohort over all venues at a tick."""
    table = result.cohorts
    return float(table.loc[(table["cohort"] == cohort) & (table["tick"] == tick), "equity"].sum())


def venue_at(result: sim.Result, name: str, tick: int, column: str) -> Any:
    """Return a figure of a venue at a tick."""
    table = result.venues
    return table.loc[(table["venue"] == name) & (table["tick"] == tick), column].item()


def price_at(result: sim.Result, market: str, tick: int, column: str = "last_price") -> float:
    """Return a price of a market at a tick."""
    place, symbol = market.split("/")
    table = result.prices
    chosen = (table["venue"] == place) & (table["symbol"] == symbol) & (table["tick"] == tick)
    return float(table.loc[chosen, column].item())


def causes_at(result: sim.Result, market: str, tick: int) -> dict[str, float]:
    """Return the log moves booked to each cause of a market at a tick."""
    place, symbol = market.split("/")
    table = result.price_causes
    chosen = (table["venue"] == place) & (table["symbol"] == symbol) & (table["tick"] == tick)
    return table[chosen].groupby("cause")["price_move"].sum().to_dict()
