"""Books with known quantiles, the shipped scenarios on them, and falls read from the tables.

Everything goes the way a user goes: a scenario file, a book in Parquet, `sim.run`, the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

import sim

ANALYTIC = Path(__file__).resolve().parents[2] / "scenarios" / "analytic"


def middles(number: int) -> np.ndarray:
    """Return the mid-points of `number` equal parts of [0, 1]."""
    return (np.arange(number) + 0.5) / number


@dataclass
class BookWriter:
    """Gathers blocks of cross accounts and writes them as three Parquet tables."""

    accounts: list[pd.DataFrame] = field(default_factory=list)
    balances: list[pd.DataFrame] = field(default_factory=list)
    positions: list[pd.DataFrame] = field(default_factory=list)

    def add(
        self,
        prefix: str,
        clearer: str,
        collateral: np.ndarray,
        holdings: Sequence[tuple[str, Any, Any]],
        order: np.ndarray | None = None,
    ) -> BookWriter:
        """Add accounts with `collateral` (N,) [USD], each holding (venue, symbol, quantity).

        Symbol and quantity are one for all or (N,); all positions are entered at 1. `order`
        permutes the rows and the names with them.
        """
        count = len(collateral)
        shuffled = np.arange(count) if order is None else order
        names = np.char.add(prefix, np.char.zfill(np.arange(count).astype(str), 6))
        self.accounts.append(
            pd.DataFrame(
                {
                    "account_id": names,
                    "trader_id": names,
                    "clearer": clearer,
                    "margin_mode": "cross",
                }
            )
        )
        self.balances.append(
            pd.DataFrame({"account_id": names, "asset": "USD", "amount": collateral[shuffled]})
        )
        for venue, symbol, quantity in holdings:
            self.positions.append(
                pd.DataFrame(
                    {
                        "account_id": names,
                        "venue": venue,
                        "symbol": np.broadcast_to(np.asarray(symbol), count)[shuffled],
                        "quantity": np.broadcast_to(quantity, count)[shuffled].astype(float),
                        "entry_price": 1.0,
                    }
                )
            )
        return self

    def write(self, folder: Path) -> dict[str, str]:
        """Write the tables; return the overrides that put them into a scenario."""
        folder.mkdir(parents=True, exist_ok=True)
        overrides = {}
        for table in ("accounts", "balances", "positions"):
            path = folder / f"{table}.parquet"
            duckdb.from_df(pd.concat(getattr(self, table))).write_parquet(str(path))
            overrides[f"traders.0.book.{table}"] = str(path)
        return overrides


def uniform_book(number: int, top: float = 0.5, order: np.ndarray | None = None) -> BookWriter:
    """Return accounts long 1 contract in all that break at falls uniform on [0, top]."""
    collateral = top * middles(number) / number
    return BookWriter().add("a", "one", collateral, [("one", "X", 1.0 / number)], order)


def pareto_book(number: int, alpha: float, margin: float) -> BookWriter:
    """Return accounts long 1 contract in all, leverage Pareto(alpha) below 1 / margin."""
    low = margin**alpha
    inverse = (low + middles(number) * (1.0 - low)) ** (1.0 / alpha)
    return BookWriter().add("a", "one", inverse / number, [("one", "X", 1.0 / number)])


def venues_book(number: int, tops: Mapping[str, float]) -> BookWriter:
    """Return accounts on several venues, long 1 contract on each, falls uniform on [0, top]."""
    book = BookWriter()
    for venue, top in tops.items():
        book.add(venue, venue, top * middles(number) / number, [(venue, "X", 1.0 / number)])
    return book


def run(name: str, overrides: Mapping[str, Any] | None = None) -> sim.Result:
    """Run a shipped analytic scenario with values replaced, every invariant checked."""
    return sim.run(sim.load(ANALYTIC / f"{name}.yaml", dict(overrides or {})), check=True)


def run_text(text: str, folder: Path) -> sim.Result:
    """Run a scenario written into a folder."""
    path = folder / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return sim.run(sim.load(path), check=True)


def fall(result: sim.Result, market: str = "one/X") -> float:
    """Return the fall of a market over the run, in initial prices."""
    facts = result.summary["markets"][market]
    return 1.0 - facts["final_price"] / facts["initial_price"]


def falls_by_generation(result: sim.Result, market: str = "one/X") -> np.ndarray:
    """Return D_0 (the shock alone), D_1, D_2 ... of one market of a one-tick run."""
    venue, symbol = market.split("/")
    causes = result.price_causes
    causes = causes[(causes["venue"] == venue) & (causes["symbol"] == symbol)]
    outside = causes.loc[causes["cause"] == "exogenous", "price_move"].sum()
    forced = causes[causes["cause"] != "exogenous"].groupby("generation")["price_move"].sum()
    assert list(forced.index) == list(range(len(forced)))
    return 1.0 - np.exp(outside + np.concatenate([[0.0], np.cumsum(forced.to_numpy())]))
