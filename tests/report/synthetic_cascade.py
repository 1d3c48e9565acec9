"""Frames and graphs of a cascade with the columns that the analysis gives, made up from a seed."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd

from sim.report import RunContext
from sim.report.context import Listing
from tests.report.synthetic import VENUES

CAUSES = (
    "exogenous", "arbitrage:binance", "reversion", "trade:dip_buyers", "fees", "funding", "mark",
    "own_trade", "transfer",
)  # fmt: skip


def context(venues: int) -> RunContext:
    """Return the context of a run with some venues, all quoted in dollars."""
    names = VENUES[:venues]
    listings = {f"{venue}/BTC-PERP": Listing("BTC", "USDT") for venue in names}
    return RunContext(last=599.0, venues=names, listings=listings)


def matrix(venues: int, seed: int = 3) -> pd.DataFrame:
    """Return losses by source and victim; reversion is a gain."""
    rng = np.random.default_rng(seed)
    names = list(VENUES[:venues])
    forced = rng.pareto(1.0, (venues, venues)) * 1e6 * (rng.random((venues, venues)) < 0.6)
    forced += rng.pareto(1.1, (venues, venues)) * 2e6 * np.eye(venues) + np.eye(venues)
    falling = 1e6 / np.arange(1, len(CAUSES) + 1)[:, None]
    other = rng.pareto(1.1, (len(CAUSES), venues)) * falling
    other[0] *= 20.0
    other[2] *= -1.0
    return pd.DataFrame(np.vstack([forced, other]), index=[*names, *CAUSES], columns=names)


def losses(venues: int, generations: int = 9, seed: int = 4) -> pd.DataFrame:
    """Return the columns of ``Cascade.losses()`` that figures read."""
    rng = np.random.default_rng(seed)
    causes = [*CAUSES, *(f"liquidation:{venue}" for venue in VENUES[:venues])]
    rows = []
    for generation in range(generations):
        for cause in causes:
            size = float(rng.pareto(1.5) * 1e6 * np.exp(-0.3 * generation))
            size *= {"exogenous": 20.0, "reversion": -0.5}.get(cause, 1.0)
            rows.append((generation, VENUES[0], cause, size))
    return pd.DataFrame(rows, columns=["generation", "clearer", "cause", "loss"])


def ladder(venues: int, steps: int = 40, reach: float = 0.4, seed: int = 5) -> pd.DataFrame:
    """Return a cumulative ladder: sales below the present price, purchases above."""
    rng = np.random.default_rng(seed)
    moves = np.linspace(-reach, reach, 2 * steps + 1)
    rows = []
    for place, venue in enumerate(VENUES[:venues]):
        for side, sign in (("sell", -1), ("buy", 1)):
            added = rng.pareto(1.5, steps) * 2e7 / (place + 1)
            total = np.append(0.0, np.cumsum(added))
            for move in moves:
                away = round(sign * move * steps / reach)
                notional = float(total[away]) if away > 0 else 0.0
                rows.append((float(move), f"{venue}/BTC-PERP", venue, side, 1, 0.0, notional))
    columns = ["move", "market", "clearer", "side", "accounts", "quantity", "notional"]
    return pd.DataFrame(rows, columns=columns)


def surface(points: int = 9, without: tuple[int, ...] = ()) -> pd.DataFrame:
    """Return a critical surface on a straight line; nothing tips in the directions `without`."""
    angle = np.linspace(0.0, np.pi / 2, points)
    size = 0.2 / (np.cos(angle) + 0.7 * np.sin(angle))
    size[list(without)] = np.inf
    fell = np.where(np.isfinite(size), size, np.nan)
    return pd.DataFrame({
        "asset_a": "BTC", "asset_b": "ETH", "angle": angle, "return_a": -fell * np.cos(angle),
        "return_b": -fell * np.sin(angle), "size": size, "lower": 0.97 * size,
        "upper": 1.02 * size,
        "criterion": np.where(np.isfinite(size), np.where(angle < 1.0, "jump", "share"), "none"),
        "share_before": 0.03, "share_after": np.linspace(0.3, 0.8, points),
    })  # fmt: skip


def graph(
    accounts: int, venues: int, generations: int = 6, seed: int = 1, causes: bool = True
) -> nx.MultiDiGraph[str]:
    """Return a causal graph: each account trades on its venue, and markets of any break it."""
    rng = np.random.default_rng(seed)
    made: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    markets = [f"{venue}/{base}-PERP" for venue in VENUES[:venues] for base in ("BTC", "ETH")]
    for venue in VENUES[:venues]:
        made.add_node(f"venue:{venue}", kind="venue", label=venue)
    for market in markets:
        made.add_node(f"market:{market}", kind="market", label=market, venue=market.split("/")[0])
    if causes:
        made.add_node("cause:exogenous", kind="cause", label="exogenous")
        made.add_node("collateral:BTC", kind="collateral", label="collateral:BTC")
        for market in markets:
            made.add_edge("cause:exogenous", f"market:{market}", relation="cause", loss=1e6)
        made.add_edge(f"market:{markets[0]}", "collateral:BTC", relation="passes", loss=2e6)
    for number in range(accounts):
        generation = min(int(rng.exponential(generations / 3)), generations - 1)
        venue = VENUES[int(venues * rng.random() ** 2)]
        notional = float(rng.pareto(1.1) * 1e5 + 1e3)
        name = f"account:retail-{number}"
        made.add_node(name, kind="account", label=f"retail-{number}", generation=generation,
                      notional=notional)  # fmt: skip
        made.add_edge(name, f"venue:{venue}", relation="clears")
        market = f"market:{venue}/{('BTC', 'ETH')[int(rng.integers(2))]}-PERP"
        made.add_edge(name, market, relation="forced_order", notional=notional, loss=0.3 * notional,
                      price_move=-1e-4, generation=generation)  # fmt: skip
        source = (
            market if rng.random() < 0.7 else f"market:{markets[int(rng.integers(len(markets)))]}"
        )
        made.add_edge(source, name, relation="break", loss=notional * float(rng.random()),
                      generation=generation)  # fmt: skip
    return made
