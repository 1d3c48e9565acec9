"""Synthetic results with the columns of a recorded run, for tests that must not need an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

PRICE = ["tick", "time", "venue", "symbol", "last_price", "mark_price", "index_price", "depth"]
VENUE = [
    "tick", "time", "venue", "equity", "open_interest_notional", "liquidated_notional",
    "backstop_notional", "adl_notional", "shortfall", "insurance_fund", "socialised_loss",
    "halted",
]  # fmt: skip
LIQUIDATION = [
    "event_id", "tick", "time", "generation", "kind", "clearer", "venue", "symbol", "account_id",
    "trader_id", "cohort", "quantity", "mark_price", "close_out_price", "bankruptcy_price",
    "notional", "fee", "shortfall",
]  # fmt: skip
CAUSE = ["tick", "generation", "venue", "symbol", "cause", "price_move"]
MECHANISM = ["tick", "time", "venue", "symbol", "series", "value"]
COHORT = ["tick", "cohort", "venue", "accounts_alive", "equity", "gross_notional"]

_TEXT = {"venue", "symbol", "kind", "clearer", "account_id", "trader_id", "cohort", "cause",
         "series"}  # fmt: skip
_WHOLE = {"tick", "event_id", "generation", "accounts_alive"}
ASSETS = {
    "BTC": 121_000.0, "ETH": 4_370.0, "SOL": 222.0, "PEPE": 9.6e-6, "XRP": 2.8, "DOGE": 0.25,
    "AVAX": 29.0, "LINK": 22.0, "BNB": 1250.0, "SUI": 3.4, "ADA": 0.81,
}  # fmt: skip
VENUES = (
    "binance", "bybit", "okx", "hyperliquid", "deribit", "gate", "kraken-futures", "bitmex",
    "dydx-chain-mainnet", "aevo", "vertex", "drift",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """The parts of a run's result that reports read."""

    prices: pd.DataFrame
    venues: pd.DataFrame
    liquidations: pd.DataFrame
    price_causes: pd.DataFrame
    cohorts: pd.DataFrame
    mechanisms: pd.DataFrame
    summary: dict[str, Any]
    manifest: dict[str, Any]


def frame(columns: list[str], rows: list[tuple[Any, ...]] | None = None) -> pd.DataFrame:
    """Return a frame with the recorded types, also when it has no rows."""
    table = pd.DataFrame(rows or [], columns=columns)
    types = {
        name: "str" if name in _TEXT else "int64" if name in _WHOLE
        else "bool" if name == "halted" else "float64"
        for name in columns
    }  # fmt: skip
    return table.astype(types)


def world(
    venues: int = 5,
    assets: int = 4,
    ticks: int = 4800,
    every: int = 10,
    shocks: list[dict[str, Any]] | None = None,
    start: str | None = "2025-10-10T20:50:00Z",
    orders: int = 4000,
    seed: int = 1,
    quote: str = "USDT",
    depth: int = 12,
) -> Result:
    """Return a run with a crash in the middle whose causes sum to the recorded prices."""
    rng = np.random.default_rng(seed)
    names, bases = VENUES[:venues], list(ASSETS)[:assets]
    pairs = [(v, f"{b}-PERP", b) for v in names for b in bases]
    middle = ticks // 2
    if shocks is None:
        shocks = [
            {"kind": "jump", "at": float(middle), "asset": b, "return": -0.05 - 0.02 * i}
            for i, b in enumerate(bases)
        ]
    liquidations = _liquidations(rng, pairs, middle, ticks, orders, depth)
    causes = _causes(rng, pairs, liquidations, shocks, ticks)
    prices = _prices(pairs, causes, ticks, every)
    return Result(
        prices=prices,
        venues=_venues(rng, names, liquidations, ticks, every),
        liquidations=liquidations,
        price_causes=causes,
        cohorts=frame(COHORT, [(0, "retail", v, 10, 1e6, 5e6) for v in names]),
        mechanisms=frame(MECHANISM),
        summary=_summary(prices, liquidations, ticks, names),
        manifest=_manifest(pairs, ticks, every, shocks, start, quote),
    )


def _liquidations(
    rng: np.random.Generator, pairs: list[Any], middle: int, ticks: int, orders: int, depth: int
) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for event in range(orders):
        generation = min(int(rng.exponential(depth / 4)), depth)
        tick = min(ticks - 1, middle + int(rng.exponential(ticks / 20)))
        if ticks == 1:
            tick = 0
        venue, symbol, base = pairs[int(rng.integers(len(pairs)) * rng.random())]
        notional = float(rng.pareto(1.3) * 2e4 + 1e3)
        price = ASSETS[base] * 0.9
        side = -1.0 if rng.random() < 0.9 else 1.0
        kind = rng.choice(["market", "backstop", "adl"], p=[0.85, 0.1, 0.05])
        name, cohort = f"a{event % (orders * 3 // 4 + 1)}", f"cohort{event % 3}"
        fields = (tick, float(tick), generation, kind, venue, venue, symbol)
        rest = (price, price * 0.998, price * 0.99, notional, notional * 1e-3, 0.0)
        trader = f"t{event % 500}"
        rows.append((len(rows), *fields, name, trader, cohort, side * notional / price, *rest))
        if kind == "adl":
            winner = (len(rows), *fields, "w1", "w", "winners", -side * notional / price, *rest)
            rows.append(winner)
    table = frame(LIQUIDATION, rows)
    return table.sort_values(["tick", "generation", "event_id"], ignore_index=True)


def _causes(
    rng: np.random.Generator, pairs: list[Any], liquidations: pd.DataFrame,
    shocks: list[dict[str, Any]], ticks: int,
) -> pd.DataFrame:  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    by_base: dict[str, list[Any]] = {}
    for venue, symbol, base in pairs:
        by_base.setdefault(base, []).append((venue, symbol))
    for shock in shocks:
        if shock["kind"] != "jump":
            continue
        tick = min(ticks - 1, int(shock["at"]))
        for venue, symbol in by_base.get(shock["asset"], []):
            rows.append((tick, 0, venue, symbol, "exogenous", float(np.log1p(shock["return"]))))
    for listed in by_base.values():
        for tick in range(0, ticks, 20):
            noise = float(rng.normal(0.0, 4e-4))
            rows += [(tick, 0, v, s, "exogenous", noise) for v, s in listed]
        if len(listed) > 1:
            for tick in range(ticks // 2, ticks, 25):
                venue, symbol = listed[int(rng.integers(len(listed)))]
                other = listed[int(rng.integers(len(listed)))][0]
                move = float(rng.normal(-1e-4, 3e-4))
                rows.append((tick, 0, venue, symbol, f"arbitrage:{other}", move))
        for tick in range(ticks // 2 + 10, ticks, 10):
            for venue, symbol in listed:
                rows.append((tick, 0, venue, symbol, "reversion", float(rng.exponential(1.5e-4))))
    market = liquidations[liquidations["kind"] == "market"]
    keys = ["tick", "generation", "clearer", "venue", "symbol"]
    signed = np.sign(market["quantity"]) * market["notional"]
    for key, flow in signed.groupby([market[k] for k in keys]).sum().items():
        tick, generation, clearer, venue, symbol = key
        move = float(flow) / 8e8
        rows.append((tick, generation, venue, symbol, f"liquidation:{clearer}", move))
        if clearer == pairs[0][0] and pairs[-1][0] != clearer:  # cross impact on another venue
            other = pairs[-1][0]
            rows.append((tick, generation, other, symbol, f"liquidation:{clearer}", 0.3 * move))
    return frame(CAUSE, rows).sort_values(["tick", "generation"], kind="stable", ignore_index=True)


def _prices(pairs: list[Any], causes: pd.DataFrame, ticks: int, every: int) -> pd.DataFrame:
    parts = []
    for number, (venue, symbol, base) in enumerate(pairs):
        mine = causes[(causes["venue"] == venue) & (causes["symbol"] == symbol)]
        moves = np.bincount(mine["tick"], weights=mine["price_move"], minlength=ticks)
        last = ASSETS[base] * np.exp(np.cumsum(moves))
        mark = pd.Series(last).ewm(halflife=30.0 + 10 * number).mean().to_numpy()
        tick = np.arange(0, ticks, every)
        part = pd.DataFrame(
            {"tick": tick, "time": tick.astype(float), "venue": venue, "symbol": symbol,
             "last_price": last[tick], "mark_price": mark[tick], "index_price": last[tick],
             "depth": 5e7}
        )  # fmt: skip
        parts.append(part)
    return pd.concat(parts).sort_values(["tick"], kind="stable", ignore_index=True)[PRICE]


def _venues(
    rng: np.random.Generator, names: tuple[str, ...], liquidations: pd.DataFrame, ticks: int,
    every: int,
) -> pd.DataFrame:  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    for place, venue in enumerate(names):
        mine = liquidations[liquidations["venue"] == venue]
        spent = np.bincount(mine["tick"], weights=mine["notional"], minlength=ticks).cumsum()
        for tick in range(0, ticks, every):
            equity = 4e9 / (place + 1) - 2.0 * spent[tick]
            fund = max(0.0, 3e8 / (place + 1) ** 2 - 0.3 * spent[tick])
            rows.append((tick, float(tick), venue, equity, 2 * equity, 0.0, 0.0, 0.0, 0.0, fund,
                         0.0, False))  # fmt: skip
    return frame(VENUE, rows)


def _summary(
    prices: pd.DataFrame, liquidations: pd.DataFrame, ticks: int, names: tuple[str, ...]
) -> dict[str, Any]:
    by_kind = liquidations.groupby("kind")["notional"].sum()
    markets = {}
    for (venue, symbol), part in prices.groupby(["venue", "symbol"], sort=False):
        last = part["last_price"]
        markets[f"{venue}/{symbol}"] = {
            "initial_price": float(last.iloc[0]), "final_price": float(last.iloc[-1]),
            "min_price": float(last.min()), "max_drawdown": 0.2, "exogenous_move": -0.1,
            "amplification": 1.7, "liquidated_notional": 1e6,
        }  # fmt: skip
    return {
        "scenario": "synthetic", "run_id": "0123456789abcdef", "seed": 1, "ticks": ticks,
        "accounts": 1_200_000, "accounts_liquidated": int(liquidations["account_id"].nunique()),
        "traders_liquidated": int(liquidations["trader_id"].nunique()),
        "generations": int(liquidations["generation"].max() + 1) if len(liquidations) else 0,
        "liquidated_notional": float(by_kind.get("market", 0.0)),
        "backstop_notional": float(by_kind.get("backstop", 0.0)),
        "adl_notional": float(by_kind.get("adl", 0.0)) / 2, "shortfall": 1.5e6,
        "insurance_fund_used": 1.2e6, "socialised_loss": 0.0, "branching_ratio": 0.43,
        "conservation_error": 1.2e-16, "wall_seconds": 12.3456, "markets": markets,
        "venues": {name: {"insurance_fund_used": 1e5} for name in names},
    }  # fmt: skip


def _manifest(
    pairs: list[Any], ticks: int, every: int, shocks: list[dict[str, Any]], start: str | None,
    quote: str,
) -> dict[str, Any]:  # fmt: skip
    clock = {"tick": 1.0, "horizon": float(ticks), "start": start}
    markets = [
        {"venue": v, "symbol": s, "kind": "perpetual", "base": b, "quote": quote}
        for v, s, b in pairs
    ]
    return {
        "scenario": {
            "name": "synthetic", "clock": clock, "record": {"every": float(every)},
            "venues": {v: {} for v in dict.fromkeys(p[0] for p in pairs)}, "markets": markets,
            "shocks": shocks,
        }
    }  # fmt: skip


def thirty_shocks(ticks: int = 4800) -> list[dict[str, Any]]:
    """Return thirty shocks of every kind over the horizon, many of them close together."""
    rng = np.random.default_rng(7)
    bases = list(ASSETS)
    shocks: list[dict[str, Any]] = [
        {"kind": "jump", "at": float(at), "asset": bases[i % 4], "return": float(r)}
        for i, (at, r) in enumerate(
            zip(rng.integers(0, ticks, 22), rng.normal(-0.01, 0.02, 22), strict=True)
        )
    ]
    shocks += [
        {"kind": "gbm", "assets": bases, "drift": 0.0, "at": 0.0, "until": None},
        {"kind": "ramp", "at": 600.0, "duration": 900.0, "asset": "ETH", "return": -0.08},
        {"kind": "path", "asset": "SOL", "at": 0.0, "points": [[300.0, 222.0], [900.0, 200.0]]},
        {"kind": "depth", "at": 2000.0, "until": 3000.0, "factor": 0.2, "asset": None,
         "venue": "okx", "symbol": None, "recovery_half_life": None},
        {"kind": "outage", "venue": "binance", "at": 2700.0, "duration": 600.0},
        {"kind": "outage", "venue": "bybit", "at": 2800.0, "duration": 300.0},
        {"kind": "depth", "at": 4000.0, "until": None, "factor": 0.5, "asset": "BTC",
         "venue": None, "symbol": None, "recovery_half_life": 60.0},
        {"kind": "jump_diffusion", "assets": None, "intensity": 4.0, "jump_mean": -0.02,
         "jump_std": 0.01, "at": 0.0, "until": None},
    ]  # fmt: skip
    return shocks


def named_shocks() -> list[dict[str, Any]]:
    """Return shocks with names, some close together, over strips of depth and outages."""
    events = {
        1800.0: "tariff news",
        2100.0: "second leg",
        2200.0: "a long word on rates",
        2500.0: "recovery",
    }
    shocks: list[dict[str, Any]] = [
        {"kind": "jump", "at": at, "asset": base, "return": -0.03, "label": label}
        for at, label in events.items()
        for base in list(ASSETS)[:4]
    ]
    shocks += [
        {"kind": "depth", "at": 1800.0, "until": 3600.0, "factor": 0.1, "label": "thin books"},
        {"kind": "outage", "venue": "binance", "at": 2400.0, "duration": 60.0},
        {"kind": "outage", "venue": "okx", "at": 2450.0, "duration": 90.0},
    ]
    return shocks


def calm() -> Result:
    """Return a run in which nothing was liquidated."""
    return world(venues=2, assets=1, ticks=600, orders=0, start=None, shocks=[])


def empty() -> Result:
    """Return a result whose tables have no rows."""
    return Result(
        frame(PRICE),
        frame(VENUE),
        frame(LIQUIDATION),
        frame(CAUSE),
        frame(COHORT),
        frame(MECHANISM),
        {},
        {},
    )
